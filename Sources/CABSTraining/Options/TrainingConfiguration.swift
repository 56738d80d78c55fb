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

    /// Fills in the defaults and checks the options.
    ///
    /// - Throws: ``TrainingError`` and `BatchSizePolicyError` for values out of range and options that contradict each
    ///   other.
    public init(_ given: TrainingOptions) throws {
        var options = given.withAbsolutePaths
        let dataset = given.dataset ?? Self.defaultDataset(in: options.data)
        options.dataset = dataset
        let place = options.data.map { URL(filePath: $0) }
        let model = given.model ?? .named(Self.defaultModel(for: dataset, at: place))
        options.model = model
        images = try Self.images(&options, dataset, model)
        options.loss = given.loss ?? Self.defaultLoss(for: dataset, at: place)
        options.seed = given.seed ?? 0
        options.workers = given.workers ?? Network.defaultWorkerCount
        options.estimator = given.estimator ?? .exact
        length = try Self.length(&options)
        let optimizerName = try OptimizerName(given.optimizer ?? "sgd")
        options.optimizer = optimizerName.name
        options.learningRate =
            given.learningRate ?? optimizerName.defaultLearningRate(Self.defaultLearningRate(for: dataset))
        optimizer = try Self.optimizer(optimizerName, &options, length: length)
        average = try options.average.map { [length] text throws in try ParameterAveraging(text, in: length) }
        options.average = average?.name
        rule = try Self.rule(&options)
        shadows = try Self.shadows(
            &options, beside: rule, followsGradient: optimizer.update.followsGradient)
        order = try Self.order(&options)
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

    private static func images(
        _ options: inout TrainingOptions, _ dataset: DatasetName, _ model: ModelConfiguration
    ) throws -> ImageOptions {
        let augmentation = (options.augment ?? .usual).augmentation(dataset, model)
        options.augment = .named(augmentation)
        if augmentation == .paper || augmentation == .paperCenter, options.normalize ?? .image != .image {
            throw TrainingError.contradiction(
                "augment \(augmentation) normalises each image by itself; leave normalize out, or take another augmentation"
            )
        }
        if dataset == .folder {
            options.testFraction = options.testFraction ?? ImageOptions.usualTestFraction
        } else if let option = [
            ("channels", options.channels != nil), ("test-fraction", options.testFraction != nil),
            ("cache-images", options.cacheImages != nil),
        ].first(where: \.1) {
            throw TrainingError.contradiction(
                "\(option.0) means nothing with dataset \(dataset.rawValue), only with folder")
        }
        if let channels = options.channels, channels != 1, channels != 3 {
            throw TrainingError.invalidOption(
                option: "channels", value: "\(channels)", allowed: "1 (grey) or 3 (colour)")
        }
        let testFraction = options.testFraction ?? ImageOptions.usualTestFraction
        guard testFraction > 0, testFraction < 1 else {
            throw TrainingError.invalidOption(
                option: "test-fraction", value: "\(testFraction)", allowed: "a number between 0 and 1")
        }
        return ImageOptions(
            size: options.imageSize, augmentation: augmentation, normalization: options.normalize,
            channelCount: options.channels, testFraction: testFraction,
            memoryLimit: try options.cacheImages.map { try MemorySize($0).byteCount } ?? MemorySize.usual.byteCount)
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
        if let warmUp = options.warmUp { schedule = .warmingUp(length: try length.ofSameUnit(warmUp), schedule) }
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
            return BatchSizeRule.adaptive.filter { $0 != rule && (followsGradient || !$0.assumesGradientDescent) }
        }
        var rules: [BatchSizeRule] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let shadow = try BatchSizeRule(String(part))
            guard !rules.contains(shadow) else {
                throw TrainingError.contradiction("shadow names \(shadow.name) twice")
            }
            rules.append(shadow)
        }
        options.shadow = rules.map(\.name).joined(separator: ",")
        return rules
    }

    /// Checks the rules' options, and that what they read is measured.
    private func checkPolicies() throws {
        for rule in [rule] + shadows {
            let policy = try rule.makePolicy(options, examplesPerEpoch: 1, lossFloor: 0)
            if policy.needsGradientStatistics, options.estimator == .unmeasured {
                throw TrainingError.policyNeedsStatistics(policy: "batch-size \(rule.name)")
            }
            if policy.assumesGradientDescent, !optimizer.update.followsGradient {
                throw TrainingError.policyAssumesGradientDescent(policy: "batch-size \(rule.name)")
            }
        }
    }

    private static func checkpoints(_ options: inout TrainingOptions) throws -> (CheckpointInterval, Int) {
        let (every, count) = (options.checkpointEvery ?? "5m", options.keepCheckpoints ?? 3)
        (options.checkpointEvery, options.keepCheckpoints) = (every, count)
        try requirePositive(count, "keep-checkpoints")
        return (try CheckpointInterval(every), count)
    }

    private static func fillDivergence(_ options: inout TrainingOptions) throws {
        let bound = options.lossBound ?? 1e6
        // Written so that "not a number" is refused.
        guard bound > 0 else { throw TrainingError.notPositive(option: "loss-bound", value: bound) }
        options.lossBound = bound
        let response = options.onDivergence ?? .stop
        options.onDivergence = response
        switch response {
        case .stop:
            guard options.rewinds == nil else {
                throw TrainingError.contradiction("rewinds means nothing without on-divergence rewind")
            }
        case .rewind:
            options.rewinds = options.rewinds ?? 3
            try requirePositive(options.rewinds, "rewinds")
        }
    }

    /// Checks when to evaluate and to compare estimators.
    private static func checkMeasurements(_ options: TrainingOptions) throws {
        try requirePositive(options.validation, "validation")
        try requirePositive(options.evaluateEvery, "evaluate-every")
        try requirePositive(options.evaluations, "evaluations")
        try requirePositive(options.compareEstimators, "compare-estimators")
        guard options.compareEstimators == nil || options.estimator == .exact else {
            throw TrainingError.contradiction("compare-estimators compares with the exact one; leave estimator out")
        }
        guard options.evaluations == nil || options.evaluateEvery == nil else {
            throw TrainingError.contradiction(
                "evaluations and evaluate-every each say when to evaluate; give one of them")
        }
    }

    /// Checks what changes the gradients: their bound, and that smoothed labels mean what the loss takes them for.
    private static func checkGradients(_ options: TrainingOptions) throws {
        if let bound = options.gradientBound, !(bound > 0 && bound.isFinite) {
            throw TrainingError.notPositive(option: "gradient-bound", value: bound)
        }
        guard let smoothing = options.labelSmoothing else { return }
        guard smoothing >= 0, smoothing < 1 else {
            throw TrainingError.invalidOption(
                option: "label-smoothing", value: "\(smoothing)", allowed: "from 0 up to, not including, 1")
        }
        guard options.loss == .softmaxCrossEntropy else {
            throw TrainingError.contradiction(
                "label-smoothing spreads a target over classes, of which loss \(options.loss!.rawValue) has none; leave it out"
            )
        }
    }

    private static func requirePositive(_ value: Int?, _ option: String) throws {
        if let value, value < 1 { throw TrainingError.notPositive(option: option, value: Double(value)) }
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

    /// Loads the data and sets up the trainer.
    ///
    /// - Parameters:
    ///   - parameters: The parameters to start from, instead of those that the options name or the seed gives.
    ///   - onConversion: Told where the initial parameters are no 32-bit floats in their file.
    /// - Throws: What loading the data and parameters, making the model and setting up the trainer throw.
    public func makeTrainer(
        from parameters: ParameterSet? = nil, onConversion: (String) -> Void = { _ in }
    ) throws -> Trainer {
        let data = try loadData()
        let model = try makeModel(for: data)
        let parameters =
            try parameters
            ?? options.initialParameters.map { path throws in
                try Safetensors.read(URL(filePath: path), for: model, onConversion: onConversion)
            }
        return try Trainer(
            model: model, data: data, loss: options.loss!, optimizer: optimizer,
            batchSize: rule.makePolicy(options, for: data), estimator: options.estimator!,
            order: order, lossBound: options.lossBound!,
            gradientBound: options.gradientBound ?? .infinity, average: average, workerCount: options.workers,
            parameters: parameters)
    }

    /// Checks that a run that began with other options may go on with these: only its length may grow, where nothing else follows from
    /// it, and what does not touch its course may change.
    ///
    /// - Throws: ``TrainingError/resumesDifferently(what:before:now:)`` naming the first option that may not.
    func checkContinuation(of before: TrainingConfiguration) throws {
        for (option, old, new) in try options.differences(from: before.options)
        where !Self.optionsBesideTheCourse.contains(option) {
            if ["steps", "examples", "epochs", "seconds"].contains(option), !lengthSetsMore,
                let (old, new) = (Double(old), Double(new)) as? (Double, Double), new >= old
            {
                continue
            }
            throw TrainingError.resumesDifferently(what: option, before: old, now: new)
        }
    }

    /// Options that a run's course does not follow from: where its data lie, and what is kept of it.
    static let optionsBesideTheCourse: Set<String> = ["data", "cache-images", "checkpoint-every", "keep-checkpoints"]

    /// Whether more than the end follows from the run's length.
    private var lengthSetsMore: Bool {
        if case .tail = average { return true }
        return options.learningRateSchedule == "cosine" || options.evaluations != nil
    }

    /// The rules that watch.
    func makeShadows(for data: TrainingData) throws -> ShadowRules {
        try ShadowRules(shadows.map { ($0.name, try $0.makePolicy(options, for: data)) })
    }

    /// Loads the data.
    ///
    /// - Throws: `DatasetError` where the data set is not found or its files are not right.
    ///
    /// - Parameter input: How inputs are brought to a network that is there already, which is then done with these too.
    public func loadData(for input: InputDescription? = nil) throws(DatasetError) -> TrainingData {
        var images = images
        images.knownNormalization = input?.normalization
        let data = try dataset.load(
            from: options.data.map { URL(filePath: $0) }, images: images, seed: options.seed!)
        let parts = try options.validation.map { count throws(DatasetError) in try data.holdingBack(count) } ?? data
        return try options.labelSmoothing.map { part throws(DatasetError) in try parts.smoothingLabels(part) } ?? parts
    }

    /// Makes the model for the data.
    ///
    /// - Throws: `ModelError` where the layers do not fit, ``TrainingError/modelDoesNotFitData(model:data:)`` where the
    ///   output does not have as many values as there are classes.
    public func makeModel(for data: TrainingData) throws -> Model {
        let model = try model.model(
            input: data.training.inputShape, outputCount: data.training.targetCount, seed: options.seed!)
        try model.checkFit(with: data)
        return model
    }
}
