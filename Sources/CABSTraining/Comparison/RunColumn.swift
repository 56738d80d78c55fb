/// A number of a run, as every table has it: the file of results, the page and the terminal.
///
/// A new one is a line in ``all``; the page and the terminal name those that they show.
public struct RunColumn: Sendable {
    /// Its name in `results.csv`.
    public let key: String
    /// What it is called for people.
    public let heading: String
    /// How many digits are read of it on a page.
    public let digits: Int
    /// Which value of several is the best, where one is.
    public let best: Best?
    /// Whether it counts something, and is written as a whole number.
    public let isCount: Bool
    /// The number; nothing where a run has none.
    public let value: @Sendable (RunSummary) -> Double?

    /// The end of a column's values that is the better one.
    public enum Best: Sendable, Hashable { case smallest, largest }

    init(
        _ key: String, _ heading: String, digits: Int = 4, best: Best? = nil, isCount: Bool = false,
        _ value: @escaping @Sendable (RunSummary) -> Double?
    ) {
        (self.key, self.heading, self.digits, self.best) = (key, heading, digits, best)
        (self.isCount, self.value) = (isCount, value)
    }

    /// As `results.csv` has it: to the last bit.
    func text(_ summary: RunSummary) -> String {
        value(summary).map { isCount ? "\(Int($0))" : "\($0)" } ?? ""
    }
}

extension RunColumn {
    /// The number of updates.
    public static let steps = RunColumn("steps", "steps", isCount: true) { Double($0.steps) }
    /// The number of examples drawn.
    public static let examples = RunColumn("examples", "examples", isCount: true) { Double($0.examples) }
    /// The mean size of the batches.
    public static let meanBatchSize = RunColumn("mean_batch_size", "mean batch size", digits: 3) { $0.meanBatchSize }
    /// The size that the rule wanted next.
    public static let nextBatchSize = RunColumn("next_batch_size", "next batch size", isCount: true) {
        $0.nextBatchSize.map(Double.init)
    }
    /// The mean training loss over the last tenth.
    public static let trainingLoss = RunColumn("training_loss", "training loss", best: .smallest) { $0.trainingLoss }
    /// The loss on the examples held back.
    public static let validationLoss = RunColumn("validation_loss", "validation loss", best: .smallest) {
        $0.validationLoss
    }
    /// The accuracy on the examples held back.
    public static let validationAccuracy = RunColumn("validation_accuracy", "validation accuracy", best: .largest) {
        $0.validationAccuracy
    }
    /// The loss on the test examples.
    public static let testLoss = RunColumn("test_loss", "test loss", best: .smallest) { $0.testLoss }
    /// The accuracy on the test examples.
    public static let testAccuracy = RunColumn("test_accuracy", "test accuracy", best: .largest) { $0.testAccuracy }
    /// The test loss of the average of the parameters.
    public static let averageTestLoss = RunColumn("average_test_loss", "test loss of the average", best: .smallest) {
        $0.averageTestLoss
    }
    /// The test accuracy of the average of the parameters.
    public static let averageTestAccuracy = RunColumn(
        "average_test_accuracy", "accuracy of the average", best: .largest
    ) { $0.averageTestAccuracy }
    /// How often the run went back.
    public static let rewinds = RunColumn("rewinds", "rewinds", isCount: true) { $0.rewinds.map(Double.init) }
    /// The learning rate of the last update.
    public static let finalLearningRate = RunColumn("final_learning_rate", "final learning rate", digits: 6) {
        $0.finalLearningRate
    }
    /// The time spent in steps.
    public static let trainingSeconds = RunColumn("training_seconds", "seconds", digits: 3, best: .smallest) {
        $0.trainingSeconds
    }

    /// In the order of `results.csv`. All but the last follow from the options and the number of workers alone.
    public static let all = [
        steps, examples, meanBatchSize, nextBatchSize, trainingLoss, validationLoss, validationAccuracy, testLoss,
        testAccuracy, averageTestLoss, averageTestAccuracy, rewinds, finalLearningRate, trainingSeconds,
    ]
}

extension RunSummary {
    /// The mean size of its batches; nothing where it made no step.
    public var meanBatchSize: Double? { steps > 0 ? Double(examples) / Double(steps) : nil }
}
