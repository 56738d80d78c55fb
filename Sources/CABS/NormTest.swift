/// The norm test: a batch is large enough while the gradient's error is small beside the gradient.
///
/// With S the unbiased variance of the example gradients, g the batch's mean gradient and θ in (0, 1),
///
///     S/m ≤ θ² ‖g‖²:   m′ = m
///     otherwise:       m′ = ⌈S / (θ² ‖g‖²)⌉
///
/// (Byrd, Chin, Nocedal, Wu, Mathematical Programming 134, 2012). The batch never shrinks. The error of the gradient stays below
/// a fixed part of it, so a constant learning rate converges linearly on strongly convex problems.
///
/// Where the gradient is zero and the variance is not, the rule asks for the upper bound; where either was not measured it keeps the size.
/// After a batch of a single example, which has no variance, the next one has at least two.
public struct NormTest: BatchSizePolicy, Hashable {
    /// The batch size, and its bounds.
    public private(set) var size: BoundedBatchSize
    /// The largest allowed error θ, relative to the gradient.
    public let tolerance: Double

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - tolerance: The largest allowed error θ, relative to the gradient; positive.
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        tolerance: Double = 0.9, bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds, initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        size = try BoundedBatchSize(bounds: bounds, initial: initialBatchSize)
        guard tolerance > 0, tolerance.isFinite else { throw .toleranceNotPositive(tolerance) }
        self.tolerance = tolerance
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let size = try container.decode(BoundedBatchSize.self, forKey: .size)
        try self.init(
            tolerance: container.decode(Double.self, forKey: .tolerance),
            bounds: size.bounds, initialBatchSize: size.initial)
        self.size = size
    }

    /// The size of a run's first batch.
    public var initialBatchSize: Int { size.initial }

    /// The variance and the gradient's norm.
    public var reads: Set<StepQuantity> { [.gradientMoments] }

    /// Tests the step's batch.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        let demand = statistics.batchSizeDemand(tolerance: tolerance)
        let wanted = statistics.leavingSingleExample(demand)
        if wanted > Double(size.current) { size.move(to: wanted) }
        return BatchSizeDecision(nextBatchSize: size.current, rawBatchSize: demand)
    }
}

extension StepStatistics {
    /// The batch size at which the gradient's error, √(S/m), is θ times the gradient: S / (θ² ‖g‖²). Zero where there is no
    /// variance, not a number where it was not measured.
    func batchSizeDemand(tolerance: Double) -> Double {
        unbiasedVariance == 0 ? 0 : unbiasedVariance / (tolerance * tolerance * gradientSquaredNorm)
    }
}
