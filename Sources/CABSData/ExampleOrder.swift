import CABSExamples

/// The order in which a run draws its examples. Any batch size may cross an epoch's end.
///
/// A value: it can be stored and goes on where it stood.
public struct ExampleOrder: Sendable, Hashable, Codable {
    /// How examples follow each other.
    public enum Kind: Sendable, Hashable, Codable {
        /// Every example once in each epoch, in an order that the seed and the epoch set.
        case shuffled(seed: UInt64)
        /// As they stand in the data set, from a first one on and from the beginning again after the last.
        case sequential(firstExample: Int)
    }

    /// How examples follow each other.
    public let kind: Kind
    /// The number of examples in the data set.
    public let exampleCount: Int
    /// The number of examples drawn so far.
    public private(set) var drawnCount: Int
    /// The current epoch's order; made anew when it is needed, so it is not stored.
    private var permutation: (epoch: Int, indices: [Int])?

    /// Creates the order.
    ///
    /// - Parameters:
    ///   - kind: How examples follow each other.
    ///   - exampleCount: The number of examples in the data set.
    ///   - drawnCount: The number of examples drawn so far.
    /// - Throws: ``DatasetError`` where there are no examples, or not the first one asked for.
    public init(_ kind: Kind, exampleCount: Int, drawnCount: Int = 0) throws(DatasetError) {
        guard drawnCount >= 0 else { throw .exampleOutOfRange(drawnCount, count: exampleCount) }
        guard exampleCount > 0 else { throw .noExamples("the data set") }
        if case .sequential(let first) = kind, !(0..<exampleCount).contains(first) {
            throw .exampleOutOfRange(first, count: exampleCount)
        }
        self.kind = kind
        self.exampleCount = exampleCount
        self.drawnCount = drawnCount
    }

    /// The number of times that the whole data set has been drawn.
    public var epochs: Double { Double(drawnCount) / Double(exampleCount) }

    /// Draws the next examples.
    public mutating func next(_ count: Int) -> [Int] {
        (0..<count).map { _ in nextIndex() }
    }

    private mutating func nextIndex() -> Int {
        let (epoch, position) = drawnCount.quotientAndRemainder(dividingBy: exampleCount)
        drawnCount += 1
        switch kind {
        case .sequential(let first):
            return (first + position) % exampleCount
        case .shuffled(let seed):
            if permutation?.epoch != epoch {
                permutation = (epoch, Self.permutation(of: exampleCount, seed: seed, epoch: epoch))
            }
            return permutation!.indices[position]
        }
    }

    /// Fisher and Yates's shuffle.
    private static func permutation(of count: Int, seed: UInt64, epoch: Int) -> [Int] {
        var random = RandomStream(seed: seed, purpose: .shuffling, index: UInt64(epoch))
        var indices = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) {
            indices.swapAt(last, random.nextInteger(below: last + 1))
        }
        return indices
    }

    private enum CodingKeys: String, CodingKey { case kind, exampleCount, drawnCount }

    /// Decodes a stored order.
    ///
    /// - Throws: ``DatasetError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            container.decode(Kind.self, forKey: .kind), exampleCount: container.decode(Int.self, forKey: .exampleCount),
            drawnCount: container.decode(Int.self, forKey: .drawnCount))
    }

    /// Orders are equal where they go on alike.
    public static func == (a: ExampleOrder, b: ExampleOrder) -> Bool {
        a.kind == b.kind && a.exampleCount == b.exampleCount && a.drawnCount == b.drawnCount
    }

    /// Hashes what ``==(_:_:)`` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind)
        hasher.combine(exampleCount)
        hasher.combine(drawnCount)
    }
}
