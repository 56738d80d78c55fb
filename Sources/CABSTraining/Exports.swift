@_exported import CABS
@_exported import CABSData
@_exported import CABSExamples
@_exported import CABSNetwork
@_exported import CABSPrimitives
@_exported import CABSRanks
