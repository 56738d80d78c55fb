import CABS
import CABSData
import CABSNetwork
import Foundation

/// Where continuations branch off: a run's state, and what it was trained by.
public struct BranchPoint: Sendable {
    /// The model.
    public let model: Model
    /// Its name.
    public let modelName: String
    /// The data.
    public let data: TrainingData
    /// How far the run had come.
    public let progress: TrainingProgress
    /// The size that its next batch was to have.
    public let batchSize: Int
    /// The learning rate that its next step was to have.
    public let learningRate: Double
    /// What of ``learningRate`` followed the batch size, which rules do not read: 1 where nothing did.
    var rateFactor = 1.0
    /// The options of rules that the run had, but for their smoothing: where they come to rest does not depend on it.
    var ruleOptions = TrainingOptions()
    /// The mean loss of the first tenth of the run's first epoch, where that is on record.
    var initialLoss: Double?
    let loss: Loss
    let optimizer: OptimizerName
    let weightDecay: Double
    let lossBound: Double
    let gradientBound: Double
    let tensors: CheckpointTensors
    let workerCount: Int?

    /// What a continuation came to.
    struct End {
        let stepCount: Int
        /// On the examples evaluated.
        let evaluation: Evaluation
        let test: Evaluation
    }

    /// Goes on from here by batches of one size, and evaluates what comes of it.
    ///
    /// - Parameters:
    ///   - batchSize: The size of all batches but the last: what is left for the last ones is shared out among them.
    ///   - learningRate: The learning rate of all steps.
    ///   - order: How examples follow each other.
    ///   - exampleCount: The number of examples to go.
    ///   - evaluated: The training examples to evaluate on, without dropout.
    ///   - onStep: Told of each step: the part that is done; whether to stop is what it says.
    /// - Returns: Nothing where the continuation diverged.
    /// - Throws: `CancellationError` where it stopped as it was asked to, and what training throws but for divergence.
    func end(
        batchSize: Int, learningRate: Double, order: ExampleOrder.Kind, exampleCount: Int, evaluated: DatasetBatch,
        onStep: (Double) -> Bool = { _ in false }
    ) async throws -> End? {
        let policy = try ConstantBatchSize(batchSize)
        let trainer = try Trainer(
            model: model, data: data, loss: loss,
            optimizer: optimizer.optimizer(.constant(learningRate), weightDecay: weightDecay), batchSize: policy,
            order: order, lossBound: lossBound, gradientBound: gradientBound, workerCount: workerCount)
        // The counts go on, which Adam and random changes go by; the order is another.
        let state = TrainerState(
            progress: progress,
            order: try ExampleOrder(order, exampleCount: data.training.count, drawnCount: progress.exampleCount),
            policy: try policy.stored(), batchSize: batchSize, learningRateFactor: 1, averagedExampleCount: nil)
        try await trainer.restore(state, tensors)
        do {
            for try await step in trainer.train(for: .examples(progress.exampleCount + exampleCount)) {
                let part = Double(step.progress.exampleCount - progress.exampleCount) / Double(exampleCount)
                if onStep(part) { throw CancellationError() }
            }
        } catch TrainingError.diverged {
            return nil
        }
        let evaluation = try await trainer.evaluate(evaluated)
        guard evaluation.meanLoss.isFinite else { return nil }
        let test = try await trainer.evaluate()
        return End(
            stepCount: await trainer.progress.stepCount - progress.stepCount, evaluation: evaluation, test: test)
    }
}

extension BranchPoint {
    /// Reads a run's newest checkpoint, or another one, and loads its data.
    ///
    /// - Parameters:
    ///   - url: The run's folder, or a checkpoint in one.
    ///   - given: Options in place of the run's: its data's folder, the number of workers.
    ///   - onDamage: Told of each damaged checkpoint that is passed over.
    /// - Throws: ``TrainingError`` where there is no checkpoint, and what loading the data throws.
    public init(
        at url: URL, with given: TrainingOptions = TrainingOptions(), onDamage: (TrainingError) -> Void = { _ in }
    ) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw TrainingError.unreadable(path: url.relativePath, reason: "there is no such file or folder")
        }
        guard let directory = url.isFolder ? RunDirectory(existing: url) : RunDirectory(holding: url) else {
            throw TrainingError.unreadable(path: url.relativePath, reason: "it is no checkpoint in a run's folder")
        }
        var stored = try TrainingOptions(contentsOf: directory.configurationFile)
        // Of the machine that trained, not of this one.
        stored.workers = nil
        let checkpoint =
            try url.isFolder ? directory.checkpoints.newest(onDamage: onDamage) : Checkpoint(contentsOf: url)
        try self.init(TrainingConfiguration(stored.overridden(by: given).options), checkpoint)
        initialLoss =
            initialLoss
            ?? EarlyLoss.mean(
                in: directory.metricsFile,
                exampleCount: BatchSizeRule.initialExampleCount(examplesPerEpoch: data.training.count))
    }

    private init(_ configuration: TrainingConfiguration, _ checkpoint: Checkpoint) throws {
        let (options, stage) = (configuration.options, checkpoint.state.trainer.stage)
        let data = try configuration.loadData()
        try checkpoint.state.data.check(data)
        let batchSize = checkpoint.state.trainer.batchSize
        let first = try configuration.rule.makePolicy(options, for: data).initialBatchSize
        let factor = options.scaleRate?.factor(batchSize: batchSize, first: first) ?? 1
        self.init(
            model: try configuration.makeModel(for: data), modelName: configuration.model.name, data: data,
            progress: stage.progress,
            batchSize: batchSize,
            learningRate: stage.learningRate(of: configuration.optimizer) * factor, loss: options.loss!,
            optimizer: try OptimizerName(options.optimizer!), weightDecay: options.weightDecay!,
            lossBound: options.lossBound!, gradientBound: options.gradientBound ?? .infinity,
            tensors: checkpoint.tensors, workerCount: options.workers)
        rateFactor = factor
        ruleOptions.initialBatchSize = first
        (ruleOptions.factor, ruleOptions.epsilon) = (options.factor, options.epsilon)
        ruleOptions.lossFloor = options.lossFloor
        if case .adaDamp(let loss?) = configuration.rule { initialLoss = loss }
    }
}
