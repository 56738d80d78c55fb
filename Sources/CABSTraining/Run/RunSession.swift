import CABSData
import Foundation

/// What a run keeps and writes while this process makes it, from its beginning or from a checkpoint on.
struct RunSession {
    var record: RunRecord
    private var shadows: ShadowRules
    /// The files of steps; only the first of several ranks has any.
    private let metrics: LineFile?
    private let trace: LineFile?
    private let estimators: LineFile?
    private let checkpointInterval: CheckpointInterval
    private let comparisonInterval: Int?
    private let data: DataFingerprint
    /// The time of the run.
    let clock: Clock
    /// The time of the run before its last step.
    private var secondsBeforeStep: Double

    /// Begins, or goes on from a state.
    ///
    /// - Parameter earlier: The session of this process that went back to the state.
    init(_ run: TrainingRun, from state: RunState?, after earlier: RunSession? = nil) throws {
        let examplesPerEpoch = run.trainer.data.training.count
        record = state?.record ?? RunRecord(examplesPerEpoch: examplesPerEpoch)
        // Ranks go by the time that all have heard.
        if let earlier { record.seconds = run.team == nil ? earlier.clock.secondsNow : earlier.record.seconds }
        shadows = try run.configuration.makeShadows(for: run.trainer.data)
        if let state { try shadows.restore(state.shadows) }
        let (directory, writes) = (run.directory, run.team.isFirst)
        metrics = writes ? try Self.file(directory.metricsFile, at: state?.metricsLength) : nil
        comparisonInterval = run.configuration.options.compareEstimators
        estimators =
            comparisonInterval == nil || !writes
            ? nil : try Self.file(directory.estimatorsFile, at: state?.estimatorsLength)
        trace =
            writes ? try run.traceFile.map { url throws in try Self.copy(of: directory.metricsFile, at: url) } : nil
        checkpointInterval = run.configuration.checkpointInterval
        data = run.origin.data
        (clock, secondsBeforeStep) = (Clock(secondsBefore: record.seconds), record.seconds)
    }

    /// The time since the run began, as far as processes made it.
    struct Clock: Sendable {
        /// The time before this session's first step, and when that began.
        let secondsBefore: Double
        private let begin = ContinuousClock.now

        init(secondsBefore: Double) { self.secondsBefore = secondsBefore }

        var secondsNow: Double { secondsBefore + (ContinuousClock.now - begin) / .seconds(1) }
    }

    private static func file(_ url: URL, at length: UInt64?) throws -> LineFile {
        if let length { try LineFile(continuing: url, at: length) } else { try LineFile(creating: url) }
    }

    /// A second file with the lines that the first has, to go on with it.
    private static func copy(of file: URL, at url: URL) throws -> LineFile {
        guard url.resolvingSymlinksInPath() != file.resolvingSymlinksInPath() else {
            throw TrainingError.unwritable(path: url.path, reason: "it is the run's own file of its steps")
        }
        let copy = try LineFile(creating: url)
        do {
            try copy.append(Data(contentsOf: file, options: .mappedIfSafe))
        } catch let error as CocoaError {
            throw TrainingError.unreadable(path: file.path, reason: error.systemReason)
        }
        return copy
    }

    /// Writes a step's line.
    ///
    /// - Parameter seconds: The time by which all ranks go, where there are several.
    mutating func log(_ step: TrainingStep, seconds: Double? = nil) throws {
        secondsBeforeStep = record.seconds
        record.seconds = seconds ?? clock.secondsNow
        let line = MetricsLine(
            step, seconds: record.seconds, evaluation: record.evaluation,
            shadows: shadows.observe(step))
        try metrics?.append(line.data)
        try trace?.append(line.data)
    }

    /// Compares the estimators, and writes what came out, where that is due.
    func compareEstimators(_ trainer: Trainer) async throws {
        guard let comparisonInterval, record.progress.stepCount % comparisonInterval == 0,
            let comparison = try await trainer.compareEstimators()
        else { return }
        try estimators?.append(comparison.line)
    }

    /// Whether a checkpoint is due after the last step.
    var checkpointIsDue: Bool {
        checkpointInterval.isDue(
            stepCount: record.progress.stepCount, seconds: record.seconds, secondsBefore: secondsBeforeStep)
    }

    /// The run's state, with all that was written before it on the disk: asked of who writes.
    func state(trainer: TrainerState) throws -> RunState {
        RunState(
            trainer: trainer, record: record, shadows: try shadows.state(), metricsLength: try metrics!.sync(),
            estimatorsLength: try estimators?.sync(), data: data)
    }
}
