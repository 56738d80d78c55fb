import CABSNetwork

/// What a run has come to so far.
struct RunRecord: Codable {
    /// How far it has come.
    private(set) var progress: TrainingProgress
    /// The last step's learning rate and batch size, and the size that was to come next.
    private(set) var learningRate = 0.0
    private(set) var batchSize = 0
    private var nextBatchSize: Int?
    /// The first step's loss and batch size.
    private var firstLoss: Double?
    private var firstBatchSize: Int?
    /// The evaluation that followed the last step, if one did.
    var evaluation: RunEvaluation?
    /// How many times the run has gone back.
    var rewindCount = 0
    /// The time since the run began, evaluations included, pauses between processes not.
    var seconds = 0.0

    init(examplesPerEpoch: Int) {
        progress = TrainingProgress(examplesPerEpoch: examplesPerEpoch)
    }

    /// Takes a step in.
    mutating func add(_ step: TrainingStep) {
        if step.index == 0 { (firstLoss, firstBatchSize) = (step.loss, step.batchSize) }
        progress = step.progress
        learningRate = step.learningRate
        batchSize = step.batchSize
        nextBatchSize = step.decision.nextBatchSize
        evaluation = nil
    }

    func summary(
        _ status: RunSummary.Status, _ configuration: TrainingConfiguration, trainingLoss: Double?
    ) -> RunSummary {
        RunSummary(
            status: status, dataset: configuration.dataset.rawValue, model: configuration.model.name,
            steps: progress.stepCount, examples: progress.exampleCount, epochs: progress.epochs, seconds: seconds,
            trainingSeconds: progress.seconds,
            examplesPerSecond: Double(progress.exampleCount) / max(progress.seconds, 1e-9),
            firstBatchSize: firstBatchSize, nextBatchSize: nextBatchSize, firstLoss: firstLoss,
            trainingLoss: trainingLoss, validationLoss: evaluation?.validation?.meanLoss,
            validationAccuracy: evaluation?.validationAccuracy, testLoss: evaluation?.test.meanLoss,
            testAccuracy: evaluation?.testAccuracy,
            averageValidationLoss: evaluation?.average?.validation?.meanLoss,
            averageValidationAccuracy: evaluation?.averageValidationAccuracy,
            averageTestLoss: evaluation?.average?.test.meanLoss,
            averageTestAccuracy: evaluation?.averageTestAccuracy, rewinds: rewindCount,
            finalLearningRate: progress.stepCount > 0 ? learningRate : nil)
    }
}
