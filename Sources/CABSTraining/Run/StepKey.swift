/// A number that a step leaves in `metrics.jsonl`, as ``MetricsLine`` writes it and ``StepLine`` reads it.
///
/// A new one is a case, named as in files but for the case of letters, with its tag in TensorBoard if it has one, and its value in ``MetricsLine``.
package enum StepKey: Int, CaseIterable, Sendable {
    /// The number of updates before the step.
    case step
    case batchSize
    /// Of the batch, before the update.
    case loss
    case lossAverage
    case variance
    case varianceAverage
    /// What the rule asked for, before bounds and rounding, and how far that may be off.
    case batchSizeRaw
    case batchSizeRawStandardError
    case batchSizeCoupled
    case fixedCost
    case nextBatchSize
    case secondMoment
    case secondMomentStandardError
    case gradientSquaredNorm
    case learningRate
    /// Of the batch.
    case accuracy
    /// The number of examples drawn, with the step's.
    case examples
    case epoch
    /// Time in steps alone.
    case trainingSeconds
    /// Time since the run began.
    case seconds
    case validationLoss
    case validationAccuracy
    case testLoss
    case testAccuracy
    case averageValidationLoss
    case averageValidationAccuracy
    case averageTestLoss
    case averageTestAccuracy

    /// Its name in files: `test_loss` for `testLoss`.
    package var name: String { Self.names[rawValue] }

    private static let names = allCases.map { key in
        "\(key)".reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : "\($1)" }
    }

    /// Whether the number is whole.
    package var isInteger: Bool {
        switch self {
        case .step, .batchSize, .nextBatchSize, .examples: true
        default: false
        }
    }

    /// Whether reports read it: of a long run they read no more than they need.
    package var isReported: Bool {
        switch self {
        case .lossAverage, .variance, .varianceAverage, .batchSizeCoupled, .fixedCost, .secondMomentStandardError,
            .learningRate, .epoch, .seconds:
            false
        default: true
        }
    }

    /// What TensorBoard calls it, where it is shown there.
    package var tag: String? {
        switch self {
        case .loss, .accuracy, .batchSize, .batchSizeRaw, .learningRate, .variance, .gradientSquaredNorm:
            "train/\(name)"
        case .testLoss: "test/loss"
        case .testAccuracy: "test/accuracy"
        case .validationLoss: "validation/loss"
        case .validationAccuracy: "validation/accuracy"
        case .averageTestLoss: "test/loss_of_average"
        case .averageTestAccuracy: "test/accuracy_of_average"
        case .averageValidationLoss: "validation/loss_of_average"
        case .averageValidationAccuracy: "validation/accuracy_of_average"
        default: nil
        }
    }
}
