@_exported import CABS
@_exported import CABSData
@_exported import CABSNetwork
