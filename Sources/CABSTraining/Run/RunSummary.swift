/// What a run came to.
public struct RunSummary: Sendable, Hashable, Codable {
    /// How a run ended.
    public enum Status: String, Sendable, Hashable, Codable {
        /// It came to its full length.
        case finished
        /// The loss or a gradient was no longer finite, or the loss above its bound: `divergence.json` says which.
        case diverged
    }

    /// How it ended.
    public let status: Status
    /// The data set's name.
    public let dataset: String
    /// The model's name.
    public let model: String
    /// The number of updates made.
    public let steps: Int
    /// The number of examples drawn.
    public let examples: Int
    /// The number of times that the training examples were drawn.
    public let epochs: Double
    /// The time from the first step to the last, evaluations between them included.
    public let seconds: Double
    /// The time spent in steps.
    public let trainingSeconds: Double
    /// Examples drawn in a second of training, evaluations not counted.
    public let examplesPerSecond: Double
    /// The size of the first batch; nothing in runs of versions that did not note it.
    public let firstBatchSize: Int?
    /// The size that the rule wanted for the batch that would have come next.
    public let nextBatchSize: Int?
    /// The loss of the first batch, before the first update.
    public let firstLoss: Double?
    /// The mean loss of the training examples drawn in the last tenth of the run, each before the update that it had a part in.
    public let trainingLoss: Double?
    /// The mean loss on the examples held back from training.
    public let validationLoss: Double?
    /// The part of the examples held back from training that are classified correctly.
    public let validationAccuracy: Double?
    /// The mean loss on the test examples.
    public let testLoss: Double?
    /// The part of the test examples that are classified correctly.
    public let testAccuracy: Double?
    /// The mean loss of the average of the parameters on the examples held back from training.
    public let averageValidationLoss: Double?
    /// The part of the examples held back from training that the average of the parameters classifies correctly.
    public let averageValidationAccuracy: Double?
    /// The mean loss of the average of the parameters on the test examples, where one was kept.
    public let averageTestLoss: Double?
    /// The part of the test examples that the average of the parameters classifies correctly.
    public let averageTestAccuracy: Double?
    /// How many times the run went back to a checkpoint, each time to half the learning rate; nothing in runs of versions that did not
    /// note it.
    public let rewinds: Int?
    /// The learning rate of the last update.
    public let finalLearningRate: Double?
}

extension RunSummary {
    /// Whether the run came to its length at a smaller learning rate than it was given, since it diverged at that.
    public var wasRewound: Bool { status == .finished && (rewinds ?? 0) > 0 }

    /// How far the run had come at its end.
    var stage: TrainingStage {
        TrainingStage(
            progress: TrainingProgress(
                stepCount: steps, exampleCount: examples, seconds: trainingSeconds,
                examplesPerEpoch: epochs > 0 ? max(1, Int((Double(examples) / epochs).rounded())) : 1),
            learningRateFactor: 1 / Double(1 << min(rewinds ?? 0, 60)))
    }

    /// Whether the run came to its length at the learning rate that it was given.
    public var finishedAsGiven: Bool { status == .finished && !wasRewound }
}
