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
    /// The ranks that make the run together, where there are several. The first alone writes.
    public let team: RankTeam?
    let traceFile: URL?
    /// What the run is made of.
    let origin: RunOrigin
    private let lock: RunLock?
    /// Where the run goes on from; its beginning where there is none.
    private let start: RunState?
    /// Whether the whole run is still to be made: it is new, or was killed before its first checkpoint.
    public var startsFromBeginning: Bool { start == nil }

    /// What a run tells while it goes on.
    public enum Event: Sendable {
        /// There is something to say of the data, the options or an evaluation, maybe once more.
        case notice(String)
        /// A step was made.
        case step(TrainingStep, secondsOfTraining: Double)
        /// The network was evaluated.
        case evaluation(RunEvaluation, after: TrainingProgress)
        /// A checkpoint was written, after so many steps.
        case checkpoint(stepCount: Int)
        /// A damaged checkpoint was passed over for the one before.
        case damagedCheckpoint(TrainingError)
        /// The run diverged and went back to the checkpoint of so many steps, at a smaller learning rate.
        case rewind(Divergence, toStepCount: Int)
    }

    /// Loads the data, sets up the trainer and makes the run's folder, the last when all else has succeeded.
    ///
    /// - Parameters:
    ///   - configuration: The run's configuration.
    ///   - output: The run's folder; see ``RunDirectory/init(creating:for:)``.
    ///   - traceFile: Another file to write each step to.
    ///   - team: The ranks that make the run together, where there are several; the folder is the first one's.
    ///   - onConversion: Told where the initial parameters are no 32-bit floats in their file.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    /// - Throws: What setting up the trainer and the run's folder throw, and what communication throws.
    public init(
        _ configuration: TrainingConfiguration, output: URL? = nil, traceFile: URL? = nil, team: RankTeam? = nil,
        onConversion: (String) -> Void = { _ in },
        onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws {
        let team = try team?.withWorkers(configuration.options.workers)
        (self.configuration, self.team) = (configuration, team)
        trainer = try configuration.makeTrainer(for: team, onConversion: onConversion, onProgress: onProgress)
        origin = try RunOrigin(trainer.data, configuration.options)
        (self.traceFile, start) = (traceFile, nil)
        guard team.isFirst else {
            directory = RunDirectory(existing: URL(filePath: try team!.broadcast("")))
            lock = nil
            return
        }
        directory = try RunDirectory(creating: output, for: configuration)
        lock = try RunLock(directory.url)
        try directory.writeBeginning(of: trainer, origin, team)
        _ = try team?.broadcast(directory.url.path)
    }

    /// Resumes a run from its newest checkpoint that is whole, as if nothing had happened. One that was killed before it wrote its first
    /// starts from the beginning.
    ///
    /// - Parameters:
    ///   - directory: The run's folder, which of several ranks only the first needs to have.
    ///   - given: Options to change: a greater length, where the learning rate does not follow from it; when to checkpoint; the data's
    ///     folder.
    ///   - traceFile: Another file to write each further step to.
    ///   - team: The ranks that go on with the run, where there are several; it does not matter how many made it before.
    ///   - onDamage: Told of each damaged checkpoint that is passed over.
    ///   - onConversion: As of ``init(_:output:traceFile:team:onConversion:onProgress:)``, where the run starts from the beginning.
    /// - Throws: ``TrainingError`` where all checkpoints are damaged or a run that has ended has none, the folder is in use, or the data
    ///   or other options are not what the run began with; and what setting up the trainer throws.
    public init(
        resuming directory: RunDirectory, with given: TrainingOptions = TrainingOptions(), traceFile: URL? = nil,
        team: RankTeam? = nil, onDamage: (TrainingError) -> Void = { _ in },
        onConversion: (String) -> Void = { _ in }
    ) async throws {
        let text = try team.map { try $0.broadcast(directory.configurationText()) } ?? directory.configurationText()
        var stored = try TrainingOptions(text: text, named: directory.configurationFile.path)
        // Each rank has a number of its own.
        if team != nil { stored.workers = nil }
        let before = try TrainingConfiguration(stored, isShared: team != nil)
        configuration = try TrainingConfiguration(before.options.overridden(by: given).options, isShared: team != nil)
        try configuration.checkContinuation(of: before, in: directory, isShared: team != nil)
        let team = try team?.withWorkers(configuration.options.workers)
        self.team = team
        lock = team.isFirst ? try RunLock(directory.url) : nil
        (self.directory, self.traceFile) = (directory, traceFile)
        guard try Self.hasBegun(directory, team) else {
            trainer = try configuration.makeTrainer(for: team, onConversion: onConversion)
            origin = try RunOrigin(trainer.data, configuration.options)
            start = nil
            guard team.isFirst else { return }
            try directory.origin()?.data.check(origin.data)
            try directory.writeConfiguration(configuration)
            try directory.writeBeginning(of: trainer, origin, team)
            return
        }
        let checkpoint = try Self.newestCheckpoint(in: directory, team, onDamage: onDamage)
        trainer = try configuration.makeTrainer(from: checkpoint.tensors.parameters, for: team)
        try checkpoint.state.data.check(trainer.data)
        try await trainer.restore(checkpoint.state.trainer, checkpoint.tensors)
        origin = RunOrigin(
            data: checkpoint.state.data,
            initialParameters: team.isFirst ? try directory.origin()?.initialParameters : nil)
        start = checkpoint.state
        guard team.isFirst else { return }
        try directory.writeConfiguration(configuration)
        try directory.write(origin)
        try directory.write(team?.members)
        try directory.removeEnd()
        directory.removeMeasurement(after: checkpoint.state.trainer.progress.stepCount)
    }

    /// Whether a run came as far as its first checkpoint: of several ranks the first looks, and tells all.
    private static func hasBegun(_ directory: RunDirectory, _ team: RankTeam?) throws -> Bool {
        guard let team else { return directory.hasBegun }
        return try team.broadcast(directory.hasBegun)
    }

    /// The newest checkpoint that is whole: of several ranks the first reads it, and gives it to all.
    private static func newestCheckpoint(
        in directory: RunDirectory, by interval: CheckpointInterval? = nil, _ team: RankTeam?,
        onDamage: (TrainingError) -> Void
    ) throws -> Checkpoint {
        guard let team else { return try directory.checkpoints.newest(by: interval, onDamage: onDamage) }
        let data = try team.communicator.broadcast(
            try directory.checkpoints.newest(by: interval, onDamage: onDamage).data())
        return try Checkpoint(data: data)
    }

    /// Trains to the end.
    ///
    /// Where the run diverges, its summary says so.
    ///
    /// - Parameters:
    ///   - onEvent: Called after each step, evaluation and checkpoint.
    ///   - shouldStop: Asked after each step: whether to stop there, with a checkpoint; of several ranks after the step that follows, whichever is asked to.
    /// - Returns: What the run came to, as `summary.json` has it.
    /// - Throws: ``RunInterruption`` where the run stopped as it was asked to, and what training and writing throw.
    public func run(
        onEvent: (Event) -> Void = { _ in }, shouldStop: () -> Bool = { false }
    ) async throws -> RunSummary {
        for notice in trainer.data.notices + configuration.notices { onEvent(.notice(notice)) }
        var session = try RunSession(self, from: start)
        // So that there is always something to go on from, or back to.
        if start == nil { try await checkpoint(session, onEvent) }
        while true {
            do {
                try await train(&session, shouldStop, onEvent)
                break
            } catch let error as TrainingError {
                guard case .diverged(let divergence) = error else { throw error }
                try writing { try directory.write(divergence) }
                guard session.record.rewindCount < configuration.options.rewinds ?? 0 else {
                    try writing { try directory.write(summary(.diverged, session)) }
                    throw error
                }
                session = try await rewind(session, onEvent)
                onEvent(.rewind(divergence, toStepCount: session.record.progress.stepCount))
            }
        }
        try await checkpoint(session, onEvent)
        guard let team else { return try await finish(session) }
        let result = team.isFirst ? try await finish(session) : nil
        return try team.broadcast(result)!
    }

    /// Writes what there is to write at the end.
    private func finish(_ session: RunSession) async throws -> RunSummary {
        try Safetensors.write(await trainer.parameters(), to: directory.finalParametersFile)
        if let average = try await trainer.averageParameters() {
            try Safetensors.write(average, to: directory.finalAverageFile)
        }
        let summary = try summary(.finished, session)
        try directory.write(summary)
        return summary
    }

    /// Does what of several ranks only the first does.
    private func writing(_ body: () throws -> Void) rethrows {
        if team.isFirst { try body() }
    }

    private func summary(_ status: RunSummary.Status, _ session: RunSession) throws -> RunSummary {
        session.record.summary(
            status, configuration,
            trainingLoss: try LateLoss.mean(
                in: directory.metricsFile, of: configuration.length,
                examplesPerEpoch: session.record.progress.examplesPerEpoch))
    }

    private func train(
        _ session: inout RunSession, _ shouldStop: () -> Bool, _ onEvent: (Event) -> Void
    ) async throws {
        /// Of several ranks each is asked before a step, so that all know with the step whether to stop after it.
        func tell() async {
            guard team != nil else { return }
            let (clock, wantsToStop) = (session.clock, shouldStop())
            await trainer.tell { RankNotice(seconds: clock.secondsNow, wantsToStop: wantsToStop) }
        }
        await tell()
        for try await step in trainer.train(for: configuration.length) {
            let isDue = evaluationIsDue(after: step, before: session.record.progress)
            session.record.add(step)
            onEvent(.step(step, secondsOfTraining: step.progress.seconds))
            if isDue {
                let evaluation = try await evaluate(&session.record, onEvent)
                onEvent(.evaluation(evaluation, after: step.progress))
            }
            try session.log(step, seconds: step.notice?.seconds)
            try await session.compareEstimators(trainer)
            if step.notice?.wantsToStop ?? shouldStop() {
                try await checkpoint(session, onEvent)
                try team?.communicator.meet()
                throw RunInterruption(stepCount: step.progress.stepCount)
            }
            if session.checkpointIsDue { try await checkpoint(session, onEvent) }
            await tell()
        }
        if session.record.evaluation == nil { _ = try await evaluate(&session.record, onEvent) }
    }

    /// Goes back to the last checkpoint that an undisturbed run has too, at half the learning rate. The clocks go on.
    private func rewind(_ session: RunSession, _ onEvent: (Event) -> Void) async throws -> RunSession {
        let checkpoint = try Self.newestCheckpoint(in: directory, by: configuration.checkpointInterval, team) {
            onEvent(.damagedCheckpoint($0))
        }
        let seconds = await trainer.progress.seconds
        try await trainer.restore(checkpoint.state.trainer, checkpoint.tensors)
        writing {
            directory.checkpoints.removeAll(after: checkpoint.state.trainer.progress.stepCount)
            directory.removeMeasurement(after: checkpoint.state.trainer.progress.stepCount)
        }
        var earlier = try RunSession(self, from: checkpoint.state, after: session)
        earlier.record.rewindCount = session.record.rewindCount + 1
        // As often as the run went back from there: the checkpoint may be older than the last time.
        let halvings = earlier.record.rewindCount - checkpoint.state.record.rewindCount
        await trainer.goOn(afterSeconds: seconds, halvingLearningRate: halvings)
        return earlier
    }

    private func checkpoint(_ session: RunSession, _ onEvent: (Event) -> Void) async throws {
        // Every rank has a part of the optimiser's tensors.
        let (tensors, state) = (try await trainer.tensors(), try await trainer.state())
        try writing {
            try directory.checkpoints.write(
                Checkpoint(tensors, try session.state(trainer: state)), keeping: configuration.keptCheckpointCount,
                by: configuration.checkpointInterval)
        }
        onEvent(.checkpoint(stepCount: state.progress.stepCount))
    }

    private func evaluate(_ record: inout RunRecord, _ onEvent: (Event) -> Void) async throws -> RunEvaluation {
        let evaluation = try await trainer.evaluateAll()
        if let loss = evaluation.unsoundLoss {
            throw TrainingError.diverged(
                Divergence(
                    step: max(record.progress.stepCount - 1, 0), loss: loss,
                    learningRate: record.learningRate, batchSize: record.batchSize,
                    recentSteps: await trainer.recentSteps))
        }
        for notice in evaluation.notices { onEvent(.notice(notice)) }
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
                min(configuration.length.partsCompleted(progress, of: count), Double(count))
            }
            return part(progress) > part(before)
        }
        return progress.exampleCount / progress.examplesPerEpoch > before.exampleCount / before.examplesPerEpoch
    }
}

/// A run stopped after a step as it was asked to, with a checkpoint to resume it from.
public struct RunInterruption: Error, Hashable {
    /// The number of updates made.
    public let stepCount: Int
}
