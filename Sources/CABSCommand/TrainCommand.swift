import ArgumentParser
import CABSTraining
import Foundation

/// `cabs train`.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model.",
        usage: "cabs train [<options>]",
        discussion: """
            Without options: mnist-2conv-2dense on Fashion-MNIST for six epochs at learning rate 0.2, with CABS; on the \
            digits that come with this program, with mlp, where Fashion-MNIST is missing.
            """)

    @OptionGroup(title: "Data") var data: DataArguments
    @OptionGroup(title: "Model") var model: ModelArguments
    @OptionGroup(title: "Optimizer") var learningRate: LearningRateArguments
    @OptionGroup(title: "Batch size") var batchSize: BatchSizeArguments
    @OptionGroup(title: "Run") var runArguments: RunArguments

    func run() async throws {
        let training = try await makeRun()
        WorkerNotice.print(workers: training.configuration.options.workers!)
        let display = ProgressDisplay(training.configuration.length)
        display.start(training.configuration, training.trainer.data)
        Interruption.install()
        do {
            let summary = try await training.run {
                display.show($0)
            } shouldStop: {
                Interruption.isRequested
            }
            display.finish(summary, in: training.directory)
        } catch let interruption as RunInterruption {
            display.finish(interruption, in: training.directory)
            throw ExitCode(Interruption.exitCode)
        }
    }

    private func makeRun() async throws -> TrainingRun {
        let traceFile = runArguments.trace.map { URL(userPath: $0) }
        if let folder = runArguments.resume {
            guard runArguments.config == nil, runArguments.output == nil else {
                throw ValidationError(
                    "--resume goes on in the run's own folder with its options; leave out --config and --output")
            }
            let given = try checkingUsage { try givenOptions() }
            do {
                return try await TrainingRun(
                    resuming: RunDirectory(existing: URL(userPath: folder)), with: given, traceFile: traceFile
                ) { printWarning("\($0); taking the checkpoint before") }
            } catch {
                return try checkingUsage { throw error }
            }
        }
        let configuration = try checkingUsage { try TrainingConfiguration(mergedOptions()) }
        return try checkingUsage {
            try TrainingRun(
                configuration, output: runArguments.output.map { URL(userPath: $0) }, traceFile: traceFile,
                onConversion: printWarning)
        }
    }

    /// The options of the configuration file, if there is one, with those of the command line in their place.
    private func mergedOptions() throws -> TrainingOptions {
        let given = try givenOptions()
        guard let file = runArguments.config else { return given }
        let (options, omitted) = try TrainingOptions(contentsOf: URL(userPath: file)).overridden(by: given)
        if !omitted.isEmpty {
            printWarning(
                "\(omitted.joined(separator: ", ")) of \(file) would mean nothing with the options given here; left out"
            )
        }
        return options
    }

    private func givenOptions() throws -> TrainingOptions {
        var given = TrainingOptions()
        data.fill(&given)
        try model.fill(&given)
        learningRate.fill(&given)
        batchSize.fill(&given)
        runArguments.fill(&given)
        return given
    }
}

/// Options about the examples.
struct DataArguments: ParsableArguments {
    @Option(help: "The data set; see `cabs data`.")
    var dataset: DatasetName?

    @Option(help: ArgumentHelp("The folder of its files, or one that holds it.", valueName: "dir"))
    var data: String?

    @Flag(name: .customLong("no-augment"), help: "Leave training examples as they are (CIFAR: central crops).")
    var noAugment = false

    @Option(
        help: ArgumentHelp(
            "How many training examples are held back and evaluated like the test examples, to choose by. (default: none)",
            valueName: "n"))
    var validation: Int?

    @Option(help: "The order of examples.")
    var order: TrainingOptions.OrderName?

    @Option(help: ArgumentHelp("The first example of a sequential order, from 0.", valueName: "n"))
    var firstExample: Int?

    func fill(_ options: inout TrainingOptions) {
        options.dataset = dataset
        options.data = data
        if noAugment { options.augment = false }
        options.validation = validation
        options.order = order
        options.firstExample = firstExample
    }
}

/// Options about the network.
struct ModelArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The model: \(ModelName.allCases.map(\.rawValue).joined(separator: ", ")), or a YAML file of layers.",
            valueName: "name"))
    var model: ModelArgument?

    @Option(help: "What training makes small.")
    var loss: Loss?

    @Option(help: ArgumentHelp("Start from the parameters of a safetensors file.", valueName: "file"))
    var initialParameters: String?

    @Option(help: "The seed of parameters, order and augmentation. (default: 0)")
    var seed: UInt64?

    func fill(_ options: inout TrainingOptions) throws {
        options.model = try model?.configuration()
        options.loss = loss
        options.initialParameters = initialParameters
        options.seed = seed
    }
}

/// Options of the optimiser.
struct LearningRateArguments: ParsableArguments {
    @Option(help: ArgumentHelp("\(OptimizerName.forms). (default: sgd)", valueName: "optimizer"))
    var optimizer: String?

    @Option(
        help:
            "The learning rate, at first. (default: 0.2 for MNIST and Fashion-MNIST, else 0.1; times 1 - BETA under momentum; 0.001 for Adam)"
    )
    var learningRate: Double?

    @Option(
        help: ArgumentHelp(
            "constant, cosine (to zero over the run), or step:FACTOR:EPOCHS. (default: constant)",
            valueName: "schedule"))
    var learningRateSchedule: String?

    @Option(
        help: ArgumentHelp(
            "Over so many steps, examples, epochs or seconds, as the run's length is given, the learning rate rises from a hundredth. (default: none)",
            valueName: "n"))
    var warmUp: Double?

    @Option(help: "The weight decay. (default: 0)")
    var weightDecay: Double?

    @Option(
        help: ArgumentHelp(
            "The largest norm that a gradient may have; a longer one is shortened to it. (default: none)",
            valueName: "norm"))
    var gradientBound: Double?

    func fill(_ options: inout TrainingOptions) {
        options.optimizer = optimizer
        options.learningRate = learningRate
        options.learningRateSchedule = learningRateSchedule
        options.warmUp = warmUp
        options.weightDecay = weightDecay
        options.gradientBound = gradientBound
    }
}

/// Options of the batch-size rule.
struct BatchSizeArguments: ParsableArguments {
    @Option(help: ArgumentHelp("\(BatchSizeRule.forms). (default: cabs)", valueName: "rule"))
    var batchSize: String?

    @Option(
        help: ArgumentHelp(
            "Log what other rules would choose: all, or their names with commas between.", valueName: "rules"))
    var shadow: String?

    @Option(help: ArgumentHelp("The smallest batch size of a rule that adapts. (default: 16)", valueName: "m"))
    var minimumBatchSize: Int?

    @Option(help: ArgumentHelp("The largest one. (default: 2048)", valueName: "m"))
    var maximumBatchSize: Int?

    @Option(help: ArgumentHelp("The first one. (default: the smallest)", valueName: "m"))
    var initialBatchSize: Int?

    @Option(help: "CABS, noise-scale: the weight of the past in the averages. (default: 0.95)")
    var smoothing: Double?

    @Option(help: "CABS: the constant in front of the rule. (default: 1)")
    var factor: Double?

    @Option(help: "CABS: what is added to the denominator. (default: 0)")
    var epsilon: Double?

    @Option(help: "CABS: the smallest loss that can be reached. (default: 0)")
    var lossFloor: Double?

    @Option(help: "How the gradient variance is measured. (default: exact)")
    var estimator: GradientEstimator?

    @Option(
        help: ArgumentHelp(
            "Every so many steps, measure the authors' approximation of the variance beside it, into estimators.jsonl.",
            valueName: "n"))
    var compareEstimators: Int?

    func fill(_ options: inout TrainingOptions) {
        options.batchSize = batchSize
        options.shadow = shadow
        options.minimumBatchSize = minimumBatchSize
        options.maximumBatchSize = maximumBatchSize
        options.initialBatchSize = initialBatchSize
        options.smoothing = smoothing
        options.factor = factor
        options.epsilon = epsilon
        options.lossFloor = lossFloor
        options.estimator = estimator
        options.compareEstimators = compareEstimators
    }
}

/// Options about the run as a whole.
struct RunArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Options from a YAML file; those given here go before.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Go on with the run in this folder from its last checkpoint; its length may grow.", valueName: "dir"))
    var resume: String?

    @Option(help: ArgumentHelp("How long: so many updates.", valueName: "n"))
    var steps: Int?

    @Option(help: ArgumentHelp("How long: so many examples.", valueName: "n"))
    var examples: Int?

    @Option(
        help: ArgumentHelp(
            "How long: so many epochs. (default: \(TrainingConfiguration.defaultEpochs.formatted()))", valueName: "n"))
    var epochs: Double?

    @Option(
        help: ArgumentHelp("How long: so many seconds of training, evaluations not counted.", valueName: "n"))
    var seconds: Double?

    @Option(
        help: ArgumentHelp(
            "Steps from one evaluation on the test examples to the next. (default: one at the end of each epoch)",
            valueName: "n"))
    var evaluateEvery: Int?

    @Option(
        help: ArgumentHelp(
            "How many evaluations on the test examples, spread evenly over the run.", valueName: "n"))
    var evaluations: Int?

    @Option(
        help: ArgumentHelp(
            "When to write checkpoints: a number of steps, or of minutes such as 5m. (default: 5m, and at the end)",
            valueName: "interval"))
    var checkpointEvery: String?

    @Option(help: ArgumentHelp("How many checkpoints stay. (default: 3)", valueName: "n"))
    var keepCheckpoints: Int?

    @Option(
        help: "What happens where loss or gradients are not finite, or the loss is above its bound. (default: stop)")
    var onDivergence: TrainingOptions.DivergenceResponse?

    @Option(help: "How many times a run may go back to its last checkpoint, at half the learning rate. (default: 3)")
    var rewinds: Int?

    @Option(help: "The largest mean loss of a batch with which its step is still made. (default: 1e6)")
    var lossBound: Double?

    @Option(help: "Threads that compute. (default: one for each processor that may be used)")
    var workers: Int?

    @Option(help: ArgumentHelp("The run's folder. (default: one below runs)", valueName: "dir"))
    var output: String?

    @Option(help: ArgumentHelp("Write each step to this file too, as a line of JSON.", valueName: "file"))
    var trace: String?

    func fill(_ options: inout TrainingOptions) {
        options.steps = steps
        options.examples = examples
        options.epochs = epochs
        options.seconds = seconds
        options.evaluateEvery = evaluateEvery
        options.evaluations = evaluations
        options.checkpointEvery = checkpointEvery
        options.keepCheckpoints = keepCheckpoints
        options.onDivergence = onDivergence
        options.rewinds = rewinds
        options.lossBound = lossBound
        options.workers = workers
    }
}
