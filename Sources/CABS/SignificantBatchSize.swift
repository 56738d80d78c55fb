/// A batch size that follows what a rule asks for, but only where that can be told from it: beyond so many standard errors.
public struct SignificantBatchSize: Sendable, Hashable, Codable {
    /// The smallest and largest batch sizes.
    public let bounds: ClosedRange<Int>
    /// By how many standard errors what is asked for must differ; with 0 the size always follows.
    public let significance: Double
    /// The size chosen last.
    public private(set) var current: Int

    /// Creates a batch size that stands at the first one, which lies within the bounds.
    ///
    /// - Throws: ``BatchSizePolicyError/significanceNegative(_:)``.
    init(bounds: ClosedRange<Int>, initial: Int, significance: Double) throws(BatchSizePolicyError) {
        guard significance >= 0, significance.isFinite else { throw .significanceNegative(significance) }
        (self.bounds, self.significance, current) = (bounds, significance, initial)
    }

    /// Decodes a stored size.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let bounds = try container.decode(ClosedRange<Int>.self, forKey: .bounds)
        try self.init(
            bounds: bounds,
            initial: bounds.validated(initialBatchSize: container.decode(Int.self, forKey: .current)),
            significance: container.decode(Double.self, forKey: .significance))
    }

    /// This size, where it has those bounds.
    ///
    /// - Throws: ``BatchSizePolicyError/initialBatchSizeOutOfBounds(_:bounds:)``.
    func checked(bounds: ClosedRange<Int>) throws(BatchSizePolicyError) -> SignificantBatchSize {
        guard bounds == self.bounds else { throw .initialBatchSizeOutOfBounds(current, bounds: bounds) }
        return self
    }

    /// Follows what a rule asks for after a step.
    ///
    /// - Parameters:
    ///   - raw: What it asks for, as a real number.
    ///   - standardError: How far that may be off.
    ///   - statistics: What the step measured. After a single example, which says nothing of a variance, the size moves in any case.
    mutating func follow(_ raw: Double, standardError: Double, after statistics: StepStatistics) {
        let isKnown = significance > 0 && statistics.exampleCount > 1
        // An infinite size, of a loss at its floor, has no error to speak of.
        if isKnown, raw.isFinite, abs(raw - Double(current)) <= significance * standardError { return }
        current = bounds.batchSize(nearestTo: statistics.leavingSingleExample(raw))
    }
}
