import CABSData
import CABSNetwork
import Foundation

/// A run from its configuration to its folder: training, evaluations, and everything written on the way.
public struct TrainingRun: Sendable {
    /// The run's configuration.
    public let configuration: TrainingConfiguration
    /// The trainer.
    public let trainer: Trainer
    /// The run's folder.
    public let directory: RunDirectory
    private let traceFile: URL?

    /// What a run tells while it goes on.
    public enum Event: Sendable {
        /// A step was made.
        case step(TrainingStep, secondsOfTraining: Double)
        /// The network was evaluated on the test examples.
        case evaluation(Evaluation, after: TrainingProgress)
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
        self.traceFile = traceFile
    }

    /// Trains to the end.
    ///
    /// Where the run diverges, its summary says so.
    ///
    /// - Parameter onEvent: Called after each step and evaluation.
    /// - Returns: What the run came to, as `summary.json` has it.
    /// - Throws: What training and writing throw.
    public func run(onEvent: (Event) -> Void = { _ in }) async throws -> RunSummary {
        var logs = [try LineFile(creating: directory.metricsFile)]
        if let traceFile { logs.append(try LineFile(creating: traceFile)) }
        var record = RunRecord(configuration)
        do {
            try await train(&record, logs, onEvent)
        } catch let error as TrainingError {
            if case .diverged = error { try directory.write(record.summary(.diverged, await trainer.progress)) }
            throw error
        }
        try Safetensors.write(await trainer.parameters(), to: directory.finalParametersFile)
        let summary = record.summary(.finished, await trainer.progress)
        try directory.write(summary)
        return summary
    }

    private func train(_ record: inout RunRecord, _ logs: [LineFile], _ onEvent: (Event) -> Void) async throws {
        let estimators = try configuration.options.compareEstimators.map { every throws in
            (every, try LineFile(creating: directory.estimatorsFile))
        }
        var shadows = try configuration.makeShadows(examplesPerEpoch: trainer.data.training.count)
        let start = ContinuousClock.now
        for try await step in trainer.train(for: configuration.length) {
            let isDue = evaluationIsDue(after: step, before: record.last?.progress)
            record.add(step)
            onEvent(.step(step, secondsOfTraining: step.progress.seconds))
            if isDue { onEvent(.evaluation(try await evaluate(&record), after: step.progress)) }
            let line = MetricsLine(
                step, seconds: start.secondsToNow, evaluation: record.evaluation, shadows: shadows.observe(step))
            for log in logs { try log.append(line.data) }
            if let (every, log) = estimators, step.progress.stepCount % every == 0,
                let comparison = try await trainer.compareEstimators()
            {
                try log.append(comparison.line)
            }
            record.seconds = start.secondsToNow
        }
        if record.evaluation == nil { _ = try await evaluate(&record) }
    }

    private func evaluate(_ record: inout RunRecord) async throws -> Evaluation {
        let evaluation = try await trainer.evaluate()
        guard evaluation.meanLoss.isFinite else {
            throw TrainingError.diverged(
                step: record.last?.index ?? 0, loss: evaluation.meanLoss,
                learningRate: record.last?.learningRate ?? 0, batchSize: record.last?.batchSize ?? 0)
        }
        record.evaluation = evaluation
        return evaluation
    }

    /// Whether an evaluation is due: each so many steps, so many times in the run, or where neither is given at the end of each
    /// epoch.
    private func evaluationIsDue(after step: TrainingStep, before: TrainingProgress?) -> Bool {
        let progress = step.progress
        if let every = configuration.options.evaluateEvery { return progress.stepCount % every == 0 }
        if let count = configuration.options.evaluations {
            func part(_ progress: TrainingProgress?) -> Double {
                guard let progress else { return 0 }
                return (min(configuration.length.fractionCompleted(progress), 1) * Double(count)).rounded(.down)
            }
            return part(progress) > part(before)
        }
        return progress.exampleCount / progress.examplesPerEpoch
            > (progress.exampleCount - step.batchSize) / progress.examplesPerEpoch
    }
}

/// What a run has come to so far.
private struct RunRecord {
    private let configuration: TrainingConfiguration
    /// The last step.
    private(set) var last: TrainingStep?
    /// The evaluation that followed the last step, if one did.
    var evaluation: Evaluation?
    /// The time since the run began.
    var seconds = 0.0
    /// The sum of the losses of the last tenth's examples, and their number.
    private var lateLosses = (sum: 0.0, count: 0)

    init(_ configuration: TrainingConfiguration) {
        self.configuration = configuration
    }

    mutating func add(_ step: TrainingStep) {
        last = step
        evaluation = nil
        guard configuration.length.fractionCompleted(step.progress) > 0.9 else { return }
        lateLosses.sum += step.loss * Double(step.batchSize)
        lateLosses.count += step.batchSize
    }

    func summary(_ status: RunSummary.Status, _ progress: TrainingProgress) -> RunSummary {
        RunSummary(
            status: status, dataset: configuration.dataset.rawValue, model: configuration.model.name,
            steps: progress.stepCount, examples: progress.exampleCount, epochs: progress.epochs, seconds: seconds,
            trainingSeconds: progress.seconds,
            examplesPerSecond: Double(progress.exampleCount) / max(progress.seconds, 1e-9),
            nextBatchSize: last?.decision.nextBatchSize,
            trainingLoss: lateLosses.count > 0 ? lateLosses.sum / Double(lateLosses.count) : nil,
            testLoss: evaluation?.meanLoss, testAccuracy: evaluation?.accuracy)
    }
}

extension ContinuousClock.Instant {
    fileprivate var secondsToNow: Double { (ContinuousClock.now - self) / .seconds(1) }
}

/// A file that grows by whole lines.
private struct LineFile {
    private let handle: FileHandle
    private let path: String

    /// Makes the file; one that exists is emptied.
    init(creating file: URL) throws(TrainingError) {
        path = file.path
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw .unwritable(path: path, reason: "the file cannot be made")
        }
        do {
            handle = try FileHandle(forWritingTo: file)
        } catch {
            throw .unwritable(path: path, reason: error.localizedDescription)
        }
    }

    func append(_ line: Data) throws(TrainingError) {
        do {
            try handle.write(contentsOf: line)
        } catch {
            throw .unwritable(path: path, reason: error.localizedDescription)
        }
    }
}
