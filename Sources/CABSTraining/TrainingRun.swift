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
    /// - Parameter onEvent: Called after each step and evaluation.
    /// - Returns: What the run came to, as `summary.json` has it.
    /// - Throws: What training and writing throw.
    public func run(onEvent: (Event) -> Void = { _ in }) async throws -> RunSummary {
        var logs = [try LineFile(creating: directory.metricsFile)]
        if let traceFile { logs.append(try LineFile(creating: traceFile)) }
        let clock = ContinuousClock()
        let start = clock.now
        var evaluating = Duration.zero
        var evaluation: Evaluation?
        var last: TrainingStep?
        for try await step in trainer.train(for: configuration.length) {
            let training = (clock.now - start - evaluating).seconds
            onEvent(.step(step, secondsOfTraining: training))
            evaluation = nil
            if evaluates(after: step) {
                let before = clock.now
                let result = try await trainer.evaluate()
                evaluating += clock.now - before
                evaluation = result
                onEvent(.evaluation(result, after: step.progress))
            }
            let line = MetricsLine(step, seconds: (clock.now - start).seconds, evaluation: evaluation)
            for log in logs { try log.append(line.data) }
            last = step
        }
        let total = (clock.now - start).seconds
        let final: Evaluation
        if let evaluation { final = evaluation } else { final = try await trainer.evaluate() }
        guard final.meanLoss.isFinite else {
            throw TrainingError.diverged(
                step: last?.index ?? 0, loss: final.meanLoss, learningRate: last?.learningRate ?? 0,
                batchSize: last?.batchSize ?? 0)
        }
        try Safetensors.write(await trainer.parameters(), to: directory.finalParametersFile)
        let progress = await trainer.progress
        let summary = RunSummary(
            dataset: configuration.dataset.rawValue, model: configuration.model.name,
            steps: progress.stepCount, examples: progress.exampleCount, epochs: progress.epochs,
            seconds: total, examplesPerSecond: Double(progress.exampleCount) / (total - evaluating.seconds),
            nextBatchSize: last?.decision.nextBatchSize ?? configuration.policy.initialBatchSize,
            testLoss: final.meanLoss, testAccuracy: final.accuracy)
        try directory.write(summary)
        return summary
    }

    /// Whether an evaluation is due: each so many steps, or where that is not given at the end of each epoch.
    private func evaluates(after step: TrainingStep) -> Bool {
        if let every = configuration.options.evaluateEvery { return step.progress.stepCount % every == 0 }
        let progress = step.progress
        let epoch = progress.exampleCount / progress.examplesPerEpoch
        return epoch > (progress.exampleCount - step.batchSize) / progress.examplesPerEpoch
    }
}

extension Duration {
    fileprivate var seconds: Double {
        self / .seconds(1)
    }
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
