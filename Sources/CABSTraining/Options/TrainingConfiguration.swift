import CABS
import CABSData
import CABSNetwork
import Foundation

/// Everything that a run consists of: options with all defaults filled in, checked against each other.
public struct TrainingConfiguration: Sendable {
    /// The complete options. A run with them repeats this one.
    public let options: TrainingOptions
    /// The data set.
    public let dataset: DatasetName
    /// The model.
    public let model: ModelConfiguration
    /// How images go to the model.
    public let images: ImageOptions
    /// The optimiser.
    public let optimizer: any Optimizer
    /// The average of the parameters that is kept, if one is.
    public let average: ParameterAveraging?
    /// The rule that chooses batch sizes.
    public let rule: BatchSizeRule
    /// The rules that watch it.
    public let shadows: [BatchSizeRule]
    /// How long the run lasts.
    public let length: TrainingLength
    /// How examples follow each other.
    public let order: ExampleOrder.Kind
    /// When checkpoints are written.
    public let checkpointInterval: CheckpointInterval
    /// How many checkpoints stay.
    public let keptCheckpointCount: Int
    /// Which options have no effect in this run, for people to read.
    public let notices: [String]

    /// Fills in the defaults and checks the options.
    ///
    /// - Parameters:
    ///   - given: The options.
    ///   - isShared: Whether several ranks make the run, each with a number of workers of its own where none is given.
    /// - Throws: ``TrainingError`` and `BatchSizePolicyError` for values out of range and options that contradict each
    ///   other.
    public init(_ given: TrainingOptions, isShared: Bool = false) throws {
        var options = given.withAbsolutePaths
        let dataset = try given.dataset ?? Self.defaultDataset(in: options.data)
        options.dataset = dataset
        let place = options.data.map { URL(filePath: $0) }
        let model = given.model ?? .named(Self.defaultModel(for: dataset, at: place))
        options.model = model
        images = try Self.images(&options, dataset, model)
        options.loss = given.loss ?? Self.defaultLoss(for: dataset, at: place)
        options.seed = given.seed ?? 0
        options.workers = given.workers ?? (isShared ? nil : Network.defaultWorkerCount)
        options.estimator = given.estimator ?? .exact
        length = try Self.length(&options)
        let optimizerName = try OptimizerName(given.optimizer ?? "sgd")
        options.optimizer = optimizerName.name
        options.learningRate =
            given.learningRate ?? optimizerName.defaultLearningRate(dataset.descriptor.usualLearningRate)
        optimizer = try Self.optimizer(optimizerName, &options, length: length)
        average = try options.average.map { [length] text throws in try ParameterAveraging(text, in: length) }
        options.average = average?.name
        rule = try Self.rule(&options)
        shadows = try Self.shadows(
            &options, beside: rule, followsGradient: optimizer.update.followsGradient)
        order = try Self.order(&options)
        notices = Self.withoutEffect(options, dataset, rule, length)
        (checkpointInterval, keptCheckpointCount) = try Self.checkpoints(&options)
        try Self.fillDivergence(&options)
        try Self.checkMeasurements(options)
        try Self.checkGradients(options)
        if let workers = options.workers, !EngineError.workerCounts.contains(workers) {
            throw EngineError.workerCountOutOfRange(workers)
        }
        self.dataset = dataset
        self.model = model
        self.options = options
        try checkPolicies()
    }

    private static func length(_ options: inout TrainingOptions) throws -> TrainingLength {
        let lengths: [TrainingLength] = [
            options.steps.map { .steps($0) }, options.examples.map { .examples($0) },
            options.epochs.map { .epochs($0) }, options.seconds.map { .seconds($0) },
        ].compactMap(\.self)
        guard lengths.count <= 1 else {
            throw TrainingError.contradiction(
                "steps, examples, epochs and seconds each set the run's length; give one of them")
        }
        if lengths.isEmpty { options.epochs = defaultEpochs }
        let length = lengths.first ?? .epochs(defaultEpochs)
        try length.validate()
        return length
    }

    private static func optimizer(
        _ optimizer: OptimizerName, _ options: inout TrainingOptions, length: TrainingLength
    ) throws -> any Optimizer {
        let rate = options.learningRate!
        let name = options.learningRateSchedule ?? "constant"
        options.learningRateSchedule = name
        options.weightDecay = options.weightDecay ?? 0
        let parts = name.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var schedule: LearningRateSchedule
        switch (parts[0], parts.count) {
        case ("constant", 1): schedule = .constant(rate)
        case ("cosine", 1): schedule = .cosine(initial: rate, final: 0, length: length)
        case ("step", 3):
            guard let factor = Double(parts[1]), let epochs = Double(parts[2]) else { fallthrough }
            schedule = .step(initial: rate, factor: factor, interval: .epochs(epochs))
        default:
            throw TrainingError.invalidOption(
                option: "learning-rate-schedule", value: name, allowed: "constant, cosine or step:FACTOR:EPOCHS")
        }
        if let warmUp = options.warmUp {
            guard warmUp < length.count else {
                throw TrainingError.contradiction(
                    "warm-up \(warmUp.shortest) is not shorter than the run of \(length), so the learning rate would never be reached; give a shorter "
                        + "one, or a longer run")
            }
            schedule = .warmingUp(length: try length.ofSameUnit(warmUp), schedule)
        }
        let optimizer = optimizer.optimizer(schedule, weightDecay: options.weightDecay!)
        try optimizer.validate()
        return optimizer
    }

    private static func rule(_ options: inout TrainingOptions) throws -> BatchSizeRule {
        let rule = try BatchSizeRule(options.batchSize ?? "cabs")
        try rule.fillDefaults(&options)
        return rule
    }

    private static func shadows(
        _ options: inout TrainingOptions, beside rule: BatchSizeRule, followsGradient: Bool
    ) throws -> [BatchSizeRule] {
        guard let text = options.shadow else { return [] }
        if text == "all" {
            return BatchSizeRule.watching(fixedCost: options.fixedCost).filter {
                $0 != rule && (followsGradient || !$0.assumesGradientDescent)
            }
        }
        var rules: [BatchSizeRule] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let shadow = try? BatchSizeRule(String(part)) else {
                throw TrainingError.invalidOption(
                    option: "shadow", value: text,
                    allowed: "all, or some of these with commas between: \(BatchSizeRule.forms)")
            }
            guard !rules.contains(shadow) else {
                throw TrainingError.contradiction("shadow names \(shadow.name) twice")
            }
            guard shadow != .cabsPerSecond || options.fixedCost != nil else {
                throw TrainingError.contradiction(
                    "shadow cabs-per-second needs fixed-cost: what steps cost is not measured for a rule that watches")
            }
            rules.append(shadow)
        }
        options.shadow = rules.map(\.name).joined(separator: ",")
        return rules
    }

    /// Checks the rules' options, and that what they read is measured.
    private func checkPolicies() throws {
        for (place, rule) in ([rule] + shadows).enumerated() {
            let option = place == 0 ? "batch-size" : "shadow"
            let name = "\(option) \(rule.name)"
            let policy = try rule.makePolicy(options, namedBy: option, examplesPerEpoch: 1)
            if policy.needsGradientStatistics, options.estimator == .unmeasured {
                throw TrainingError.policyNeedsStatistics(policy: name)
            }
            if policy.assumesGradientDescent, !optimizer.update.followsGradient {
                throw TrainingError.policyAssumesGradientDescent(policy: name)
            }
        }
    }

    private static func order(_ options: inout TrainingOptions) throws -> ExampleOrder.Kind {
        let name = options.order ?? .shuffled
        options.order = name
        switch name {
        case .shuffled:
            guard options.firstExample == nil else {
                throw TrainingError.contradiction(
                    "first-example means nothing in a shuffled order; add order sequential")
            }
            return .shuffled(seed: options.seed!)
        case .sequential:
            options.firstExample = options.firstExample ?? 0
            return .sequential(firstExample: options.firstExample!)
        }
    }

    /// Loads the data and sets up the trainer. Of several ranks all must, and have the same data and parameters.
    ///
    /// - Parameters:
    ///   - parameters: The parameters to start from, instead of those that the options name or the seed gives.
    ///   - team: The ranks that make the run together, where there are several.
    ///   - onConversion: Told where the initial parameters are no 32-bit floats in their file.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    /// - Throws: What loading the data and parameters, making the model and setting up the trainer throw.
    public func makeTrainer(
        from parameters: ParameterSet? = nil, for team: RankTeam? = nil, onConversion: (String) -> Void = { _ in },
        onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws -> Trainer {
        let data = try loadData(onProgress: onProgress)
        let model = try makeModel(for: data)
        let parameters =
            try parameters
            ?? options.initialParameters.map { path throws in
                try Safetensors.read(URL(filePath: path), for: model, onConversion: onConversion)
            }
            ?? model.initialParameters()
        try team?.compare(try DataFingerprint(data), parameters)
        return try Trainer(
            model: model, data: data, loss: options.loss!, optimizer: optimizer,
            batchSize: rule.makePolicy(options, for: data), estimator: options.estimator!,
            order: order, lossBound: options.lossBound!,
            gradientBound: options.gradientBound ?? .infinity, rateScaling: options.scaleRate, average: average,
            workerCount: team?.workerCount ?? options.workers,
            parameters: parameters, ranks: team?.communicator, exchange: team?.exchange ?? .automatic)
    }

    /// Checks that a run that began with other options may go on with these: only its length may grow, where nothing else follows from
    /// it, and what does not touch its course may change.
    ///
    /// - Parameters:
    ///   - before: What it began with.
    ///   - directory: The run's folder.
    ///   - isShared: Whether several ranks go on with it, each with its own values of ``RankTeam/optionsOfRanks``.
    /// - Throws: ``TrainingError/resumesDifferently(what:before:now:)`` naming the first option that may not.
    func checkContinuation(
        of before: TrainingConfiguration, in directory: RunDirectory, isShared: Bool
    ) throws {
        let free = Self.optionsBesideTheCourse(of: directory, isShared: isShared)
        for (option, old, new) in try options.differences(from: before.options) where !free.contains(option) {
            let grows =
                ["steps", "examples", "epochs", "seconds"].contains(option)
                && (Double(old) ?? .infinity) <= (Double(new) ?? -.infinity)
            if grows, followingLength == nil { continue }
            throw TrainingError.resumesDifferently(
                what: option, before: old, now: new,
                because: grows ? followingLength.map { "\($0) the run's whole length" } : nil)
        }
    }

    /// Options that may differ from those that a run began with: where its data lie, what is kept of it, and where several ranks make it those
    /// of each rank.
    ///
    /// - Parameters:
    ///   - directory: The run's folder, where there is a certain one.
    ///   - isShared: Whether several ranks make it now.
    static func optionsBesideTheCourse(of directory: RunDirectory? = nil, isShared: Bool = false) -> Set<String> {
        var free: Set = ["data", "cache-images", "checkpoint-every", "keep-checkpoints"]
        if isShared { free.formUnion(RankTeam.optionsOfRanks) }
        // Each rank had a number of its own, and the run none.
        if let directory, directory.isOfRanks { free.insert("workers") }
        return free
    }

    /// What beside the end follows from the run's length, in words; nothing where nothing does.
    private var followingLength: String? {
        if options.learningRateSchedule == "cosine" { return "the learning rate falls as a cosine over" }
        if case .tail = average { return "the average is of the last part of" }
        return options.evaluations == nil ? nil : "the evaluations are spread over"
    }

    /// The rules that watch.
    func makeShadows(for data: TrainingData) throws -> ShadowRules {
        try ShadowRules(shadows.map { ($0.name, try $0.makePolicy(options, for: data)) })
    }

    /// Loads the data.
    ///
    /// - Throws: `DatasetError` where the data set is not found or its files are not right.
    ///
    /// - Parameters:
    ///   - input: How inputs are brought to a network that is there already, which is then done with these too.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    public func loadData(
        for input: InputDescription? = nil, onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws(DatasetError) -> TrainingData {
        let data = try dataset.load(
            from: options.data.map { URL(filePath: $0) }, images: images(for: input), seed: options.seed!,
            onProgress: onProgress)
        let parts = try options.validation.map { count throws(DatasetError) in try data.holdingBack(count) } ?? data
        return try options.labelSmoothing.map { part throws(DatasetError) in try parts.smoothingLabels(part) } ?? parts
    }

    /// Loads what there is to evaluate a network on that is there already.
    ///
    /// - Throws: `DatasetError` where the data set is not found, its files are not right, or they do not fit the network.
    func loadEvaluationData(
        for input: InputDescription, onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws(DatasetError) -> EvaluationData {
        try dataset.evaluationData(
            from: options.data.map { URL(filePath: $0) }, for: input, images: images(for: input), onProgress: onProgress
        )
    }

    /// How images go to a network, which may be there already.
    private func images(for input: InputDescription?) -> ImageOptions {
        var images = images
        images.known = input
        if dataset == .folder, case .image(let height, let width, let channels)? = input?.shape {
            images.size = images.size ?? ImageSize(height: height, width: width)
            images.channelCount = images.channelCount ?? channels
        }
        return images
    }

    /// Makes the model for the data.
    ///
    /// - Throws: `ModelError` where the layers do not fit, ``TrainingError/modelDoesNotFitData(model:data:)`` where the
    ///   output does not have as many values as there are classes.
    public func makeModel(for data: TrainingData) throws -> Model {
        try makeModel(for: data.training, of: data.name)
    }

    /// Makes the model for some examples.
    ///
    /// - Parameter name: What the data are called.
    /// - Throws: As ``makeModel(for:)`` does.
    public func makeModel(for examples: any Dataset, of name: String) throws -> Model {
        let model = try model.model(
            input: examples.inputShape, outputCount: examples.target.count, seed: options.seed!)
        try model.checkFit(with: examples, of: name)
        return model
    }
}
