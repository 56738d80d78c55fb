/// A batch size that grows by a factor at every step.
///
///     m′ = ⌈min(k m + 1, m_max)⌉,    k = 1.1
///
/// The error of the gradient then shrinks geometrically, which keeps the linear convergence of the full gradient method on
/// strongly convex problems (Friedlander and Schmidt, SIAM Journal on Scientific Computing 34(3), 2012,
/// arXiv 1104.2373). The number of training examples is a sensible upper bound.
public struct GeometricGrowth: BatchSizePolicy, Hashable {
    /// The batch size, and its bounds.
    public private(set) var size: BoundedBatchSize
    /// The factor k.
    public let factor: Double

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - factor: The factor k, at least 1.
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        factor: Double = 1.1, bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds, initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        size = try BoundedBatchSize(bounds: bounds, initial: initialBatchSize)
        guard factor >= 1, factor.isFinite else { throw .growthFactorBelowOne(factor) }
        self.factor = factor
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let size = try container.decode(BoundedBatchSize.self, forKey: .size)
        try self.init(
            factor: container.decode(Double.self, forKey: .factor),
            bounds: size.bounds, initialBatchSize: size.initial)
        self.size = size
    }

    /// The size of a run's first batch.
    public var initialBatchSize: Int { size.initial }

    /// Nothing: the rule counts steps.
    public var reads: Set<StepQuantity> { [] }

    /// Grows by one step.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        let raw = factor * Double(size.current) + 1
        size.move(to: raw)
        return BatchSizeDecision(nextBatchSize: size.current, rawBatchSize: raw)
    }
}
