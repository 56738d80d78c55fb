/// A number that a step leaves in `metrics.jsonl`, as ``MetricsLine`` writes it and ``StepLine`` reads it.
///
/// A new one is a case with its name in files, its tag in TensorBoard if it has one, and its value in ``MetricsLine``.
package enum StepKey: String, CaseIterable, Sendable {
    /// The number of updates before the step.
    case step
    case batchSize = "batch_size"
    /// Of the batch, before the update.
    case loss
    case lossAverage = "loss_average"
    case variance
    case varianceAverage = "variance_average"
    /// What the rule asked for, before bounds and rounding, and how far that may be off.
    case rawBatchSize = "batch_size_raw"
    case rawBatchSizeStandardError = "batch_size_raw_standard_error"
    case coupledBatchSize = "batch_size_coupled"
    case fixedCost = "fixed_cost"
    case nextBatchSize = "next_batch_size"
    case secondMoment = "second_moment"
    case secondMomentStandardError = "second_moment_standard_error"
    case gradientSquaredNorm = "gradient_squared_norm"
    case learningRate = "learning_rate"
    /// Of the batch.
    case accuracy
    /// The number of examples drawn, with the step's.
    case examples
    case epoch
    /// Time in steps alone.
    case trainingSeconds = "training_seconds"
    /// Time since the run began.
    case seconds
    case validationLoss = "validation_loss"
    case validationAccuracy = "validation_accuracy"
    case testLoss = "test_loss"
    case testAccuracy = "test_accuracy"
    case averageValidationLoss = "average_validation_loss"
    case averageValidationAccuracy = "average_validation_accuracy"
    case averageTestLoss = "average_test_loss"
    case averageTestAccuracy = "average_test_accuracy"

    /// Whether the number is whole.
    package var isInteger: Bool {
        switch self {
        case .step, .batchSize, .nextBatchSize, .examples: true
        default: false
        }
    }

    /// What TensorBoard calls it, where it is shown there.
    package var tag: String? {
        switch self {
        case .loss, .accuracy, .batchSize, .rawBatchSize, .learningRate, .variance, .gradientSquaredNorm:
            "train/\(rawValue)"
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
