/// Big Batch SGD: the batch grows while noise outweighs the gradient.
///
/// With S the unbiased variance of the example gradients and g the batch's mean gradient,
///
///     θ² ‖g‖² ≥ S/m:   m′ = m
///     otherwise:       m′ = ⌈k m⌉,    k = 1.1
///
/// (De, Yadav, Jacobs, Goldstein, AISTATS 2017, arXiv 1610.05792). The batch never shrinks.
///
/// After a batch of a single example, which has no variance, the next one has at least two.
///
/// Deviations: they grow the batch at the same point and test again before the step is made; here the step is made, and the
/// larger batch comes with the next one. Their backtracking line search is a matter of the learning rate, which any schedule
/// may set here.
public struct BigBatch: BatchSizePolicy, Hashable {
    /// The batch size, and its bounds.
    public private(set) var size: BoundedBatchSize
    /// The largest allowed error θ, relative to the gradient.
    public let tolerance: Double
    /// The factor k by which the batch grows.
    public let factor: Double

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - tolerance: The largest allowed error θ, relative to the gradient; positive.
    ///   - factor: The factor k by which the batch grows, at least 1.
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        tolerance: Double = 1, factor: Double = 1.1, bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds,
        initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        size = try BoundedBatchSize(bounds: bounds, initial: initialBatchSize)
        guard tolerance > 0, tolerance.isFinite else { throw .toleranceNotPositive(tolerance) }
        guard factor >= 1, factor.isFinite else { throw .growthFactorBelowOne(factor) }
        self.tolerance = tolerance
        self.factor = factor
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let size = try container.decode(BoundedBatchSize.self, forKey: .size)
        try self.init(
            tolerance: container.decode(Double.self, forKey: .tolerance),
            factor: container.decode(Double.self, forKey: .factor),
            bounds: size.bounds, initialBatchSize: size.initial)
        self.size = size
    }

    /// The size of a run's first batch.
    public var initialBatchSize: Int { size.initial }

    /// The variance and the gradient's norm.
    public var reads: Set<StepQuantity> { [.gradientMoments] }

    /// Tests the step's batch, and grows where it fails.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        let demand = statistics.batchSizeDemand(tolerance: tolerance)
        let raw = demand > Double(size.current) ? factor * Double(size.current) : Double(size.current)
        size.move(to: statistics.leavingSingleExample(raw))
        return BatchSizeDecision(nextBatchSize: size.current, rawBatchSize: raw)
    }
}
