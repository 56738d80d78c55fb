/// The smallest and largest batch sizes that a rule may choose.
extension ClosedRange<Int> {
    /// The whole number nearest to `raw` (ties to even, as the authors' code of CABS does), clipped to these bounds.
    ///
    /// - Parameter raw: A batch size as a real number, possibly infinite. One that is not a number gives the lower bound.
    public func batchSize(nearestTo raw: Double) -> Int {
        let rounded = raw.rounded(.toNearestOrEven)
        // Compared before the conversion: a raw size may exceed every Int.
        if rounded >= Double(upperBound) { return upperBound }
        return rounded > Double(lowerBound) ? Int(rounded) : lowerBound
    }

    /// The smallest whole number that is not below `raw` but for rounding errors, clipped to these bounds.
    ///
    /// - Parameter raw: A batch size as a real number, possibly infinite. One that is not a number gives the lower bound.
    public func batchSize(atLeast raw: Double) -> Int { batchSize(nearestTo: raw.roundedUpBeyondErrors) }

    /// Checks that these are bounds of batch sizes and that the first batch lies within them.
    ///
    /// - Parameter initialBatchSize: The first batch's size; the lower bound where not given.
    /// - Returns: The first batch's size.
    func validated(initialBatchSize: Int?) throws(BatchSizePolicyError) -> Int {
        guard lowerBound >= 1 else { throw .batchSizeNotPositive(lowerBound) }
        let initialBatchSize = initialBatchSize ?? lowerBound
        guard contains(initialBatchSize) else {
            throw .initialBatchSizeOutOfBounds(initialBatchSize, bounds: self)
        }
        return initialBatchSize
    }
}

/// A batch size that a rule moves between bounds.
public struct BoundedBatchSize: Sendable, Hashable, Codable {
    /// The smallest and largest batch sizes.
    public let bounds: ClosedRange<Int>
    /// The size of a run's first batch.
    public let initial: Int
    /// The size chosen last.
    public private(set) var current: Int

    /// The bounds where none are given.
    public static let usualBounds = 16...2048

    /// Creates a batch size that stands at the first one.
    ///
    /// - Parameters:
    ///   - bounds: The smallest and largest batch sizes.
    ///   - initial: The first batch's size; the smallest one where it is not given.
    /// - Throws: ``BatchSizePolicyError`` for a size out of its range.
    public init(bounds: ClosedRange<Int>, initial: Int? = nil) throws(BatchSizePolicyError) {
        self.bounds = bounds
        self.initial = try bounds.validated(initialBatchSize: initial)
        current = self.initial
    }

    /// Decodes a stored size.
    ///
    /// - Throws: ``BatchSizePolicyError`` where a size lies outside the bounds; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            bounds: container.decode(ClosedRange<Int>.self, forKey: .bounds),
            initial: container.decode(Int.self, forKey: .initial))
        current = try bounds.validated(initialBatchSize: container.decode(Int.self, forKey: .current))
    }

    /// Moves to the smallest whole number that is not below `raw`, within the bounds.
    mutating func move(to raw: Double) { current = bounds.batchSize(atLeast: raw) }
}

extension Double {
    /// How far a product of a few factors may be from what it is meant to be, relative to itself.
    private static let roundingError = 1e-12

    /// The smallest whole number that is not below this one but for rounding errors: 55 for 1.1 · 50, which is 55.00000000000001.
    package var roundedUpBeyondErrors: Double {
        let nearest = rounded()
        return abs(self - nearest) <= Self.roundingError * magnitude ? nearest : rounded(.up)
    }

    /// The largest whole number that is not above this one but for rounding errors: 3 for 0.3 / 0.1, which is 2.9999999999999996.
    package var roundedDownBeyondErrors: Double {
        let nearest = rounded()
        return abs(self - nearest) <= Self.roundingError * magnitude ? nearest : rounded(.down)
    }
}
