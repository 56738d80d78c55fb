import CABSExamples

/// Examples to evaluate a network on.
public struct EvaluationData: Sendable {
    /// The data set's name.
    public let name: String
    /// The examples.
    public let examples: any Dataset
    /// Which of the data's examples they are.
    public let part: Part
    /// Where they come from, such as the path of a folder.
    public let source: String?
    /// What a network must be given; nothing where that is not known.
    public let input: InputDescription?
    /// What there is to say of the files, for people to read.
    public let notices: [String]

    /// Which examples of some data are evaluated.
    public enum Part: Sendable, Hashable {
        /// All: nothing is set aside for testing.
        case all
        /// Those for testing; of how many in all, where all were read.
        case test(of: Int?)
    }

    /// Whether targets are values to be predicted, and not classes.
    public var predictsValues: Bool { input?.predictsValues ?? false }

    /// What a class is called.
    public func className(_ label: Int) -> String { input?.className(label) ?? "\(label)" }

}

extension EvaluationData: CustomStringConvertible {
    /// Which examples of how many these are: `the 21 test examples of folder (150 examples in all)`.
    public var description: String {
        let count = examples.count
        func words(_ kind: String) -> String { "\(count) \(kind)example\(count == 1 ? "" : "s") of \(name)" }
        return switch part {
        case .all: count == 1 ? "the only example of \(name)" : "all \(words(""))"
        case .test(let all): "the \(words("test "))" + (all.map { " (\($0) examples in all)" } ?? "")
        }
    }
}

extension TrainingData {
    /// The test part, to evaluate a network on.
    public var evaluation: EvaluationData {
        EvaluationData(
            name: name, examples: test, part: .test(of: training.count + (validation?.count ?? 0) + test.count),
            source: source, input: input, notices: notices)
    }
}
