import CABSData
import CABSNetwork
import Foundation

/// A network that was trained: of a run that has ended or not, of one of its checkpoints, or of a file of parameters.
public struct TrainedNetwork: Sendable {
    /// How it was trained, with the options that were given in place of the run's.
    public let configuration: TrainingConfiguration
    /// Which parameters these are, for people to read; empty where the file does not say.
    public let state: String
    /// The run's folder; nothing of a file of parameters alone.
    public let directory: RunDirectory?
    /// What it must be given; nothing where the run did not note it.
    public let storedInput: InputDescription?
    /// The average of the parameters, where there is one.
    public let average: ParameterSet?
    /// What the run came to with these parameters; nothing where they are not those of its end.
    public let summary: RunSummary?
    /// How far training had come with these parameters; nothing where the file does not say.
    public let stage: TrainingStage?
    private let source: Source

    private enum Source: Sendable {
        case parameters(ParameterSet)
        case file(URL)
    }

    /// Reads what is there.
    ///
    /// - Parameters:
    ///   - url: A run's folder, a checkpoint or a file of parameters within one, or such a file elsewhere, for which `given` then names data
    ///     and model.
    ///   - given: Options in place of the run's.
    ///   - onDamage: Told of each damaged checkpoint that is passed over.
    /// - Throws: ``TrainingError`` where there is nothing, or it is damaged, and what the options throw.
    public init(
        at url: URL, with given: TrainingOptions = TrainingOptions(), onDamage: (TrainingError) -> Void = { _ in }
    ) throws {
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw TrainingError.unreadable(path: url.relativePath, reason: "there is no such file or folder")
        }
        if url.isFolder {
            let directory = RunDirectory(existing: url)
            guard FileManager.default.fileExists(atPath: directory.configurationFile.path) else {
                let isGrid = FileManager.default.fileExists(atPath: url.appending(path: Comparison.gridFileName).path)
                throw TrainingError.unreadable(
                    path: url.relativePath,
                    reason: isGrid ? "it is a comparison; name one of its runs" : "it is no run's folder")
            }
            let newest = try directory.newestParameters(onDamage: onDamage)
            let summary = try directory.summary()
            let isAtEnd = newest.status == .finished && newest.stage.progress.stepCount == summary?.steps
            let state =
                switch newest.status {
                case .finished: isAtEnd ? "" : " (before the run's end)"
                case .diverged: " (the run diverged later)"
                case nil: " (the run has not ended)"
                }
            try self.init(
                of: directory, given, "after \(newest.stage.progress.stepCount) steps\(state)", newest.stage,
                .parameters(newest.parameters),
                average: newest.average, summary: isAtEnd ? summary : nil)
            return
        }
        let directory = RunDirectory(holding: url)
        if let directory {
            let tensors = CheckpointTensors(of: try Safetensors.read(url))
            let isAtEnd = [directory.finalParametersFile, directory.finalAverageFile].map(\.lastPathComponent)
                .contains(url.lastPathComponent)
            let stage =
                isAtEnd ? try directory.summary()?.stage : try? Checkpoint(contentsOf: url).state.trainer.stage
            try self.init(
                of: directory, given, "of \(url.lastPathComponent)", stage, .parameters(tensors.parameters),
                average: tensors.average, summary: nil)
            return
        }
        guard given.dataset != nil, given.model != nil else {
            throw TrainingError.contradiction(
                "\(url.relativePath) is no checkpoint in a run's folder, and a parameter file alone says nothing of its data and model; name a "
                    + "run, or add --dataset and --model to cabs evaluate")
        }
        self.init(
            configuration: try TrainingConfiguration(given), state: "", stage: nil, directory: nil, storedInput: nil,
            average: nil, summary: nil, source: .file(url))
    }

    private init(
        configuration: TrainingConfiguration, state: String, stage: TrainingStage?, directory: RunDirectory?,
        storedInput: InputDescription?, average: ParameterSet?, summary: RunSummary?, source: Source
    ) {
        self.configuration = configuration
        (self.state, self.stage) = (state, stage)
        self.directory = directory
        self.storedInput = storedInput
        self.average = average
        self.summary = summary
        self.source = source
    }

    private init(
        of directory: RunDirectory, _ given: TrainingOptions, _ state: String, _ stage: TrainingStage?,
        _ source: Source,
        average: ParameterSet?, summary: RunSummary?
    ) throws {
        var options = try TrainingOptions(contentsOf: directory.configurationFile)
        // Of the machine that trained, not of this one.
        options.workers = nil
        self.init(
            configuration: try TrainingConfiguration(options.overridden(by: given).options), state: state, stage: stage,
            directory: directory, storedInput: try directory.input(), average: average, summary: summary,
            source: source)
    }

    /// What the network must be given; where the run did not note it, its data are read to know.
    ///
    /// - Throws: What reading the data throws.
    public func input() throws -> InputDescription {
        if let storedInput { return storedInput }
        guard let input = try configuration.loadData().input else {
            throw TrainingError.contradiction(
                "nothing says what the network of \(configuration.model.name) must be given")
        }
        return input
    }

    /// The network's model.
    ///
    /// - Throws: What making the model throws.
    public func model() throws -> Model {
        let input = try input()
        return try configuration.model.model(
            input: input.networkShape, outputCount: input.targetCount, seed: configuration.options.seed!)
    }

    /// The parameters.
    ///
    /// - Parameters:
    ///   - model: The network's model.
    ///   - onConversion: Told where they are no 32-bit floats in their file.
    /// - Throws: What reading them throws.
    public func parameters(for model: Model, onConversion: (String) -> Void = { _ in }) throws -> ParameterSet {
        switch source {
        case .parameters(let parameters): parameters
        case .file(let url): try Safetensors.read(url, for: model, onConversion: onConversion)
        }
    }

    /// Sets the network up, to compute outputs and losses, and gradients where they are measured.
    ///
    /// - Throws: What setting up a network throws.
    public func network(
        for model: Model, estimator: GradientEstimator = .unmeasured, onConversion: (String) -> Void = { _ in }
    ) throws -> Network {
        try Network(
            model, loss: configuration.options.loss!, estimator: estimator,
            workerCount: configuration.options.workers,
            parameters: parameters(for: model, onConversion: onConversion))
    }
}

extension RunDirectory {
    /// The run whose checkpoint or parameters a file is; nothing where it is none.
    init?(holding file: URL) {
        let folder = file.absoluteURL.standardizedFileURL.deletingLastPathComponent().deletingLastPathComponent()
        self.init(existing: folder)
        guard file.pathExtension == "safetensors", FileManager.default.fileExists(atPath: configurationFile.path)
        else { return nil }
    }
}
