import CABS
import CABSData
import CABSExamples

/// A batch-size rule as options name it: a word, and for some rules numbers behind colons.
public enum BatchSizeRule: Sendable, Hashable {
    /// `cabs`: see `CoupledAdaptiveBatchSize`.
    case cabs
    /// `cabs-per-second`: see `CoupledBatchSizePerSecond`.
    case cabsPerSecond
    /// `constant:M`: see `ConstantBatchSize`.
    case constant(Int)
    /// `step:FACTOR:EPOCHS`: see `StepwiseGrowth`.
    case step(factor: Double, epochs: Double)
    /// `geometric:FACTOR`: see `GeometricGrowth`.
    case geometric(factor: Double)
    /// `norm-test:THETA`: see `NormTest`.
    case normTest(tolerance: Double)
    /// `big-batch:THETA`: see `BigBatch`.
    case bigBatch(tolerance: Double)
    /// `noise-scale`: see `GradientNoiseScale`.
    case noiseScale
    /// `adadamp[:F0]`: see `AdaDamp`.
    case adaDamp(initialLoss: Double?)
    /// `simigrad[:GAMMA]`: see `SimiGrad`.
    case simiGrad(similarity: Double)

    /// All ways to name a rule, for people to read.
    public static let forms =
        "cabs, cabs-per-second, constant:M, step[:FACTOR:EPOCHS], geometric[:FACTOR], norm-test[:THETA], big-batch[:THETA], noise-scale, adadamp[:F0] or simigrad[:GAMMA]"

    /// The rules that adapt, with the numbers of their sources, which they also have where none are named.
    public static let adaptive: [BatchSizeRule] = [
        .cabs, .noiseScale, .normTest(tolerance: 0.9), .bigBatch(tolerance: 1), .geometric(factor: 1.1),
        .step(factor: 2, epochs: 20), .adaDamp(initialLoss: nil), .simiGrad(similarity: 0.5),
    ]

    /// The rules that `--shadow all` stands for.
    ///
    /// - Parameter fixedCost: What a step costs before its first example, where that is given: what is measured of it does not repeat, so a rule
    ///   that goes by it watches only where it is told.
    public static func watching(fixedCost: Double?) -> [BatchSizeRule] {
        fixedCost == nil ? adaptive : withDefaults
    }

    /// The rules that need no numbers, all that adapt.
    private static let withDefaults = adaptive + [.cabsPerSecond]

    /// Reads a rule's name.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)`` where there is no such rule.
    public init(_ text: String) throws(TrainingError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let numbers = parts.dropFirst().compactMap(Double.init)
        guard numbers.count == parts.count - 1, let rule = Self(parts[0], numbers, parts) else {
            throw .invalidOption(option: "batch-size", value: text, allowed: Self.forms)
        }
        self = rule
    }

    private init?(_ word: String, _ numbers: [Double], _ parts: [String]) {
        switch (word, numbers.count) {
        case (_, 0):
            guard let rule = Self.withDefaults.first(where: { $0.word == word }) else { return nil }
            self = rule
        case ("constant", 1):
            guard let size = Int(parts[1]) else { return nil }
            self = .constant(size)
        case ("step", 2): self = .step(factor: numbers[0], epochs: numbers[1])
        case ("geometric", 1): self = .geometric(factor: numbers[0])
        case ("norm-test", 1): self = .normTest(tolerance: numbers[0])
        case ("big-batch", 1): self = .bigBatch(tolerance: numbers[0])
        case ("adadamp", 1): self = .adaDamp(initialLoss: numbers[0])
        case ("simigrad", 1): self = .simiGrad(similarity: numbers[0])
        default: return nil
        }
    }

    /// The rule's name without numbers.
    private var word: Substring { name.prefix { $0 != ":" } }

    /// The rule's name with all its numbers.
    public var name: String {
        switch self {
        case .cabs: "cabs"
        case .cabsPerSecond: "cabs-per-second"
        case .constant(let size): "constant:\(size)"
        case .step(let factor, let epochs): "step:\(factor.shortest):\(epochs.shortest)"
        case .geometric(let factor): "geometric:\(factor.shortest)"
        case .normTest(let tolerance): "norm-test:\(tolerance.shortest)"
        case .bigBatch(let tolerance): "big-batch:\(tolerance.shortest)"
        case .noiseScale: "noise-scale"
        case .adaDamp(let loss): "adadamp" + (loss.map { ":\($0.shortest)" } ?? "")
        case .simiGrad(let similarity): "simigrad:\(similarity.shortest)"
        }
    }

    /// The options that belong to rules.
    static let options: Set<TrainingOptions.CodingKeys> = [
        .minimumBatchSize, .maximumBatchSize, .initialBatchSize, .smoothing, .factor, .epsilon, .lossFloor,
        .significant, .fixedCost,
    ]

    /// Whether an option means something beside this rule.
    func reads(_ option: TrainingOptions.CodingKeys) -> Bool {
        switch option {
        case .minimumBatchSize, .maximumBatchSize, .initialBatchSize: isAdaptive
        case .smoothing: smooths
        case .factor, .epsilon, .significant: isCoupled
        case .lossFloor: readsLossFloor
        case .fixedCost: self == .cabsPerSecond
        default: true
        }
    }

    /// Fills in the defaults of the options that belong to the rule.
    ///
    /// - Throws: ``TrainingError/contradiction(_:)`` where an option is given that the rule does not read.
    func fillDefaults(_ options: inout TrainingOptions) throws {
        let given = try options.given
        // The cost of a step may be given for a shadow.
        let watches = options.shadow?.split(separator: ",").contains {
            ["all", Self.cabsPerSecond.name].contains(String($0))
        }
        if let option = TrainingOptions.CodingKeys.allCases.first(where: {
            given.contains($0) && !reads($0) && !($0 == .fixedCost && watches ?? false)
        }) {
            throw TrainingError.contradiction("\(option.rawValue) means nothing with batch-size \(name)")
        }
        options.batchSize = name
        options = completed(options)
        // Smoothed labels have a floor of their own, which the data tell.
        if readsLossFloor, options.labelSmoothing == nil { options.lossFloor = options.lossFloor ?? 0 }
    }

    /// Options with the defaults of those that the rule reads, but for the loss floor, which is the data's.
    private func completed(_ given: TrainingOptions) -> TrainingOptions {
        var options = given
        guard isAdaptive else { return options }
        let minimum = options.minimumBatchSize ?? BoundedBatchSize.usualBounds.lowerBound
        options.minimumBatchSize = minimum
        options.maximumBatchSize = options.maximumBatchSize ?? max(BoundedBatchSize.usualBounds.upperBound, minimum)
        options.initialBatchSize = options.initialBatchSize ?? minimum
        if smooths { options.smoothing = options.smoothing ?? 0.95 }
        guard isCoupled else { return options }
        options.factor = options.factor ?? 1
        options.epsilon = options.epsilon ?? 0
        options.significant = options.significant ?? 0
        return options
    }

    /// Whether the rule's derivation assumes a step along the gradient: it does not go with Adam.
    var assumesGradientDescent: Bool { isCoupled }

    private var isCoupled: Bool { self == .cabs || self == .cabsPerSecond }

    private var isAdaptive: Bool {
        if case .constant = self { false } else { true }
    }

    private var readsLossFloor: Bool {
        if case .adaDamp = self { true } else { isCoupled }
    }

    private var smooths: Bool { readsLossFloor || self == .noiseScale }

    /// Makes the policy.
    ///
    /// - Parameters:
    ///   - given: Options of which those that the rule reads count; others have the rule's defaults.
    ///   - option: The option that names the rule, for messages.
    ///   - examplesPerEpoch: The number of training examples.
    ///   - lossFloor: The smallest reachable loss, unless the options say another.
    /// - Throws: `BatchSizePolicyError` and ``TrainingError`` for values out of range.
    public func makePolicy(
        _ given: TrainingOptions, namedBy option: String = "batch-size", examplesPerEpoch: Int, lossFloor: Double = 0
    ) throws -> any BatchSizePolicy {
        var options = completed(given)
        options.lossFloor = options.lossFloor ?? lossFloor
        let initial = options.initialBatchSize
        switch self {
        case .constant(let size):
            let policy = try ConstantBatchSize(size)
            try Self.requirePossible(size, option)
            return policy
        case .cabs: return try coupled(options)
        case .cabsPerSecond: return try CoupledBatchSizePerSecond(coupled(options), fixedCost: options.fixedCost)
        case .step(let factor, let epochs):
            guard epochs > 0, epochs.isFinite else {
                throw TrainingError.notPositive(option: "number of epochs of \(option) \(name)", value: epochs)
            }
            let interval = min(max((epochs * Double(examplesPerEpoch)).rounded(), 1), 0x1p53)
            return try StepwiseGrowth(
                factor: factor, interval: Int(interval), bounds: bounds(options), initialBatchSize: initial)
        case .geometric(let factor):
            return try GeometricGrowth(factor: factor, bounds: bounds(options), initialBatchSize: initial)
        case .normTest(let tolerance):
            return try NormTest(tolerance: tolerance, bounds: bounds(options), initialBatchSize: initial)
        case .bigBatch(let tolerance):
            return try BigBatch(tolerance: tolerance, bounds: bounds(options), initialBatchSize: initial)
        case .noiseScale:
            return try GradientNoiseScale(
                smoothingFactor: options.smoothing!, bounds: bounds(options), initialBatchSize: initial)
        case .adaDamp(let initialLoss):
            return try AdaDamp(
                initialLoss: initialLoss,
                initialExampleCount: Self.initialExampleCount(examplesPerEpoch: examplesPerEpoch),
                smoothingFactor: options.smoothing!, lossFloor: options.lossFloor!, bounds: bounds(options),
                initialBatchSize: initial)
        case .simiGrad(let similarity):
            return try SimiGrad(similarity: similarity, bounds: bounds(options), initialBatchSize: initial)
        }
    }

    /// Between which sizes a rule that adapts stays.
    private func bounds(_ options: TrainingOptions) throws -> ClosedRange<Int> {
        let (minimum, maximum) = (options.minimumBatchSize!, options.maximumBatchSize!)
        guard minimum <= maximum else { throw BatchSizePolicyError.boundsCross(minimum: minimum, maximum: maximum) }
        try Self.requirePossible(maximum, "maximum-batch-size")
        return minimum...maximum
    }

    private func coupled(_ options: TrainingOptions) throws -> CoupledAdaptiveBatchSize {
        try CoupledAdaptiveBatchSize(
            bounds: bounds(options), initialBatchSize: options.initialBatchSize, smoothingFactor: options.smoothing!,
            factor: options.factor!, epsilon: options.epsilon!, lossFloor: options.lossFloor!,
            significance: options.significant!)
    }

    /// Over how many of a run's first examples AdaDamp's first loss is averaged: a tenth of an epoch, rounded up.
    static func initialExampleCount(examplesPerEpoch: Int) -> Int {
        max(1, examplesPerEpoch / 10 + (examplesPerEpoch % 10 > 0 ? 1 : 0))
    }

    /// Makes the policy for some data.
    ///
    /// - Throws: As ``makePolicy(_:namedBy:examplesPerEpoch:lossFloor:)``.
    func makePolicy(_ options: TrainingOptions, for data: TrainingData) throws -> any BatchSizePolicy {
        try makePolicy(options, examplesPerEpoch: data.training.count, lossFloor: data.lossFloor)
    }

    /// The largest batch size that a run accepts: beyond it the list of a batch's examples alone would fill the memory.
    private static let largestBatchSize = 100_000_000

    /// Checks that a run can make a batch of so many examples.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)``.
    static func requirePossible(_ size: Int, _ option: String) throws(TrainingError) {
        guard (1...largestBatchSize).contains(size) else {
            throw .invalidOption(option: option, value: "\(size)", allowed: "from 1 to \(largestBatchSize)")
        }
    }
}

extension TrainingData {
    /// The smallest loss that can be reached, as far as the targets tell: more than 0 where labels are smoothed.
    var lossFloor: Double { (training as? SmoothedLabels)?.lossFloor ?? 0 }
}
