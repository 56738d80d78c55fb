/// A rule that chooses the size of the next batch from what the last step measured.
///
/// A policy is a value: copy it to branch a run, encode it to store one. Its encoded form holds its options
/// and its whole state, so that a decoded policy goes on exactly where the encoded one stood.
///
/// Any training loop can drive one, whatever computes its gradients:
///
/// ```swift
/// var policy: any BatchSizePolicy = try CoupledAdaptiveBatchSize()
/// var batchSize = policy.initialBatchSize
/// for _ in 0..<steps {
///     let gradients = perExampleGradients(of: nextExamples(batchSize))   // yours
///     update(with: gradients.mean, learningRate: 0.1)                    // yours
///     batchSize = policy.observe(
///         StepStatistics(
///             exampleCount: batchSize, meanLoss: gradients.meanLoss,
///             secondMoment: gradients.meanSquaredNorm, gradientSquaredNorm: gradients.mean.squaredNorm),
///         learningRate: 0.1
///     ).nextBatchSize
/// }
/// ```
public protocol BatchSizePolicy: Sendable, Codable {
    /// The size of a run's first batch.
    var initialBatchSize: Int { get }

    /// What ``observe(_:learningRate:)`` reads, beside the number of examples. A trainer may leave the rest unmeasured.
    var reads: Set<StepQuantity> { get }

    /// Whether the rule's derivation assumes that steps go along the gradient, with one learning rate for all values: such a rule
    /// does not go with Adam. False unless a rule says otherwise.
    var assumesGradientDescent: Bool { get }

    /// Takes in the statistics of the step just made and chooses the next batch's size.
    ///
    /// - Parameters:
    ///   - statistics: What the step measured.
    ///   - learningRate: The learning rate α of that step; under momentum β the effective one, α / (1 − β).
    mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision

    /// Takes in what a step took, before its statistics. Rules that do not ask for it need not be told; nothing follows from it in them.
    mutating func observe(_ cost: StepCost)
}

/// What a step tells a rule, beside its number of examples.
public enum StepQuantity: Sendable, Hashable {
    /// The batch's mean loss.
    case loss
    /// The learning rate.
    case learningRate
    /// The second moment of the example gradients, with its standard error where that is known, and the squared norm of their mean.
    case gradientMoments
}

extension BatchSizePolicy {
    /// Whether the rule reads the second moment and the gradient's squared norm.
    public var needsGradientStatistics: Bool { reads.contains(.gradientMoments) }

    /// False.
    public var assumesGradientDescent: Bool { false }

    /// Does nothing.
    public mutating func observe(_ cost: StepCost) {}
}

/// A policy's choice after one step, with the quantities that led to it.
public struct BatchSizeDecision: Sendable, Hashable {
    /// The number of examples that the next batch takes.
    public let nextBatchSize: Int

    /// The batch size before rounding and bounds; not finite where the rule is degenerate.
    public let rawBatchSize: Double

    /// The standard error of ``rawBatchSize`` from those of the measured second moments, for rules that keep track of it; what else is
    /// measured counts as exact.
    public let rawBatchSizeStandardError: Double?

    /// The running average of the loss, for rules that keep one.
    public let smoothedLoss: Double?

    /// The running average of the within-batch variance, for rules that keep one.
    public let smoothedVariance: Double?

    /// What CABS would choose, as a real number, for rules that begin with it.
    public let coupledBatchSize: Double?

    /// What a step costs before its first example, in examples, for rules that go by it.
    public let fixedCost: Double?

    /// Creates a decision.
    public init(
        nextBatchSize: Int, rawBatchSize: Double, rawBatchSizeStandardError: Double? = nil, smoothedLoss: Double? = nil,
        smoothedVariance: Double? = nil, coupledBatchSize: Double? = nil, fixedCost: Double? = nil
    ) {
        self.nextBatchSize = nextBatchSize
        self.rawBatchSize = rawBatchSize
        self.rawBatchSizeStandardError = rawBatchSizeStandardError
        self.smoothedLoss = smoothedLoss
        self.smoothedVariance = smoothedVariance
        self.coupledBatchSize = coupledBatchSize
        self.fixedCost = fixedCost
    }
}

/// An option of a batch-size policy that is out of range.
public enum BatchSizePolicyError: Error, Hashable, CustomStringConvertible {
    /// A batch size, or the lower bound of batch sizes, is below one.
    case batchSizeNotPositive(Int)
    /// The lower bound of batch sizes exceeds the upper bound.
    case boundsCross(minimum: Int, maximum: Int)
    /// The first batch's size lies outside the bounds.
    case initialBatchSizeOutOfBounds(Int, bounds: ClosedRange<Int>)
    /// The smoothing factor lies outside [0, 1).
    case smoothingFactorOutOfRange(Double)
    /// A factor that must be positive and finite is not.
    case factorNotPositive(Double)
    /// An eps that must be finite and not negative is not.
    case epsilonNegative(Double)
    /// A factor of growth is below one or not finite.
    case growthFactorBelowOne(Double)
    /// An interval between changes is below one example.
    case intervalNotPositive(Int)
    /// A tolerance that must be positive and finite is not.
    case toleranceNotPositive(Double)
    /// A loss floor that must be finite is not.
    case lossFloorNotFinite(Double)
    /// A first loss that must be above the loss floor is not.
    case initialLossNotAboveFloor(Double, floor: Double)
    /// A similarity that must lie between 0 and 1 does not.
    case similarityOutOfRange(Double)
    /// A number of standard errors that must be finite and not negative is not.
    case significanceNegative(Double)
    /// A fixed cost of a step that must be finite and not negative is not.
    case fixedCostNegative(Double)

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .batchSizeNotPositive(let size):
            "batch size \(size) is not positive; use 1 or more"
        case .boundsCross(let minimum, let maximum):
            "the minimum batch size \(minimum) exceeds the maximum batch size \(maximum); swap or widen them"
        case .initialBatchSizeOutOfBounds(let size, let bounds):
            "the initial batch size \(size) lies outside \(bounds.lowerBound) to \(bounds.upperBound); "
                + "choose one inside, or widen the bounds"
        case .smoothingFactorOutOfRange(let factor):
            "the smoothing factor \(factor) lies outside 0 (no smoothing) up to, not including, 1"
        case .factorNotPositive(let factor):
            "the factor \(factor) is not a positive number; 1 is the paper's rule"
        case .epsilonNegative(let epsilon):
            "eps \(epsilon) is negative or not finite; 0 is the paper's rule"
        case .growthFactorBelowOne(let factor):
            "the growth factor \(factor) is below 1 or not finite; 1.1 is usual"
        case .intervalNotPositive(let interval):
            "an interval of \(interval) examples is not possible; use 1 or more"
        case .toleranceNotPositive(let tolerance):
            "the tolerance \(tolerance) is not a positive number; values up to 1 are usual"
        case .initialLossNotAboveFloor(let loss, let floor):
            "the initial loss \(loss) is not above the loss floor \(floor); give the mean loss before training"
        case .similarityOutOfRange(let similarity):
            "the similarity \(similarity) does not lie between 0 and 1; 0.5 is usual"
        case .significanceNegative(let significance):
            "the significance \(significance) is negative or not finite; 0 is the paper's rule, 2 changes the batch on clear evidence alone"
        case .fixedCostNegative(let cost):
            "the fixed cost \(cost) is negative or not finite; give what a step costs before its first example, in examples"
        case .lossFloorNotFinite(let floor):
            "the loss floor \(floor) is not finite; give the smallest loss that can be reached, 0 if unknown"
        }
    }
}
