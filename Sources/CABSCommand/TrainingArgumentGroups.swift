import ArgumentParser
import CABSTraining

/// Options about the examples.
struct DataArguments: TrainingArguments {
    @Option(
        help:
            "The data set; see `cabs data`. Own data: folder (of pictures, a folder for each class) or npz (arrays), with --data."
    )
    var dataset: DatasetName?

    @Option(help: ArgumentHelp("The folder of its files, or one that holds it; of npz the file.", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "How many training examples are held back and evaluated like the test examples, to choose by. (default: none)",
            valueName: "n"))
    var validation: Int?

    @Option(
        help: ArgumentHelp(
            "folder without train and test: the part of the pictures that is for testing, chosen by their names. (default: 0.2)",
            valueName: "part"))
    var testFraction: Double?

    @Option(help: "The order of examples.")
    var order: TrainingOptions.OrderName?

    @Option(help: ArgumentHelp("The first example of a sequential order, from 0.", valueName: "n"))
    var firstExample: Int?
}

/// Options about how images go to a network.
struct ImageArguments: TrainingArguments {
    @Option(
        help: ArgumentHelp(
            "The size that images are brought to: resized to cover it, then cut off around the middle. (default: their own)",
            valueName: "hxw"))
    var imageSize: ImageSize?

    @Option(
        help: ArgumentHelp(
            "How values are normalised: unit (0 to 1), channel (by mean and deviation of each channel over the training images) or image (each by itself). (default: channel for folder and npz, else as the set's papers have it)",
            valueName: "way"))
    var normalize: NormalizationName?

    @Option(
        help: ArgumentHelp(
            "folder: 1 brings all pictures to grey, 3 to colour. (default: what the files are)", valueName: "n"))
    var channels: Int?

    @Option(
        help: ArgumentHelp(
            "folder: how much memory the pictures may take, such as 4GB; more are decoded each time. (default: half of what there is)",
            valueName: "size"))
    var cacheImages: String?

    @Option(
        help: ArgumentHelp(
            "What becomes of images: \(Augmentation.forms). (default: none; for CIFAR paper, and crop:4,flip with residual networks)",
            valueName: "recipe"))
    var augment: AugmentationChoice?

    @Flag(name: .customLong("no-augment"), help: "The default of --augment without what is random in it.")
    var noAugment = false

    /// What the arguments say of augmentation.
    func checkedChoice() throws -> AugmentationChoice? {
        guard noAugment else { return augment }
        guard augment == nil else { throw ValidationError("--augment and --no-augment exclude each other") }
        return .usualWithoutChance
    }
}

/// Options about the network.
struct ModelArguments: TrainingArguments {
    @Option(
        help: ArgumentHelp(
            "The model: \(ModelName.allCases.map(\.rawValue).joined(separator: ", ")), or a YAML file of layers.",
            valueName: "name"))
    var model: ModelArgument?

    @Option(help: "What training makes small.")
    var loss: Loss?

    @Option(
        help: ArgumentHelp(
            "The part of each target that is spread evenly over all classes, while training. (default: 0)",
            valueName: "part"))
    var labelSmoothing: Double?

    @Option(help: ArgumentHelp("Start from the parameters of a safetensors file.", valueName: "file"))
    var initialParameters: String?

    @Option(help: "The seed of parameters, order and augmentation. (default: 0)")
    var seed: UInt64?
}

/// The learning rate.
struct LearningRateArguments: TrainingArguments {
    @Option(
        help:
            "The learning rate, at first. (default: 0.2 for MNIST and Fashion-MNIST, else 0.1; times 1 - BETA under momentum; 0.001 for Adam)"
    )
    var learningRate: Double?
}

/// Options of the optimiser.
struct OptimizerArguments: TrainingArguments {
    @Option(help: ArgumentHelp("\(OptimizerName.forms). (default: sgd)", valueName: "optimizer"))
    var optimizer: String?

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

    @Option(
        help: ArgumentHelp(
            "The learning rate grows with the batch, relative to the first one: linear, or sqrt for its root. (default: not)",
            valueName: "way"))
    var scaleRate: RateScaling?

    @Option(help: "The weight decay. (default: 0)")
    var weightDecay: Double?

    @Option(
        help: ArgumentHelp(
            "The largest norm that a gradient may have; a longer one is shortened to it. (default: none)",
            valueName: "norm"))
    var gradientBound: Double?

    @Option(
        help: ArgumentHelp(
            "Keep an average of the parameters too, over about so many examples or the last part of the run: ema:EXAMPLES or swa[:PART]. (default: none)",
            valueName: "average"))
    var average: String?
}

/// Options of what is measured for the batch-size rule, and beside it.
struct MeasurementArguments: TrainingArguments {
    @Option(
        help: ArgumentHelp(
            "Log what other rules would choose: all (cabs-per-second only with --fixed-cost), or their names with commas between.",
            valueName: "rules"))
    var shadow: String?

    @Option(help: "How the gradient variance is measured. (default: exact)")
    var estimator: GradientEstimator?

    @Option(
        help: ArgumentHelp(
            "Every so many steps, measure the authors' approximation of the variance beside it, into estimators.jsonl.",
            valueName: "n"))
    var compareEstimators: Int?
}

/// The batch-size rule with its options.
struct RuleArguments: TrainingArguments {
    @Option(help: ArgumentHelp("\(BatchSizeRule.forms). (default: cabs)", valueName: "rule"))
    var batchSize: String?

    @Option(
        help: ArgumentHelp(
            "The smallest batch size of a rule that adapts. (default: \(BoundedBatchSize.usualBounds.lowerBound))",
            valueName: "m"))
    var minimumBatchSize: Int?

    @Option(
        help: ArgumentHelp("The largest one. (default: \(BoundedBatchSize.usualBounds.upperBound))", valueName: "m"))
    var maximumBatchSize: Int?

    @Option(help: ArgumentHelp("The first one. (default: the smallest)", valueName: "m"))
    var initialBatchSize: Int?

    @Option(help: "CABS, noise-scale, adadamp: the weight of the past in the averages. (default: 0.95)")
    var smoothing: Double?

    @Option(help: "CABS: the constant in front of the rule. (default: 1)")
    var factor: Double?

    @Option(help: "CABS: what is added to the denominator. (default: 0)")
    var epsilon: Double?

    @Option(help: "CABS, adadamp: the smallest loss that can be reached. (default: 0, or what smoothed labels leave)")
    var lossFloor: Double?

    @Option(
        help: ArgumentHelp(
            "CABS: change the batch only where what the rule asks for is so many standard errors away from it. (default: 0, always, as in the paper)",
            valueName: "z"))
    var significant: Double?

    @Option(
        help: ArgumentHelp(
            "cabs-per-second: what a step costs before its first example, in examples. (default: measured)",
            valueName: "r"))
    var fixedCost: Double?
}

/// Options about the run as a whole.
struct RunArguments: TrainingArguments {
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
}
