/// SimiGrad: the batch grows where the gradients of its halves point different ways, and shrinks where they agree.
///
/// With φ the cosine of the angle between the mean gradients of the batch's halves and γ what it is to be,
///
///     m′ = max(m + 1, ⌊1.1 m⌋) where φ < γ,    min(m − 1, ⌊0.9 m⌋) where φ > γ,
///
/// within bounds (Qin, Rajbhandari, Ruwase, Yan, Yang, He 2021, "SimiGrad: Fine-Grained Adaptive Batching for Large Scale Training using Gradient
/// Similarity Measurement"). The halves need not be formed: with G the full gradient and S the variance, their product is expected
/// to be ‖G‖² and each one's square ‖G‖² + 2S/m, so with ‖g‖² = ‖G‖² + S/m of the whole batch
///
///     φ ≈ (‖g‖² − S/m) / (‖g‖² + S/m).
///
/// It settles near m = 2γ/(1 − γ) · S/‖G‖², so γ = ½, the default, is twice the noise scale: there half of what each half's gradient is, in squares, is signal. The
/// authors choose γ for each task, between 0.02 and 0.9.
///
/// As a rule that watches it goes by the size that it chose itself.
public struct SimiGrad: BatchSizePolicy, Hashable {
    /// γ.
    public let similarity: Double
    /// The batch size.
    public private(set) var size: BoundedBatchSize

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - similarity: γ, above 0 and below 1.
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        similarity: Double = 0.5, bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds, initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        guard similarity > 0, similarity < 1 else { throw .similarityOutOfRange(similarity) }
        self.similarity = similarity
        size = try BoundedBatchSize(bounds: bounds, initial: initialBatchSize)
    }

    /// The size of a run's first batch.
    public var initialBatchSize: Int { size.initial }

    /// The variance and the gradient's norm.
    public var reads: Set<StepQuantity> { [.gradientMoments] }

    /// φ of halves of a batch of so many examples; not a number where nothing is known.
    public static func similarity(
        of exampleCount: Int, variance: Double, fullGradientSquaredNorm: Double
    ) -> Double {
        fullGradientSquaredNorm / (fullGradientSquaredNorm + 2 * variance / Double(exampleCount))
    }

    /// Grows or shrinks by a tenth.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        let (own, signal) = (Double(size.current), statistics.unbiasedGradientSquaredNorm)
        let found =
            signal > 0
            ? Self.similarity(
                of: size.current, variance: statistics.unbiasedVariance, fullGradientSquaredNorm: signal) : signal
        let wanted =
            if found < similarity || signal <= 0 {
                max(own + 1, (1.1 * own).roundedDownBeyondErrors)
            } else if found > similarity {
                min(own - 1, (0.9 * own).roundedDownBeyondErrors)
            } else {
                // Nothing is known of a batch of one example but that more are needed.
                statistics.leavingSingleExample(own)
            }
        size.move(to: wanted)
        return BatchSizeDecision(nextBatchSize: size.current, rawBatchSize: wanted)
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let stored = try container.decode(BoundedBatchSize.self, forKey: .size)
        try self.init(
            similarity: container.decode(Double.self, forKey: .similarity), bounds: stored.bounds,
            initialBatchSize: stored.initial)
        size = stored
    }
}
