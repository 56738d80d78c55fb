import CABSData
import CABSNetwork
import Foundation

/// The options of a run as configuration files and the command line give them; what is left out has a default.
///
/// A configuration file has the command line's option names as keys:
///
/// ```yaml
/// dataset: fashion-mnist
/// model: mnist-2conv-2dense
/// learning-rate: 0.1
/// batch-size: cabs
/// epochs: 3
/// ```
public struct TrainingOptions: Sendable, Codable {
    /// The data set.
    public var dataset: DatasetName?
    /// The folder of the data set's files.
    public var data: String?
    /// The size that images are brought to; their own where not given.
    public var imageSize: ImageSize?
    /// Of own pictures: how many channels they are brought to, 1 or 3.
    public var channels: Int?
    /// How images, or own arrays, are normalised.
    public var normalize: NormalizationName?
    /// Of own pictures that no folder divides: the part that is for testing.
    public var testFraction: Double?
    /// Of own pictures: how much memory they may take, such as `4GB`.
    public var cacheImages: String?
    /// What becomes of images, and whether at random.
    public var augment: AugmentationChoice?
    /// How many training examples are held back, to choose by.
    public var validation: Int?
    /// The model.
    public var model: ModelConfiguration?
    /// What training makes small.
    public var loss: Loss?
    /// The part of each target that is spread evenly over all classes, while training.
    public var labelSmoothing: Double?
    /// The optimiser: see ``OptimizerName``.
    public var optimizer: String?
    /// The learning rate α, at first.
    public var learningRate: Double?
    /// `constant`, `cosine` (down to zero over the run), or `step:FACTOR:EPOCHS`.
    public var learningRateSchedule: String?
    /// Over how much of the run the learning rate rises at first, in the unit of its length.
    public var warmUp: Double?
    /// How the learning rate follows the batch size, relative to the first one.
    public var scaleRate: RateScaling?
    /// The weight decay λ.
    public var weightDecay: Double?
    /// The largest norm of a gradient that is not shortened.
    public var gradientBound: Double?
    /// The average of the parameters that is kept: see ``ParameterAveraging``.
    public var average: String?
    /// The rule that chooses batch sizes: see ``BatchSizeRule``.
    public var batchSize: String?
    /// Rules that watch: `all`, or their names with commas between.
    public var shadow: String?
    /// The smallest batch size of a rule that adapts.
    public var minimumBatchSize: Int?
    /// The largest one.
    public var maximumBatchSize: Int?
    /// The first one.
    public var initialBatchSize: Int?
    /// CABS, noise scale and AdaDamp: the weight μ of the past in the averages.
    public var smoothing: Double?
    /// CABS: the constant c in front.
    public var factor: Double?
    /// CABS: the ε in the denominator.
    public var epsilon: Double?
    /// CABS and AdaDamp: the smallest reachable loss F*.
    public var lossFloor: Double?
    /// CABS: by how many standard errors what it asks for must differ from the batch size for that to change.
    public var significant: Double?
    /// CABS per second: what a step costs before its first example, in examples; measured where not given.
    public var fixedCost: Double?
    /// The run's length in updates.
    public var steps: Int?
    /// The run's length in examples.
    public var examples: Int?
    /// The run's length in epochs.
    public var epochs: Double?
    /// The run's length in seconds of training, evaluations not counted.
    public var seconds: Double?
    /// The seed of the first parameters, the order of examples and their random changes.
    public var seed: UInt64?
    /// The number of threads that compute.
    public var workers: Int?
    /// How the second moment of the gradients is measured.
    public var estimator: GradientEstimator?
    /// After how many steps the authors' approximation is measured beside the exact variance, again and again.
    public var compareEstimators: Int?
    /// `shuffled` or `sequential`.
    public var order: OrderName?
    /// The first example of a sequential order.
    public var firstExample: Int?
    /// A safetensors file with the parameters to start from.
    public var initialParameters: String?
    /// How many steps pass from one evaluation on the test examples to the next.
    public var evaluateEvery: Int?
    /// How many times to evaluate on the test examples, spread evenly over the run.
    public var evaluations: Int?

    /// When to write checkpoints: a number of steps, or of minutes with `m` behind it.
    public var checkpointEvery: String?
    /// How many checkpoints stay.
    public var keepCheckpoints: Int?

    /// The largest mean loss of a batch with which its step is still made.
    public var lossBound: Double?
    /// What happens where loss or gradients are not finite, or the loss is above its bound.
    public var onDivergence: DivergenceResponse?
    /// How many times a run may go back.
    public var rewinds: Int?

    /// What happens where a run diverges.
    public enum DivergenceResponse: String, Sendable, Hashable, Codable, CaseIterable {
        /// The run ends.
        case stop
        /// It goes back to its last checkpoint and halves the learning rate.
        case rewind
    }

    /// The names of the orders of examples.
    public enum OrderName: String, Sendable, Hashable, Codable, CaseIterable {
        /// By a random permutation in each epoch.
        case shuffled
        /// As they stand in the data set.
        case sequential
    }

    /// Creates options that leave everything to the defaults.
    public init() {}

    /// Creates options from the properties of other values that bear the same names.
    ///
    /// - Throws: Where a value cannot be encoded, or not be an option's.
    package init(properties groups: [any Encodable]) throws {
        var values: [String: JSONValue] = [:]
        for group in groups {
            guard case .object(let members) = try JSONValue(encoding: group) else { continue }
            for (name, value) in members { values[name.withHyphens] = value }
        }
        self = try JSONValue.object(values).decode(TrainingOptions.self)
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case dataset, data
        case imageSize = "image-size"
        case channels, normalize
        case testFraction = "test-fraction"
        case cacheImages = "cache-images"
        case augment, validation, model, loss
        case labelSmoothing = "label-smoothing"
        case optimizer
        case learningRate = "learning-rate"
        case learningRateSchedule = "learning-rate-schedule"
        case warmUp = "warm-up"
        case scaleRate = "scale-rate"
        case weightDecay = "weight-decay"
        case gradientBound = "gradient-bound"
        case average
        case batchSize = "batch-size"
        case shadow
        case minimumBatchSize = "minimum-batch-size"
        case maximumBatchSize = "maximum-batch-size"
        case initialBatchSize = "initial-batch-size"
        case smoothing, factor, epsilon
        case lossFloor = "loss-floor"
        case significant
        case fixedCost = "fixed-cost"
        case steps, examples, epochs, seconds, seed, workers, estimator, order
        case compareEstimators = "compare-estimators"
        case firstExample = "first-example"
        case initialParameters = "initial-parameters"
        case evaluateEvery = "evaluate-every"
        case evaluations
        case checkpointEvery = "checkpoint-every"
        case keepCheckpoints = "keep-checkpoints"
        case lossBound = "loss-bound"
        case onDivergence = "on-divergence"
        case rewinds
    }

    /// Options of which one stands for all: one given anew takes the place of the others.
    private static let alternatives: [Set<CodingKeys>] = [
        [.steps, .examples, .epochs, .seconds], [.evaluateEvery, .evaluations],
    ]

    /// Reads a configuration file.
    ///
    /// - Throws: ``TrainingError`` naming the file and what is wrong with it.
    public init(contentsOf file: URL) throws(TrainingError) {
        self = try ConfigurationFile.decode(StrictOptions.self, from: file).options
    }

    /// Reads a configuration file's text.
    ///
    /// - Throws: ``TrainingError`` naming the file and what is wrong with it.
    init(text: String, named name: String) throws(TrainingError) {
        self = try ConfigurationFile.decode(StrictOptions.self, from: text, named: name).options
    }

    /// Reads a file with a model: a mapping with the key `layers`.
    ///
    /// - Throws: ``TrainingError`` naming the file and what is wrong with it.
    public static func model(contentsOf file: URL) throws(TrainingError) -> ModelConfiguration {
        try ConfigurationFile.decode(ModelConfiguration.self, from: file)
    }

    /// These options, with those that `other` gives in their place, and the names of those that are left out because they would mean
    /// nothing beside them: another rule's options, another data set's folder.
    ///
    /// - Throws: An encoding error, which only a defect of this type can cause.
    public func overridden(by other: TrainingOptions) throws -> (options: TrainingOptions, omitted: [String]) {
        var result = try values()
        let given = try other.values()
        for group in Self.alternatives where group.contains(where: { given[$0.rawValue] != nil }) {
            for key in group { result[key.rawValue] = nil }
        }
        result.merge(given) { $1 }
        let omitted = CodingKeys.allCases.filter {
            result[$0.rawValue] != nil && given[$0.rawValue] == nil && !keepsMeaning($0, beside: other)
        }
        for key in omitted { result[key.rawValue] = nil }
        return (
            try JSONValue.object(result).decode(TrainingOptions.self),
            omitted.map(\.rawValue)
        )
    }

    /// Whether one of these options can stand beside others that are given anew.
    private func keepsMeaning(_ key: CodingKeys, beside other: TrainingOptions) -> Bool {
        switch key {
        case .data, .channels, .testFraction, .cacheImages:
            other.dataset == nil || dataset == nil || other.dataset == dataset
        case .firstExample: other.order != .shuffled
        default: other.batchSize.flatMap { try? BatchSizeRule($0) }?.reads(key) ?? true
        }
    }

    /// The options that are given.
    var given: Set<CodingKeys> {
        get throws { Set(try values().keys.compactMap { CodingKeys(rawValue: $0) }) }
    }

    /// The options that differ from others, by name, each with both values.
    func differences(from other: TrainingOptions) throws -> [(option: String, other: String, own: String)] {
        let (own, other) = (try values(), try other.values())
        func text(_ value: JSONValue?) -> String { value.map { "\($0)" } ?? "nothing" }
        return Set(own.keys).union(other.keys).sorted().compactMap { key in
            let (a, b) = (text(other[key]), text(own[key]))
            return a == b ? nil : (key, a, b)
        }
    }

    /// The options that are given, by name.
    func values() throws -> [String: JSONValue] {
        guard case .object(let members) = try JSONValue(encoding: self) else { return [:] }
        return members
    }

    /// The options with paths that name the same places from any folder.
    var withAbsolutePaths: TrainingOptions {
        func absolute(_ path: String) -> String { URL(userPath: path).absoluteURL.standardizedFileURL.path }
        var options = self
        options.data = data.map(absolute)
        options.initialParameters = initialParameters.map(absolute)
        return options
    }

    /// The options as a configuration file.
    ///
    /// - Throws: An encoding error, which only a defect of this type can cause.
    public func yaml() throws -> String {
        try ConfigurationFile.text(of: self)
    }
}

extension String {
    /// A property's name as that of an option: `loss-floor` for `lossFloor`.
    var withHyphens: String {
        reduce(into: "") { $0 += $1.isUppercase ? "-\($1.lowercased())" : "\($1)" }
    }
}
