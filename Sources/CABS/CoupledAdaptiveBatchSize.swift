/// CABS, the coupled adaptive batch size of Balles, Romero and Hennig (UAI 2017, arXiv 1612.05086).
///
/// After a step with learning rate α, mean loss F and within-batch variance ξ,
///
///     ξ̄ ← μ ξ̄ + (1 − μ) ξ            from 0
///     F̄ ← μ F̄ + (1 − μ) F            from 1 + F*
///     m′ = clip(round(c · α · ξ̄ / (F̄ − F* + ε)), m_min, m_max)
///
/// which is the paper's m = α ξ / F (its section 4) with the smoothing, rounding and clipping of the authors' code. A batch of m
/// examples leaves noise ξ/m in the gradient; the rule holds it in proportion to what is still to be gained, (F − F*)/α,
/// so the noise vanishes with the loss and the learning rate need not decay.
///
/// It assumes plain SGD, and that F* is the smallest loss that can be reached.
///
/// Deviations from the authors' code: a loss floor F* (theirs is 0), above which the average of the loss starts as far as theirs, and the
/// degenerate cases below, which theirs
/// leaves to floating-point accident.
/// - F̄ − F* + ε is zero or negative (the loss is at its floor): the upper bound, or the lower one where the
///   variance is zero too and a single example has the exact gradient.
/// - A measured value is not finite, or a batch has a single example, which has no variance: the averages pass it over. After a single
///   example the next batch has at least two.
///
/// The per-example norms tell how well the variance is known: see ``BatchSizeDecision/rawBatchSizeStandardError``. With a significance Z above 0, an addition of
/// ours, the batch stays as it is as long as what the rule asks for is within Z standard errors of it.
public struct CoupledAdaptiveBatchSize: BatchSizePolicy, Hashable {
    /// The smallest and largest batch sizes, m_min and m_max.
    public let batchSizeBounds: ClosedRange<Int>
    /// The size of a run's first batch.
    public let initialBatchSize: Int
    /// The constant c in front of the rule; 1 is the paper's.
    public let factor: Double
    /// The ε added to the denominator; 0 is the paper's.
    public let epsilon: Double
    /// The smallest reachable loss F*, subtracted from the loss.
    public let lossFloor: Double
    /// The batch size, and by how many standard errors what the rule asks for must differ from it for it to change; 0 is the paper's rule.
    public private(set) var size: SignificantBatchSize
    /// F̄, the running average of the loss. It starts at 1 above the floor.
    public private(set) var smoothedLoss: ExponentialAverage
    /// ξ̄, the running average of the within-batch variance. It starts at 0.
    public private(set) var smoothedVariance: ExponentialAverage

    /// Creates the rule; the defaults are those of the authors' code.
    ///
    /// - Parameters:
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    ///   - smoothingFactor: The weight μ of the past in both averages, in [0, 1).
    ///   - factor: The constant c, positive.
    ///   - epsilon: The ε of the denominator, not negative.
    ///   - lossFloor: The smallest reachable loss F*.
    ///   - significance: By how many standard errors what the rule asks for must differ from the batch size for that to change.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds,
        initialBatchSize: Int? = nil,
        smoothingFactor: Double = 0.95,
        factor: Double = 1,
        epsilon: Double = 0,
        lossFloor: Double = 0,
        significance: Double = 0
    ) throws(BatchSizePolicyError) {
        let initialBatchSize = try bounds.validated(initialBatchSize: initialBatchSize)
        guard (0..<1).contains(smoothingFactor) else { throw .smoothingFactorOutOfRange(smoothingFactor) }
        guard factor > 0, factor.isFinite else { throw .factorNotPositive(factor) }
        guard epsilon >= 0, epsilon.isFinite else { throw .epsilonNegative(epsilon) }
        guard lossFloor.isFinite else { throw .lossFloorNotFinite(lossFloor) }
        self.batchSizeBounds = bounds
        self.initialBatchSize = initialBatchSize
        size = try SignificantBatchSize(bounds: bounds, initial: initialBatchSize, significance: significance)
        self.factor = factor
        self.epsilon = epsilon
        self.lossFloor = lossFloor
        self.smoothedLoss = ExponentialAverage(initialValue: 1 + lossFloor, smoothingFactor: smoothingFactor)
        self.smoothedVariance = ExponentialAverage(initialValue: 0, smoothingFactor: smoothingFactor)
    }

    /// The within-batch variance, the loss and the learning rate.
    public var reads: Set<StepQuantity> { [.loss, .learningRate, .gradientMoments] }

    /// True: the rule weighs the gain of a step along the gradient against its noise.
    public var assumesGradientDescent: Bool { true }

    /// Updates both averages and applies the rule.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        smoothedLoss.update(with: statistics.meanLoss)
        if statistics.exampleCount > 1 {
            smoothedVariance.update(
                with: statistics.withinBatchVariance, standardError: statistics.secondMomentStandardError)
        }
        func raw(_ variance: Double) -> Double {
            Self.rawBatchSize(
                learningRate: learningRate, variance: variance, excessLoss: smoothedLoss.value - lossFloor,
                factor: factor, epsilon: epsilon)
        }
        // The rule is linear in the variance.
        let (wanted, error) = (raw(smoothedVariance.value), raw(smoothedVariance.squaredError.squareRoot()))
        size.follow(wanted, standardError: error, after: statistics)
        return BatchSizeDecision(
            nextBatchSize: size.current, rawBatchSize: wanted,
            rawBatchSizeStandardError: statistics.secondMomentStandardError == nil ? nil : error,
            smoothedLoss: smoothedLoss.value, smoothedVariance: smoothedVariance.value)
    }

    /// The rule itself, `c · α · ξ / (F − F* + ε)`, as a real number: infinite where the loss is at its floor, zero
    /// where the variance is zero too.
    ///
    /// - Parameters:
    ///   - learningRate: The learning rate α.
    ///   - variance: The within-batch variance ξ, or its average.
    ///   - excessLoss: The loss above its floor, F − F*.
    ///   - factor: The constant c.
    ///   - epsilon: The ε of the denominator.
    public static func rawBatchSize(
        learningRate: Double, variance: Double, excessLoss: Double, factor: Double = 1, epsilon: Double = 0
    ) -> Double {
        let numerator = factor * learningRate * variance
        let denominator = excessLoss + epsilon
        guard numerator > 0 else { return 0 }
        return denominator > 0 ? numerator / denominator : .infinity
    }

    /// Decodes a stored policy, checking its options as ``init(bounds:initialBatchSize:smoothingFactor:factor:epsilon:lossFloor:significance:)``
    /// does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let loss = try container.decode(ExponentialAverage.self, forKey: .smoothedLoss)
        try self.init(
            bounds: container.decode(ClosedRange<Int>.self, forKey: .batchSizeBounds),
            initialBatchSize: container.decode(Int.self, forKey: .initialBatchSize),
            smoothingFactor: loss.smoothingFactor, factor: container.decode(Double.self, forKey: .factor),
            epsilon: container.decode(Double.self, forKey: .epsilon),
            lossFloor: container.decode(Double.self, forKey: .lossFloor))
        // Not in the states of versions that knew no significance.
        if let stored = try container.decodeIfPresent(SignificantBatchSize.self, forKey: .size) {
            size = try stored.checked(bounds: batchSizeBounds)
        }
        smoothedLoss = loss
        smoothedVariance = try container.decode(ExponentialAverage.self, forKey: .smoothedVariance)
    }
}

extension BatchSizePolicy where Self == CoupledAdaptiveBatchSize {
    /// The coupled adaptive batch size; see ``CoupledAdaptiveBatchSize``.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public static func cabs(
        bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds, initialBatchSize: Int? = nil, lossFloor: Double = 0
    ) throws(BatchSizePolicyError) -> CoupledAdaptiveBatchSize {
        try CoupledAdaptiveBatchSize(bounds: bounds, initialBatchSize: initialBatchSize, lossFloor: lossFloor)
    }
}
