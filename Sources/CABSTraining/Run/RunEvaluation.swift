import CABSNetwork

/// What a network was found to be worth after a step.
public struct RunEvaluation: Sendable, Hashable, Codable {
    /// On the test examples.
    public let test: Evaluation
    /// On the examples held back from training, where there are any.
    public let validation: Evaluation?
    /// The same of the average of the parameters, where one is kept and has begun.
    public let average: Average?

    /// Whether targets are values to be predicted, of which there is no accuracy; nothing in states of versions that had no such data.
    var predictsValues: Bool?

    /// The part of the test examples that are classified correctly; nothing where there are no classes.
    public var testAccuracy: Double? { accuracy(of: test) }
    /// The same of the examples held back from training.
    public var validationAccuracy: Double? { accuracy(of: validation) }
    /// The same of the average of the parameters, on the test examples.
    public var averageTestAccuracy: Double? { accuracy(of: average?.test) }
    /// The same of the average of the parameters, on the examples held back from training.
    public var averageValidationAccuracy: Double? { accuracy(of: average?.validation) }

    private func accuracy(of evaluation: Evaluation?) -> Double? {
        predictsValues == true ? nil : evaluation?.accuracy
    }

    /// All evaluations, with what their examples are called.
    private var all: [(name: String, evaluation: Evaluation)] {
        [
            ("test", test), ("validation", validation), ("test", average?.test), ("validation", average?.validation),
        ].compactMap { name, evaluation in evaluation.map { (name, $0) } }
    }

    /// The loss of the first evaluation in which no example's loss is finite: of that not the examples are the reason. Nothing where there is
    /// none.
    var unsoundLoss: Double? { all.first { !$0.evaluation.meanLoss.isFinite }?.evaluation.meanLoss }

    /// Which examples have losses that are not finite, for people to read.
    var notices: [String] { all.compactMap { $0.evaluation.unsoundNotice($0.name) } }

    /// What the average of the parameters is worth.
    public struct Average: Sendable, Hashable, Codable {
        /// On the test examples.
        public let test: Evaluation
        /// On the examples held back from training, where there are any.
        public let validation: Evaluation?
    }

    /// The numbers by their keys.
    var values: [(key: StepKey, value: Double?)] {
        [
            (.validationLoss, validation?.meanLoss), (.validationAccuracy, validationAccuracy),
            (.testLoss, test.meanLoss), (.testAccuracy, testAccuracy),
            (.averageValidationLoss, average?.validation?.meanLoss),
            (.averageValidationAccuracy, averageValidationAccuracy),
            (.averageTestLoss, average?.test.meanLoss), (.averageTestAccuracy, averageTestAccuracy),
        ]
    }
}

extension Evaluation {
    /// Which examples have losses that are not finite, for people to read; nothing where all are.
    ///
    /// - Parameter kind: What the examples are for.
    public func unsoundNotice(_ kind: String) -> String? {
        guard let first = unsoundExamples.first, unsoundExamples.count < exampleCount else { return nil }
        return unsoundExamples.count == 1
            ? "the loss of \(kind) example \(first) is not finite and is left out of the mean; look at its values"
            : "the losses of \(unsoundExamples.count) of \(exampleCount) \(kind) examples are not finite and are left out of the mean, the first "
                + "that of example \(first); look at their values"
    }
}
