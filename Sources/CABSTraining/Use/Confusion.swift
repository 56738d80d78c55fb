import CABSData
import CABSNetwork
import Foundation

/// What a network takes for what: how often each class of the test examples was taken for which, and the worst mistakes.
public struct Confusion: Sendable, Hashable, Codable {
    /// What the classes are called.
    public let classNames: [String]
    /// By class, and by the class that it was taken for: the number of examples.
    public let counts: [[Int]]
    /// The mistakes with the largest losses, the largest first.
    public let mistakes: [Mistake]

    /// An example that was taken for another class.
    public struct Mistake: Sendable, Hashable, Codable {
        /// The example's place among the test examples.
        public let example: Int
        /// Its class.
        public let actual: Int
        /// What it was taken for.
        public let predicted: Int
        /// The probability that this had.
        public let probability: Double
        /// The example's loss.
        public let loss: Double
        /// The example as a PNG file, where it is a picture.
        public let picture: Data?
    }

    /// How many mistakes are kept.
    static let mistakeCount = 20

    private enum CodingKeys: String, CodingKey {
        case classNames = "classes"
        case counts, mistakes
    }

    /// Evaluates a network.
    ///
    /// - Throws: ``TrainingError/contradiction(_:)`` where there are no classes, and what the network throws.
    public init(of network: any TrainingEngine, on data: EvaluationData) throws {
        let classCount = data.examples.target.count
        guard !data.predictsValues, let labels = try data.examples.classes(of: 0..<data.examples.count) else {
            throw TrainingError.contradiction("\(data.name) has no classes that could be taken for each other")
        }
        classNames = (0..<classCount).map(data.className)
        let (outputs, losses) = try network.outputs(for: DatasetBatch(all: data.examples))
        var counts = [[Int]](repeating: [Int](repeating: 0, count: classCount), count: classCount)
        var wrong: [(example: Int, actual: Int, predicted: Int)] = []
        func output(of example: Int) -> ArraySlice<Float> {
            outputs[(example * classCount)..<((example + 1) * classCount)]
        }
        for (example, actual) in labels.enumerated() {
            let predicted = output(of: example).indexOfLargest
            counts[actual][predicted] += 1
            if actual != predicted { wrong.append((example, actual, predicted)) }
        }
        self.counts = counts
        mistakes = wrong.sorted { losses[$0.example] > losses[$1.example] }.prefix(Self.mistakeCount).map { found in
            Mistake(
                example: found.example, actual: found.actual, predicted: found.predicted,
                probability: network.loss.scoreFunction(output(of: found.example))[found.predicted],
                loss: losses[found.example], picture: data.examples.picture(at: found.example)?.png)
        }
    }

    /// Reads what was written, and checks that it is one table.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        classNames = try container.decode([String].self, forKey: .classNames)
        counts = try container.decode([[Int]].self, forKey: .counts)
        mistakes = try container.decode([Mistake].self, forKey: .mistakes)
        let labels = classNames.indices
        guard !classNames.isEmpty, counts.count == classNames.count,
            counts.allSatisfy({ $0.count == classNames.count && $0.allSatisfy((0...1 << 32).contains) }),
            mistakes.allSatisfy({ labels.contains($0.actual) && labels.contains($0.predicted) })
        else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "the counts are not those of the classes"))
        }
    }

    /// The part of a class's examples that are taken for what they are; nothing where there are none.
    public func accuracy(of label: Int) -> Double? {
        let total = counts[label].reduce(0, +)
        return total == 0 ? nil : Double(counts[label][label]) / Double(total)
    }

    /// The pairs of classes that are taken for each other most often, the most frequent first.
    public func mostFrequent(_ count: Int) -> [(actual: Int, predicted: Int, count: Int)] {
        var pairs: [(actual: Int, predicted: Int, count: Int)] = []
        for actual in counts.indices {
            for predicted in counts.indices where predicted != actual && counts[actual][predicted] > 0 {
                pairs.append((actual, predicted, counts[actual][predicted]))
            }
        }
        return Array(pairs.sorted { $0.count > $1.count }.prefix(count))
    }
}
