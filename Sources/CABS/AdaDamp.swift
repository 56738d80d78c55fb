/// AdaDamp: the batch grows as the loss falls, as if the gradients' variance stood still.
///
/// With F_0 the loss at the beginning, F̄ the running average of the loss, and F* the smallest that can be reached,
///
///     m′ = clip(⌈m_0 (F_0 − F*) / (F̄ − F*)⌉)
///
/// (Sievert and Shah 2021, arXiv 1910.08222, there with the loss of all examples). CABS is α ξ/(F − F*): with α and ξ
/// frozen at their first values, and a first batch of CABS's size, it is this rule, so the two side by side show what measuring the variance is worth.
///
/// F_0 is given, or the mean loss of the first examples, in a run the first tenth of an epoch; until it is known the size stays at the first.
public struct AdaDamp: BatchSizePolicy, Hashable {
    /// The smallest and largest batch sizes.
    public let batchSizeBounds: ClosedRange<Int>
    /// The first batch's size, m_0.
    public let initialBatchSize: Int
    /// F*.
    public let lossFloor: Double
    /// Over how many of the first examples F_0 is averaged, where it is not given.
    public let initialExampleCount: Int
    /// F_0; nothing as long as it is not known.
    public private(set) var initialLoss: Double?
    /// F̄. It begins with the first loss.
    public private(set) var smoothedLoss: ExponentialAverage?
    private let smoothingFactor: Double
    private var seenExampleCount = 0
    private var seenLoss = 0.0

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - initialLoss: F_0, above the floor; averaged where not given.
    ///   - initialExampleCount: Over how many of the first examples.
    ///   - smoothingFactor: The weight μ of the past in the average of the loss, in [0, 1).
    ///   - lossFloor: F*.
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initialBatchSize: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range.
    public init(
        initialLoss: Double? = nil, initialExampleCount: Int, smoothingFactor: Double = 0.95, lossFloor: Double = 0,
        bounds: ClosedRange<Int> = BoundedBatchSize.usualBounds, initialBatchSize: Int? = nil
    ) throws(BatchSizePolicyError) {
        self.initialBatchSize = try bounds.validated(initialBatchSize: initialBatchSize)
        guard (0..<1).contains(smoothingFactor) else { throw .smoothingFactorOutOfRange(smoothingFactor) }
        guard lossFloor.isFinite else { throw .lossFloorNotFinite(lossFloor) }
        guard initialExampleCount >= 1 else { throw .intervalNotPositive(initialExampleCount) }
        if let initialLoss, !(initialLoss > lossFloor && initialLoss.isFinite) {
            throw .initialLossNotAboveFloor(initialLoss, floor: lossFloor)
        }
        batchSizeBounds = bounds
        self.initialLoss = initialLoss
        self.initialExampleCount = initialExampleCount
        self.smoothingFactor = smoothingFactor
        self.lossFloor = lossFloor
    }

    /// Losses alone.
    public var reads: Set<StepQuantity> { [.loss] }

    /// Updates the average and applies the rule.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        let loss = statistics.meanLoss
        if smoothedLoss == nil, loss.isFinite {
            smoothedLoss = ExponentialAverage(initialValue: loss, smoothingFactor: smoothingFactor)
        }
        smoothedLoss?.update(with: loss)
        if initialLoss == nil, loss.isFinite {
            seenLoss += loss * Double(statistics.exampleCount)
            seenExampleCount += statistics.exampleCount
            if seenExampleCount >= initialExampleCount { initialLoss = seenLoss / Double(seenExampleCount) }
        }
        let raw = rawBatchSize
        return BatchSizeDecision(
            nextBatchSize: batchSizeBounds.batchSize(atLeast: raw), rawBatchSize: raw,
            smoothedLoss: smoothedLoss?.value)
    }

    private var rawBatchSize: Double {
        guard let initialLoss, let smoothedLoss else { return Double(initialBatchSize) }
        let (first, left) = (initialLoss - lossFloor, smoothedLoss.value - lossFloor)
        guard first > 0 else { return Double(initialBatchSize) }
        return left > 0 ? Double(initialBatchSize) * first / left : .infinity
    }

    /// Decodes a stored policy, checking its options as the initialiser does.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing or impossible.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            initialExampleCount: container.decode(Int.self, forKey: .initialExampleCount),
            smoothingFactor: container.decode(Double.self, forKey: .smoothingFactor),
            lossFloor: container.decode(Double.self, forKey: .lossFloor),
            bounds: container.decode(ClosedRange<Int>.self, forKey: .batchSizeBounds),
            initialBatchSize: container.decode(Int.self, forKey: .initialBatchSize))
        initialLoss = try container.decodeIfPresent(Double.self, forKey: .initialLoss)
        smoothedLoss = try container.decodeIfPresent(ExponentialAverage.self, forKey: .smoothedLoss)
        seenExampleCount = try container.decode(Int.self, forKey: .seenExampleCount)
        seenLoss = try container.decode(Double.self, forKey: .seenLoss)
        guard (0..<1 << 60).contains(seenExampleCount) else {
            throw DecodingError.dataCorruptedError(
                forKey: .seenExampleCount, in: container, debugDescription: "\(seenExampleCount) examples")
        }
    }
}
