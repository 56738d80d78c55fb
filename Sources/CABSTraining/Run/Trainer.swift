import CABS
import CABSData
import CABSNetwork
import CABSRanks
import Foundation

/// Trains a model with SGD whose batch size a policy chooses step by step.
///
/// ```swift
/// let trainer = try Trainer(
///     model: model, data: .fashionMNIST(), optimizer: SGD(learningRate: 0.1),
///     batchSize: .cabs(bounds: 16...2048))
/// for try await step in trainer.train(for: .steps(2000)) { print(step.loss, step.batchSize) }
/// print(try await trainer.evaluate().accuracy)
/// ```
public actor Trainer {
    /// The data.
    public nonisolated let data: TrainingData
    /// The model.
    public nonisolated let model: Model
    /// The memory that the network takes, in bytes: parameters, what belongs to them, and what a step works in.
    public nonisolated let networkByteCount: Int
    /// The number of threads that compute.
    public nonisolated let workerCount: Int
    /// The optimiser.
    public nonisolated let optimizer: any Optimizer
    /// The rule that chooses batch sizes, with its state.
    public private(set) var policy: any BatchSizePolicy
    /// How far the run has come.
    public private(set) var progress: TrainingProgress
    /// The largest mean loss with which a step is still made.
    public nonisolated let lossBound: Double
    /// The largest norm of a gradient that is not shortened.
    public nonisolated let gradientBound: Double
    /// What the schedule's learning rate is multiplied by: less than one after the run went back.
    public private(set) var learningRateFactor = 1.0
    /// How the learning rate follows the batch size, if it does.
    public nonisolated let rateScaling: RateScaling?
    /// The average of the parameters that is kept, if one is.
    public nonisolated let average: ParameterAveraging?
    /// How many examples have a part in it so far.
    private var averagedExampleCount = 0
    private let network: any TrainingEngine
    /// The way to the other ranks of the run, where there are several.
    private nonisolated let ranks: Communicator?
    private nonisolated let exchange: GradientExchange
    /// What this rank tells the others with the next step, beside what it knows itself.
    private var notice: @Sendable () -> RankNotice = { RankNotice(seconds: 0, wantsToStop: false) }
    /// What the last step took on this rank.
    private var lastCost: StepCost?
    /// This rank's own time in steps; ``progress`` has the first rank's.
    private var ownSeconds = 0.0
    private var order: ExampleOrder
    private var batchSize: Int
    private var lastBatch: DatasetBatch?
    /// The last steps made, for whoever looks into where a run diverged.
    private(set) var recentSteps: [Divergence.Step] = []
    /// What measures by the authors' approximation, made when it is first asked for.
    private var referenceNetwork: (any TrainingEngine)?

    /// Sets up a run.
    ///
    /// - Parameters:
    ///   - model: The architecture.
    ///   - data: The data.
    ///   - loss: What training makes small.
    ///   - optimizer: The optimiser.
    ///   - policy: The rule that chooses batch sizes.
    ///   - estimator: How the second moment of the gradients is measured.
    ///   - order: How examples follow each other; shuffled by the model's seed where not given.
    ///   - lossBound: The largest mean loss of a batch with which its step is still made.
    ///   - gradientBound: The largest norm that a batch's mean gradient may have; a longer one is shortened to it.
    ///   - rateScaling: How the learning rate follows the batch size, if it does.
    ///   - average: The average of the parameters that is kept, for ``evaluateAll()`` and ``averageParameters()``.
    ///   - workerCount: The number of threads that compute; one for each core where not given.
    ///   - parameters: The parameters to start from, instead of ones drawn from the model's seed.
    ///   - ranks: The way to the other ranks, where several processes make the run together: all set it up alike and make the same calls.
    ///   - exchange: How ranks exchange gradients.
    ///   - engine: What computes the steps.
    /// - Throws: ``TrainingError`` for options that are out of range or do not fit each other, and what setting up the
    ///   network throws.
    public init(
        model: Model, data: TrainingData, loss: Loss = .softmaxCrossEntropy, optimizer: any Optimizer,
        batchSize policy: any BatchSizePolicy, estimator: GradientEstimator = .exact,
        order: ExampleOrder.Kind? = nil, lossBound: Double = .greatestFiniteMagnitude,
        gradientBound: Double = .infinity, rateScaling: RateScaling? = nil, average: ParameterAveraging? = nil,
        workerCount: Int? = nil, parameters: ParameterSet? = nil, ranks: Communicator? = nil,
        exchange: GradientExchange = .automatic, engine: any TrainingEngine.Type = Network.self
    ) throws {
        try optimizer.validate()
        try average?.validate()
        guard gradientBound > 0 else { throw TrainingError.notPositive(option: "gradient bound", value: gradientBound) }
        try model.checkFit(with: data.training, of: data.name)
        guard !data.predictsValues || loss.comparesValues else {
            throw TrainingError.contradiction(
                "the targets of \(data.name) are values, and loss \(loss.rawValue) compares probabilities; use mean-squared-error or huber"
            )
        }
        if policy.needsGradientStatistics, estimator == .unmeasured {
            throw TrainingError.policyNeedsStatistics(policy: "\(type(of: policy))")
        }
        if policy.assumesGradientDescent, !optimizer.update.followsGradient {
            throw TrainingError.policyAssumesGradientDescent(policy: "\(type(of: policy))")
        }
        self.data = data
        self.optimizer = optimizer
        self.lossBound = lossBound
        self.gradientBound = gradientBound
        (self.rateScaling, self.average) = (rateScaling, average)
        self.policy = policy
        self.order = try ExampleOrder(
            order ?? .shuffled(seed: model.seed), exampleCount: data.training.count)
        batchSize = policy.initialBatchSize
        progress = TrainingProgress(examplesPerEpoch: data.training.count)
        let network: any TrainingEngine = try engine.init(
            EngineSetup(
                model, loss: loss, estimator: estimator, update: optimizer.update, averagesParameters: average != nil,
                workerCount: workerCount, parameters: parameters, ranks: ranks, exchange: exchange))
        (self.ranks, self.exchange) = (ranks, exchange)
        self.model = model
        (networkByteCount, self.workerCount) = (network.byteCount, network.workerCount)
        self.network = network
    }

    /// The steps of a run, each made when it is asked for.
    ///
    /// The length counts from the run's beginning. Where it is in examples or epochs it is kept exactly: what is left for the last
    /// steps is shared out among them, no batch larger than the policy chose. Where less than half of that is left for the last
    /// step, its learning rate is smaller in proportion.
    public nonisolated func train(for length: TrainingLength) -> TrainingSteps {
        TrainingSteps(trainer: self, length: length)
    }

    /// Makes one step.
    ///
    /// - Parameter examplesLeft: How many examples are left before the run's end; the last batches are then as
    ///   ``train(for:)`` says.
    /// - Throws: ``TrainingError/diverged(_:)`` where loss or gradients are not finite or the loss is above its bound; the
    ///   parameters are then as they were. ``TrainingError/invalidOption(option:value:allowed:)`` where the policy chose a size that
    ///   cannot be, and `EngineError/emptyBatch` where no example is left.
    public func step(examplesLeft: Int = .max) throws -> TrainingStep {
        guard examplesLeft >= 1 else { throw EngineError.emptyBatch }
        try BatchSizeRule.requirePossible(batchSize, "batch size")
        let start = ContinuousClock.now
        let allotment = BatchAllotment(wanted: batchSize, of: examplesLeft)
        let stage = TrainingStage(progress: progress, learningRateFactor: learningRateFactor)
        let scheduledRate = stage.learningRate(of: optimizer)
        let scale = rateScaling?.factor(batchSize: batchSize, first: policy.initialBatchSize) ?? 1
        let learningRate = scheduledRate * allotment.learningRateFactor * scale
        let before = progress
        let batch = DatasetBatch(
            data.training, indices: order.next(allotment.exampleCount), firstDraw: UInt64(before.exampleCount))
        let (notice, secondsBefore, lastCost) = (notice, ownSeconds, lastCost)
        let report = try network.step(
            on: batch,
            UpdateStep(
                learningRate: learningRate, weightDecay: optimizer.weightDecay, lossBound: lossBound,
                gradientBound: gradientBound, updateCount: before.stepCount)
        ) {
            var notice = notice()
            notice.trainingSeconds = secondsBefore + (ContinuousClock.now - start) / .seconds(1)
            notice.cost = lastCost
            return notice.numbers
        }
        let together = RankNotice(together: report.told)
        guard report.isSound else {
            throw TrainingError.diverged(
                Divergence(
                    step: before.stepCount, loss: report.statistics.meanLoss,
                    parameter: report.firstUnsoundParameter, learningRate: learningRate, batchSize: batch.count,
                    examples: batch.indices, batch: try takeApart(batch, report), recentSteps: recentSteps))
        }
        recentSteps.append(Divergence.Step(before.stepCount, report, learningRate: learningRate))
        recentSteps.removeFirst(max(0, recentSteps.count - Divergence.recentStepCount))
        // The rate that later steps have: a run that goes on must not find a batch size that belongs to a smaller one.
        let effectiveRate = optimizer.effectiveLearningRate(scheduledRate)
        let cost = StepCost(report.phaseSeconds, exampleCount: batch.count)
        self.lastCost = cost
        // Of several ranks all must observe the same: the step before's, of which all have heard.
        if let known = together == nil ? cost : together?.cost { policy.observe(known) }
        let decision = policy.observe(report.statistics, learningRate: effectiveRate)
        batchSize = decision.nextBatchSize
        progress.stepCount += 1
        progress.exampleCount += batch.count
        lastBatch = batch
        addToAverage(batch.count)
        ownSeconds += (ContinuousClock.now - start) / .seconds(1)
        // Lengths and schedules in seconds go by one clock on all ranks.
        progress.seconds = together?.trainingSeconds ?? ownSeconds
        return TrainingStep(
            index: before.stepCount, learningRate: learningRate, effectiveLearningRate: effectiveRate, report: report,
            decision: decision, progress: progress, notice: together, predictsValues: data.predictsValues)
    }

    /// What there is to tell of a batch whose step was not made. That it was not is what counts, so what goes wrong here is passed over, but
    /// for the communication of several ranks, which must stay together.
    private func takeApart(_ batch: DatasetBatch, _ report: StepReport) throws -> Divergence.Batch? {
        do {
            return try Divergence.Batch(batch, report, in: data, of: network)
        } catch  where ranks == nil {
            return nil
        }
    }

    /// Takes the parameters after a step on so many examples into their average.
    private func addToAverage(_ stepExamples: Int) {
        guard let average, average.includes(progress) else { return }
        averagedExampleCount += stepExamples
        network.addToAverage(
            weight: average.weight(stepExamples: stepExamples, exampleCount: averagedExampleCount))
    }

    /// Makes one step unless the length is reached.
    func step(within length: TrainingLength) throws -> TrainingStep? {
        try length.validate()
        if length.isCompleted(by: progress) { return nil }
        return try step(examplesLeft: length.examplesLeft(after: progress) ?? .max)
    }

    /// Computes the loss and accuracy on the test part of the data.
    ///
    /// - Throws: What `Network/evaluate(_:)` throws.
    public func evaluate() throws -> Evaluation {
        try network.evaluate(DatasetBatch(all: data.test))
    }

    /// Computes the loss and accuracy on some examples as they are drawn, without dropout.
    ///
    /// - Throws: What `Network/evaluate(_:)` throws.
    func evaluate(_ batch: DatasetBatch) throws -> Evaluation {
        try network.evaluate(batch)
    }

    /// Computes the loss and accuracy on the test part and the examples held back from training, of the parameters and of their average.
    ///
    /// - Throws: What `Network/evaluate(_:)` throws.
    public func evaluateAll() throws -> RunEvaluation {
        let average: RunEvaluation.Average? =
            averagedExampleCount == 0
            ? nil
            : try RunEvaluation.Average(
                test: network.evaluateAverage(DatasetBatch(all: data.test)),
                validation: data.validation.map { try network.evaluateAverage(DatasetBatch(all: $0)) })
        return try RunEvaluation(
            test: evaluate(), validation: data.validation.map { try network.evaluate(DatasetBatch(all: $0)) },
            average: average, predictsValues: data.predictsValues)
    }

    /// Measures the last step's batch once more, at the parameters as they are now: exactly, and as the authors' code approximates
    /// it.
    ///
    /// - Returns: Nothing before the first step.
    /// - Throws: What setting up a second network throws.
    public func compareEstimators() throws -> EstimatorComparison? {
        guard let lastBatch else { return nil }
        let reference =
            try referenceNetwork
            ?? type(of: network).init(
                EngineSetup(
                    network.model, loss: network.loss, estimator: .reference, workerCount: network.workerCount,
                    ranks: ranks, exchange: exchange))
        referenceNetwork = reference
        try reference.load(network.parameters())
        return EstimatorComparison(
            stepCount: progress.stepCount, exact: try network.gradient(of: lastBatch).report,
            reference: try reference.gradient(of: lastBatch).report)
    }

    /// The state beside the parameters, to be stored.
    func state() throws -> TrainerState {
        TrainerState(
            progress: progress, order: order, policy: try policy.stored(), batchSize: batchSize,
            learningRateFactor: learningRateFactor, averagedExampleCount: averagedExampleCount)
    }

    /// Goes back, or forth, to a stored state.
    ///
    /// - Throws: Where the state or the parameters are not of such a run.
    func restore(_ state: TrainerState, _ tensors: CheckpointTensors) throws {
        try state.check(fits: order)
        policy = try policy.restored(from: state.policy)
        try network.load(tensors.parameters)
        try network.loadOptimizerState(tensors.optimizer)
        averagedExampleCount = state.averagedExampleCount ?? 0
        try network.loadAverage(averagedExampleCount > 0 ? tensors.average : nil)
        progress = state.progress
        ownSeconds = progress.seconds
        order = state.order
        batchSize = state.batchSize
        learningRateFactor = state.learningRateFactor
        lastBatch = nil
        recentSteps = []
    }

    /// Sets what is told to the other ranks with the next step.
    func tell(_ notice: @escaping @Sendable () -> RankNotice) { self.notice = notice }

    /// Goes on after going back: the time that was spent is spent, and the learning rate is halved so many times.
    func goOn(afterSeconds seconds: Double, halvingLearningRate count: Int) {
        (progress.seconds, ownSeconds) = (seconds, seconds)
        for _ in 0..<count { learningRateFactor /= 2 }
    }

    /// The tensors that a checkpoint holds.
    func tensors() throws -> CheckpointTensors {
        CheckpointTensors(
            parameters: try network.parameters(), optimizer: try network.optimizerState(),
            average: try averageParameters())
    }

    /// The average of the parameters; nothing where none is kept, or it has not begun.
    ///
    /// - Throws: What `Network/average()` throws.
    public func averageParameters() throws -> ParameterSet? {
        averagedExampleCount > 0 ? try network.average() : nil
    }

    /// The parameters as they are now.
    ///
    /// - Throws: What `Network/parameters()` throws.
    public func parameters() throws -> ParameterSet {
        try network.parameters()
    }
}

extension Model {
    /// Checks that a model takes the data's examples and gives as many values as their targets have.
    ///
    /// - Throws: ``TrainingError/modelDoesNotFitData(model:data:)``.
    func checkFit(with examples: any Dataset, of name: String) throws(TrainingError) {
        guard inputShape == examples.inputShape, outputCount == examples.target.count else {
            throw .modelDoesNotFitData(
                model: "from \(inputShape.withArticle) to \(outputCount) outputs",
                data: "\(name): from \(examples.inputShape.withArticle) to \(examples.target)")
        }
    }
}
