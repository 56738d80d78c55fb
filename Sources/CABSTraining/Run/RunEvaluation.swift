import CABSNetwork

/// What a network was found to be worth after a step.
public struct RunEvaluation: Sendable, Hashable, Codable {
    /// On the test examples.
    public let test: Evaluation
    /// On the examples held back from training, where there are any.
    public let validation: Evaluation?
    /// The same of the average of the parameters, where one is kept and has begun.
    public let average: Average?

    /// What the average of the parameters is worth.
    public struct Average: Sendable, Hashable, Codable {
        /// On the test examples.
        public let test: Evaluation
        /// On the examples held back from training, where there are any.
        public let validation: Evaluation?
    }

    /// The numbers by the names that they have in files.
    var values: [(name: String, value: Double?)] {
        [
            ("validation_loss", validation?.meanLoss), ("validation_accuracy", validation?.accuracy),
            ("test_loss", test.meanLoss), ("test_accuracy", test.accuracy),
            ("average_validation_loss", average?.validation?.meanLoss),
            ("average_validation_accuracy", average?.validation?.accuracy),
            ("average_test_loss", average?.test.meanLoss), ("average_test_accuracy", average?.test.accuracy),
        ]
    }
}
