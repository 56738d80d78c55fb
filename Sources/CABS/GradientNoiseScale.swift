/// The gradient noise scale as batch size: about where more examples a step stop paying for themselves in steps.
///
/// With S the unbiased variance of the example gradients, and ‖g‖² − S/m, the unbiased estimate of the full gradient's squared
/// norm,
///
///     m′ = clip(round(avg(S) / avg(‖g‖² − S/m)))
///
/// which is B_simple of McCandlish, Kaplan, Amodei and the OpenAI Dota team (2018, arXiv 1812.06162), with numerator and
/// denominator averaged apart, as they advise: the ratio of one batch is biased. Where they compare the gradients of two batch
/// sizes, this compares those of one example and of the batch, which the statistics hold. Both averages start at zero and
/// forget alike, so the ratio needs no correction for the start.
///
/// The denominator can be negative where noise outweighs the gradient: the true squared norm is then zero within the estimate's
/// error, and the rule asks for the upper bound. After a batch of a single example, which has no variance, the averages stand, and the next
/// batch has at least two.
public struct GradientNoiseScale: BatchSizePolicy, Hashable {
    /// The smallest and largest batch sizes.
    public let batchSizeBounds: ClosedRange<Int>
    /// The first batch size.
    public let initialBatchSize: Int
    /// The running average of the variance S.
    public private(set) var smoothedVariance: ExponentialAverage
    /// The running average of ‖g‖² − S/m.
    public private(set) var smoothedGradientSquaredNorm: ExponentialAverage

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - smoothingFactor: The weight μ of the past in both averages, in [0, 1).
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        smoothingFactor: Double = 0.95, bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds,
        initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        self.initialBatchSize = try bounds.validated(initialBatchSize: initialBatchSize)
        guard (0..<1).contains(smoothingFactor) else { throw .smoothingFactorOutOfRange(smoothingFactor) }
        self.batchSizeBounds = bounds
        smoothedVariance = ExponentialAverage(initialValue: 0, smoothingFactor: smoothingFactor)
        smoothedGradientSquaredNorm = smoothedVariance
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let variance = try container.decode(ExponentialAverage.self, forKey: .smoothedVariance)
        try self.init(
            smoothingFactor: variance.smoothingFactor,
            bounds: container.decode(ClosedRange<Int>.self, forKey: .batchSizeBounds),
            initialBatchSize: container.decode(Int.self, forKey: .initialBatchSize))
        smoothedVariance = variance
        smoothedGradientSquaredNorm = try container.decode(
            ExponentialAverage.self, forKey: .smoothedGradientSquaredNorm)
    }

    /// The variance and the gradient's norm.
    public var reads: Set<StepQuantity> { [.gradientMoments] }

    /// Updates both averages and applies the rule.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        smoothedVariance.update(with: statistics.unbiasedVariance)
        smoothedGradientSquaredNorm.update(with: statistics.unbiasedGradientSquaredNorm)
        let (noise, signal) = (smoothedVariance.value, smoothedGradientSquaredNorm.value)
        let raw = noise > 0 ? (signal > 0 ? noise / signal : .infinity) : 0
        return BatchSizeDecision(
            nextBatchSize: batchSizeBounds.batchSize(nearestTo: statistics.leavingSingleExample(raw)),
            rawBatchSize: raw,
            smoothedVariance: noise)
    }
}
