import CABSData
import CABSNetwork
import Foundation

/// A run from its configuration to its folder: training, evaluations, checkpoints, and everything written on the way.
public struct TrainingRun: Sendable {
    /// The run's configuration.
    public let configuration: TrainingConfiguration
    /// The trainer.
    public let trainer: Trainer
    /// The run's folder.
    public let directory: RunDirectory
    private let traceFile: URL?
    private let lock: RunLock
    /// Where the run goes on from; its beginning where there is none.
    private let start: RunState?

    /// What a run tells while it goes on.
    public enum Event: Sendable {
        /// A step was made.
        case step(TrainingStep, secondsOfTraining: Double)
        /// The network was evaluated on the test examples.
        case evaluation(Evaluation, after: TrainingProgress)
        /// A checkpoint was written, after so many steps.
        case checkpoint(stepCount: Int)
        /// The run diverged and went back to the checkpoint of so many steps, at a smaller learning rate.
        case rewind(Divergence, toStepCount: Int)
    }

    /// Loads the data, sets up the trainer and makes the run's folder, the last when all else has succeeded.
    ///
    /// - Parameters:
    ///   - configuration: The run's configuration.
    ///   - output: The run's folder; see ``RunDirectory/init(creating:for:)``.
    ///   - traceFile: Another file to write each step to.
    /// - Throws: What setting up the trainer and the run's folder throw.
    public init(_ configuration: TrainingConfiguration, output: URL? = nil, traceFile: URL? = nil) throws {
        self.configuration = configuration
        trainer = try configuration.makeTrainer()
        directory = try RunDirectory(creating: output, for: configuration)
        lock = try RunLock(directory.url)
        self.traceFile = traceFile
        start = nil
    }

    /// Takes a run up at its newest checkpoint that is whole, to go on as if nothing had happened.
    ///
    /// - Parameters:
    ///   - directory: The run's folder.
    ///   - given: Options to change: a greater length, where the learning rate does not follow from it; when to checkpoint; the data's
    ///     folder.
    ///   - traceFile: Another file to write each further step to.
    ///   - onDamage: Told of each damaged checkpoint that is passed over.
    /// - Throws: ``TrainingError`` where there is no checkpoint, the folder is in use, or the data or other options are not what
    ///   the run began with; and what setting up the trainer throws.
    public init(
        resuming directory: RunDirectory, with given: TrainingOptions = TrainingOptions(), traceFile: URL? = nil,
        onDamage: (TrainingError) -> Void = { _ in }
    ) async throws {
        let before = try TrainingConfiguration(TrainingOptions(contentsOf: directory.configurationFile))
        configuration = try TrainingConfiguration(before.options.overridden(by: given))
        try configuration.checkContinuation(of: before)
        lock = try RunLock(directory.url)
        let checkpoint = try directory.checkpoints.newest(onDamage: onDamage)
        trainer = try configuration.makeTrainer()
        let data = DataFingerprint(trainer.data)
        guard checkpoint.state.data == data else {
            throw TrainingError.resumesDifferently(
                what: "data of", before: "\(checkpoint.state.data)", now: "\(data)")
        }
        try await trainer.restore(checkpoint.state.trainer, checkpoint.parameters)
        try directory.writeConfiguration(configuration)
        try directory.removeSummary()
        self.directory = directory
        self.traceFile = traceFile
        start = checkpoint.state
    }

    /// Trains to the end.
    ///
    /// Where the run diverges, its summary says so.
    ///
    /// - Parameters:
    ///   - onEvent: Called after each step, evaluation and checkpoint.
    ///   - shouldStop: Asked after each step: whether to stop there, with a checkpoint.
    /// - Returns: What the run came to, as `summary.json` has it.
    /// - Throws: ``RunInterruption`` where the run stopped as it was asked to, and what training and writing throw.
    public func run(
        onEvent: (Event) -> Void = { _ in }, shouldStop: () -> Bool = { false }
    ) async throws -> RunSummary {
        var session = try RunSession(self, from: start)
        // So that there is something to go back to.
        if start == nil, configuration.options.onDivergence == .rewind {
            _ = try await checkpoint(session, onEvent)
        }
        while true {
            do {
                try await train(&session, shouldStop, onEvent)
                break
            } catch let error as TrainingError {
                guard case .diverged(let divergence) = error else { throw error }
                try directory.write(divergence)
                guard session.record.rewindCount < configuration.options.rewinds ?? 0 else {
                    try directory.write(session.record.summary(.diverged, configuration))
                    throw error
                }
                session = try await rewind(session)
                onEvent(.rewind(divergence, toStepCount: session.record.progress.stepCount))
            }
        }
        let last = try await checkpoint(session, onEvent)
        try DurableFile.link(last, as: directory.finalParametersFile)
        let summary = session.record.summary(.finished, configuration)
        try directory.write(summary)
        return summary
    }

    private func train(
        _ session: inout RunSession, _ shouldStop: () -> Bool, _ onEvent: (Event) -> Void
    ) async throws {
        for try await step in trainer.train(for: configuration.length) {
            let isDue = evaluationIsDue(after: step, before: session.record.progress)
            session.record.add(step, lateFrom: configuration.length)
            onEvent(.step(step, secondsOfTraining: step.progress.seconds))
            if isDue { onEvent(.evaluation(try await evaluate(&session.record), after: step.progress)) }
            try session.log(step)
            try await session.compareEstimators(trainer)
            if shouldStop() {
                _ = try await checkpoint(session, onEvent)
                throw RunInterruption(stepCount: step.progress.stepCount)
            }
            if session.checkpointIsDue(configuration.checkpointInterval) {
                _ = try await checkpoint(session, onEvent)
                session.didCheckpoint()
            }
        }
        if session.record.evaluation == nil { _ = try await evaluate(&session.record) }
    }

    /// Goes back to the last checkpoint, at half the learning rate.
    private func rewind(_ session: RunSession) async throws -> RunSession {
        let checkpoint = try directory.checkpoints.newest { _ in }
        try await trainer.restore(checkpoint.state.trainer, checkpoint.parameters)
        var earlier = try RunSession(self, from: checkpoint.state)
        earlier.record.rewindCount = session.record.rewindCount + 1
        // As often as the run went back from there: the checkpoint may be older than the last time.
        for _ in checkpoint.state.record.rewindCount..<earlier.record.rewindCount { await trainer.halveLearningRate() }
        return earlier
    }

    private func checkpoint(_ session: RunSession, _ onEvent: (Event) -> Void) async throws -> URL {
        let state = try session.state(trainer: await trainer.state())
        let file = try directory.checkpoints.write(
            Checkpoint(await trainer.parameters(), state), keeping: configuration.keptCheckpointCount)
        onEvent(.checkpoint(stepCount: state.trainer.progress.stepCount))
        return file
    }

    private func evaluate(_ record: inout RunRecord) async throws -> Evaluation {
        let evaluation = try await trainer.evaluate()
        guard evaluation.meanLoss.isFinite else {
            throw TrainingError.diverged(
                Divergence(
                    step: max(record.progress.stepCount - 1, 0), loss: evaluation.meanLoss,
                    learningRate: record.learningRate, batchSize: record.batchSize))
        }
        record.evaluation = evaluation
        return evaluation
    }

    /// Whether an evaluation is due: each so many steps, so many times in the run, or where neither is given at the end of each
    /// epoch.
    private func evaluationIsDue(after step: TrainingStep, before: TrainingProgress) -> Bool {
        let progress = step.progress
        if let every = configuration.options.evaluateEvery { return progress.stepCount % every == 0 }
        if let count = configuration.options.evaluations {
            func part(_ progress: TrainingProgress) -> Double {
                (min(configuration.length.fractionCompleted(progress), 1) * Double(count)).rounded(.down)
            }
            return part(progress) > part(before)
        }
        return progress.exampleCount / progress.examplesPerEpoch > before.exampleCount / before.examplesPerEpoch
    }

    /// Starts to write, or goes on.
    fileprivate func openLogs(at state: RunState?) throws -> (
        metrics: LineFile, trace: LineFile?, estimators: LineFile?
    ) {
        func file(_ url: URL, at length: UInt64?) throws -> LineFile {
            if let length { try LineFile(continuing: url, at: length) } else { try LineFile(creating: url) }
        }
        return (
            try file(directory.metricsFile, at: state?.metricsLength),
            try traceFile.map { url throws in try LineFile(creating: url) },
            configuration.options.compareEstimators == nil
                ? nil : try file(directory.estimatorsFile, at: state?.estimatorsLength)
        )
    }
}

/// A run stopped after a step as it was asked to, with a checkpoint to resume it from.
public struct RunInterruption: Error, Hashable {
    /// The number of updates made.
    public let stepCount: Int
}

/// What a run keeps and writes while this process makes it.
private struct RunSession {
    var record: RunRecord
    private var shadows: ShadowRules
    private let metrics: LineFile
    private let trace: LineFile?
    private let estimators: LineFile?
    private let comparisonInterval: Int?
    private let data: DataFingerprint
    /// The time of the run before this process.
    private let secondsBefore: Double
    private let begin = ContinuousClock.now
    private var lastCheckpoint = (time: ContinuousClock.now, stepCount: 0)

    init(_ run: TrainingRun, from state: RunState?) throws {
        let examplesPerEpoch = run.trainer.data.training.count
        record = state?.record ?? RunRecord(examplesPerEpoch: examplesPerEpoch)
        shadows = try run.configuration.makeShadows(examplesPerEpoch: examplesPerEpoch)
        if let state { try shadows.restore(state.shadows) }
        (metrics, trace, estimators) = try run.openLogs(at: state)
        comparisonInterval = run.configuration.options.compareEstimators
        data = DataFingerprint(run.trainer.data)
        secondsBefore = record.seconds
        lastCheckpoint.stepCount = record.progress.stepCount
    }

    /// Writes a step's line.
    mutating func log(_ step: TrainingStep) throws {
        record.seconds = secondsBefore + (ContinuousClock.now - begin) / .seconds(1)
        let line = MetricsLine(
            step, seconds: record.seconds, evaluation: record.evaluation, shadows: shadows.observe(step))
        try metrics.append(line.data)
        try trace?.append(line.data)
    }

    /// Compares the estimators, and writes what came out, where that is due.
    func compareEstimators(_ trainer: Trainer) async throws {
        guard let comparisonInterval, let estimators, record.progress.stepCount % comparisonInterval == 0,
            let comparison = try await trainer.compareEstimators()
        else { return }
        try estimators.append(comparison.line)
    }

    func checkpointIsDue(_ interval: CheckpointInterval) -> Bool {
        switch interval {
        case .steps(let count): record.progress.stepCount - lastCheckpoint.stepCount >= count
        case .minutes(let count): ContinuousClock.now - lastCheckpoint.time >= .seconds(60 * count)
        }
    }

    mutating func didCheckpoint() { lastCheckpoint = (.now, record.progress.stepCount) }

    /// The run's state, with all that was written before it on the disk.
    func state(trainer: TrainerState) throws -> RunState {
        RunState(
            trainer: trainer, record: record, shadows: try shadows.state(), metricsLength: try metrics.sync(),
            estimatorsLength: try estimators?.sync(), data: data)
    }
}
