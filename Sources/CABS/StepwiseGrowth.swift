/// A batch size that is multiplied by a factor at fixed intervals, whatever the gradients say.
///
///     m′ = clip(round(m₀ · kⁿ)),    n = ⌊examples seen / interval⌋
///
/// Where a schedule would divide the learning rate α by k, multiplying m by k leaves the same noise, as the noise of SGD goes with
/// α N / m (Smith, Kindermans, Ying, Le, ICLR 2018, arXiv 1711.00489). They stop near a tenth of the training set, which
/// is a sensible upper bound. Doubling is AdaBatch (Devarakonda, Naumov, Garland 2017, arXiv 1712.02029), which pairs it with a
/// milder decay of the learning rate, 0.75 where 0.375 stood.
public struct StepwiseGrowth: BatchSizePolicy, Hashable {
    /// The smallest and largest batch sizes.
    public let batchSizeBounds: ClosedRange<Int>
    /// The first batch size, m₀.
    public let initialBatchSize: Int
    /// The factor k.
    public let factor: Double
    /// The number of examples from one multiplication to the next.
    public let interval: Int
    /// The number of examples seen.
    public private(set) var exampleCount = 0

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - factor: The factor k, positive.
    ///   - interval: The number of examples from one multiplication to the next.
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        factor: Double = 2, interval: Int, bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds,
        initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        self.initialBatchSize = try bounds.validated(initialBatchSize: initialBatchSize)
        guard factor > 0, factor.isFinite else { throw .factorNotPositive(factor) }
        guard interval >= 1 else { throw .intervalNotPositive(interval) }
        self.batchSizeBounds = bounds
        self.factor = factor
        self.interval = interval
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            factor: container.decode(Double.self, forKey: .factor),
            interval: container.decode(Int.self, forKey: .interval),
            bounds: container.decode(ClosedRange<Int>.self, forKey: .batchSizeBounds),
            initialBatchSize: container.decode(Int.self, forKey: .initialBatchSize))
        exampleCount = try container.decode(Int.self, forKey: .exampleCount)
        // Beyond, adding a step's could overflow.
        guard (0..<1 << 60).contains(exampleCount) else {
            throw DecodingError.dataCorruptedError(
                forKey: .exampleCount, in: container, debugDescription: "\(exampleCount) examples cannot be drawn")
        }
    }

    /// Nothing: the rule counts examples.
    public var reads: Set<StepQuantity> { [] }

    /// Counts the step's examples and applies the rule.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        exampleCount += statistics.exampleCount
        let raw = Double(initialBatchSize) * factor.raised(to: exampleCount / interval)
        return BatchSizeDecision(nextBatchSize: batchSizeBounds.batchSize(nearestTo: raw), rawBatchSize: raw)
    }
}

extension Double {
    /// The power by repeated squaring: of any number of multiplications a few dozen are made. Beyond the largest number it is infinite.
    fileprivate func raised(to exponent: Int) -> Double {
        var (result, square, rest) = (1.0, self, exponent)
        while rest > 0 {
            if rest & 1 == 1 { result *= square }
            rest >>= 1
            // Not squared once more: infinity times zero would not be a number.
            if rest > 0 { square *= square }
        }
        return result
    }
}
