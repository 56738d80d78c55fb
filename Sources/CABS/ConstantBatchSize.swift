/// The same batch size at every step: plain mini-batch SGD.
public struct ConstantBatchSize: BatchSizePolicy, Hashable {
    /// The number of examples in every batch.
    public let batchSize: Int

    /// Creates the policy.
    ///
    /// - Throws: ``BatchSizePolicyError`` where `batchSize` is below one.
    public init(_ batchSize: Int) throws(BatchSizePolicyError) {
        guard batchSize >= 1 else { throw .batchSizeNotPositive(batchSize) }
        self.batchSize = batchSize
    }

    /// Decodes a stored policy.
    ///
    /// - Throws: ``BatchSizePolicyError`` where the size is below one; `DecodingError` where it is missing.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.container(keyedBy: CodingKeys.self).decode(Int.self, forKey: .batchSize))
    }

    /// The constant size.
    public var initialBatchSize: Int { batchSize }

    /// Nothing.
    public var reads: Set<StepQuantity> { [] }

    /// Returns the constant size.
    public func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        BatchSizeDecision(nextBatchSize: batchSize, rawBatchSize: Double(batchSize))
    }
}

extension BatchSizePolicy where Self == ConstantBatchSize {
    /// The same batch size at every step; see ``ConstantBatchSize``.
    ///
    /// - Throws: ``BatchSizePolicyError`` where the size is below one.
    public static func constant(_ batchSize: Int) throws(BatchSizePolicyError) -> ConstantBatchSize {
        try ConstantBatchSize(batchSize)
    }
}
