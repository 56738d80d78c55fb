import CABSData
import CABSNetwork
import Foundation

/// The folder of one run: `config.yaml`, `metrics.jsonl`, `checkpoints/` and `summary.json`.
public struct RunDirectory: Sendable {
    /// The folder.
    public let url: URL

    /// The options that repeat the run.
    public var configurationFile: URL { url.appending(path: "config.yaml") }
    /// A line for each step.
    public var metricsFile: URL { url.appending(path: "metrics.jsonl") }
    /// A line for each comparison of the estimators, where the run makes some.
    public var estimatorsFile: URL { url.appending(path: "estimators.jsonl") }
    /// The folder of parameter files.
    public var checkpointFolder: URL { url.appending(path: "checkpoints") }
    /// The parameters at the run's end.
    public var finalParametersFile: URL { checkpointFolder.appending(path: "final.safetensors") }
    /// The average of the parameters at the run's end, where one was kept.
    public var finalAverageFile: URL { checkpointFolder.appending(path: "final-average.safetensors") }
    /// Where the run diverged, if it did.
    public var divergenceFile: URL { url.appending(path: "divergence.json") }
    /// The ranks that made the run, or went on with it, the last time; where there were several.
    public var ranksFile: URL { url.appending(path: "ranks.json") }
    /// Whether several ranks made the run, or went on with it, the last time.
    var isOfRanks: Bool { FileManager.default.fileExists(atPath: ranksFile.path) }
    /// What the network must be given.
    public var inputFile: URL { url.appending(path: "input.json") }
    /// What the run was made of.
    var originFile: URL { url.appending(path: "origin.json") }
    /// What the network takes for what, where that was asked for.
    public var confusionFile: URL { url.appending(path: "confusion.json") }
    /// How noisy the gradients were found to be, where that was asked for.
    public var measurementFile: URL { url.appending(path: "measurement.json") }
    /// What came out.
    public var summaryFile: URL { url.appending(path: "summary.json") }

    /// Names an existing run's folder.
    public init(existing url: URL) {
        self.url = url
    }

    /// Makes the folder of a new run and writes its configuration.
    ///
    /// - Parameters:
    ///   - url: The folder, which must not exist or be empty; one below `runs` named by data set, model and time where
    ///     not given.
    ///   - configuration: The run's configuration.
    /// - Throws: ``TrainingError`` where the folder holds something already or cannot be written.
    public init(creating url: URL?, for configuration: TrainingConfiguration) throws(TrainingError) {
        guard let url else {
            self.url = try Self.makeFolder(for: configuration)
            try writeConfiguration(configuration)
            return
        }
        self.url = url
        if let contents = try? FileManager.default.contentsOfDirectory(atPath: url.path) {
            guard contents.isEmpty else { throw .outputExists(path: url.path) }
        } else if FileManager.default.fileExists(atPath: url.path) {
            throw .outputExists(path: url.path)
        }
        try OutputFolder.make(at: url)
        do {
            // Fails where another run has just made it: the folder is that run's.
            try FileManager.default.createDirectory(at: checkpointFolder, withIntermediateDirectories: false)
        } catch {
            throw .unwritable(path: url.path, reason: error.systemReason)
        }
        try writeConfiguration(configuration)
    }

    /// The run's checkpoints.
    var checkpoints: CheckpointFolder { CheckpointFolder(url: checkpointFolder) }

    /// Whether there is a checkpoint to resume the run from.
    public var hasCheckpoint: Bool { !checkpoints.isEmpty }

    /// Whether the run came as far as its first checkpoint, which it writes before its first step: of one that has ended it may be gone.
    var hasBegun: Bool {
        hasCheckpoint
            || [summaryFile, finalParametersFile].contains { FileManager.default.fileExists(atPath: $0.path) }
    }

    /// The newest parameters that the run has.
    public struct NewestParameters: Sendable {
        /// The parameters.
        public let parameters: ParameterSet
        /// Their average, where one is kept.
        public let average: ParameterSet?
        /// How far the run had come with them.
        public let stage: TrainingStage
        /// How the run ended; nothing where it has not.
        public let status: RunSummary.Status?
    }

    /// Reads the newest parameters: those at the run's end, or of the newest checkpoint where it has not ended; of what is damaged those before.
    ///
    /// - Parameter onDamage: Told of each damaged file that is passed over.
    /// - Throws: ``TrainingError`` where there are none, or none that is whole.
    public func newestParameters(onDamage: (TrainingError) -> Void) throws(TrainingError) -> NewestParameters {
        let summary = try summary()
        if let summary, FileManager.default.fileExists(atPath: finalParametersFile.path) {
            do throws(TrainingError) {
                let hasAverage = FileManager.default.fileExists(atPath: finalAverageFile.path)
                return NewestParameters(
                    parameters: try Safetensors.read(finalParametersFile),
                    average: hasAverage ? try Safetensors.read(finalAverageFile) : nil, stage: summary.stage,
                    status: summary.status)
            } catch {
                guard hasCheckpoint else { throw error }
                onDamage(error)
            }
        }
        let checkpoint = try checkpoints.newest(onDamage: onDamage)
        return NewestParameters(
            parameters: checkpoint.tensors.parameters, average: checkpoint.tensors.average,
            stage: checkpoint.state.trainer.stage, status: summary?.status)
    }

    /// Writes the options that repeat the run.
    func writeConfiguration(_ configuration: TrainingConfiguration) throws(TrainingError) {
        let text: String
        do {
            text = try configuration.options.yaml()
        } catch {
            throw .unwritable(path: configurationFile.path, reason: "\(error)")
        }
        try DurableFile.write(Data(text.utf8), to: configurationFile)
    }

    /// The text of the options that repeat the run.
    func configurationText() throws(TrainingError) -> String { try ConfigurationFile.text(in: configurationFile) }

    /// Writes which ranks make the run; where there are none, no earlier ones are left.
    func write(_ ranks: [RankMember]?) throws(TrainingError) {
        if let ranks { try write(ranks, to: ranksFile) } else { try? FileManager.default.removeItem(at: ranksFile) }
    }

    /// Writes what a run says of itself before its first step.
    func writeBeginning(of trainer: Trainer, _ origin: RunOrigin, _ team: RankTeam?) throws(TrainingError) {
        try write(origin)
        if let input = trainer.data.input { try write(input) }
        try write(team?.members)
    }

    /// Takes back what came out, where the run goes on: the summary, and the parameters at what was its end.
    func removeEnd() throws(TrainingError) {
        for file in [summaryFile, finalParametersFile, finalAverageFile, confusionFile]
        where FileManager.default.fileExists(atPath: file.path) {
            do {
                try FileManager.default.removeItem(at: file)
            } catch {
                throw .unwritable(path: file.path, reason: error.systemReason)
            }
        }
    }

    /// Takes back the measurement of a state that the run, which goes on from an earlier one, may never come to again. Others stay: they say after how many
    /// steps they are.
    func removeMeasurement(after stepCount: Int) {
        guard let measured = try? measurement()?.stepCount, measured > stepCount else { return }
        try? FileManager.default.removeItem(at: measurementFile)
    }

    /// Makes a folder below `runs` named by data set, model and time, with a number where that is taken: runs that begin in the same
    /// second have folders of their own, as whoever makes the folder has it.
    private static func makeFolder(for configuration: TrainingConfiguration) throws(TrainingError) -> URL {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyyMMdd-HHmmss"
        let stem = "\(configuration.dataset.rawValue)-\(configuration.model.name)-\(formatter.string(from: Date()))"
        let parent = URL(filePath: "runs")
        try OutputFolder.make(at: parent)
        for number in 1...10_000 {
            let url = parent.appending(path: number == 1 ? stem : "\(stem)-\(number)")
            do {
                try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
                try FileManager.default.createDirectory(
                    at: RunDirectory(existing: url).checkpointFolder, withIntermediateDirectories: false)
                return url
            } catch CocoaError.fileWriteFileExists {
                continue
            } catch {
                throw .unwritable(path: url.path, reason: error.systemReason)
            }
        }
        throw .outputExists(path: parent.appending(path: stem).path)
    }

    /// Reads what came out; nothing where the run has not ended.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    public func summary() throws(TrainingError) -> RunSummary? {
        try read(summaryFile, "a run's summary")
    }

    /// Reads where the run diverged; nothing where it did not.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    public func divergence() throws(TrainingError) -> Divergence? {
        try read(divergenceFile, "an account of where a run diverged")
    }

    /// Reads what the network must be given; nothing in runs of versions that did not note it.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    public func input() throws(TrainingError) -> InputDescription? {
        // Its coding keys are in snake case already.
        try read(inputFile, "a description of inputs", keys: .useDefaultKeys)
    }

    /// Reads what the run was made of; of runs of versions that did not note it what the newest checkpoint says, and nothing where there is none.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    func origin() throws(TrainingError) -> RunOrigin? {
        try recordedOrigin() ?? checkpoints.trainingData.map { RunOrigin(data: $0, initialParameters: nil) }
    }

    private func recordedOrigin() throws(TrainingError) -> RunOrigin? {
        try read(originFile, "an account of what a run was made of")
    }

    /// What tells the run's data from others, for people to read: sizes and checksums; nothing in runs of versions that did not note it.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    public func recordedData() throws(TrainingError) -> String? { try recordedOrigin()?.data.description }

    /// Reads what the network takes for what; nothing where that was not asked for.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    public func confusion() throws(TrainingError) -> Confusion? { try read(confusionFile, "a table of mistakes") }

    /// Reads how noisy the gradients were found to be; nothing where that was not asked for.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    public func measurement() throws(TrainingError) -> GradientMeasurement? {
        try read(measurementFile, "a measurement of gradients")
    }

    private func read<Value: Decodable>(
        _ file: URL, _ what: String, keys: JSONDecoder.KeyDecodingStrategy = .convertFromSnakeCase
    ) throws(TrainingError) -> Value? {
        guard let data = try? Data(contentsOf: file) else { return nil }
        do {
            return try JSONFile.decode(Value.self, from: data, keys: keys)
        } catch {
            throw .unreadable(path: file.path, reason: "it is not \(what)")
        }
    }

    /// Writes what the network must be given.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func write(_ input: InputDescription) throws(TrainingError) { try write(input, to: inputFile) }

    /// Writes what the run was made of.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func write(_ origin: RunOrigin) throws(TrainingError) { try write(origin, to: originFile) }

    /// Writes what the network takes for what.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    public func write(_ confusion: Confusion) throws(TrainingError) { try write(confusion, to: confusionFile) }

    /// Writes how noisy the gradients were found to be.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    public func write(_ measurement: GradientMeasurement) throws(TrainingError) {
        try write(measurement, to: measurementFile)
    }

    /// Writes what came out.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func write(_ summary: RunSummary) throws(TrainingError) { try write(summary, to: summaryFile) }

    /// Writes where the run diverged.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func write(_ divergence: Divergence) throws(TrainingError) { try write(divergence, to: divergenceFile) }

    private func write(_ value: some Encodable, to file: URL) throws(TrainingError) {
        let data: Data
        do {
            data = try JSONFile.data(of: value)
        } catch {
            throw .unwritable(path: file.path, reason: "\(error)")
        }
        try DurableFile.write(data, to: file)
    }
}
