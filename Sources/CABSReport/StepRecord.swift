import CABS
import Foundation

/// One line of `metrics.jsonl`, as far as reports need it.
struct StepRecord: Decodable {
    let step: Int
    let batchSize: Int
    let loss: Double?
    let secondMoment: Double?
    let gradientSquaredNorm: Double?
    /// What the rule asked for, before bounds and rounding, and how far that may be off.
    let rawBatchSize: Double?
    let rawBatchSizeStandardError: Double?
    let nextBatchSize: Int?
    let examples: Int
    /// Time in steps alone.
    let trainingSeconds: Double?
    let testAccuracy: Double?
    let testLoss: Double?
    /// Of the batch.
    let accuracy: Double?
    /// What the rules that watch would have chosen for the next step, by name.
    let shadow: [String: Int]?

    private enum CodingKeys: String, CodingKey {
        case step, loss, examples, shadow, accuracy
        case batchSize = "batch_size"
        case secondMoment = "second_moment"
        case gradientSquaredNorm = "gradient_squared_norm"
        case rawBatchSize = "batch_size_raw"
        case rawBatchSizeStandardError = "batch_size_raw_standard_error"
        case nextBatchSize = "next_batch_size"
        case trainingSeconds = "training_seconds"
        case testAccuracy = "test_accuracy"
        case testLoss = "test_loss"
    }

    /// The step's measurements; nothing where they were not made.
    var statistics: StepStatistics? {
        guard let loss, let secondMoment, let gradientSquaredNorm else { return nil }
        return StepStatistics(
            exampleCount: batchSize, meanLoss: loss, secondMoment: secondMoment,
            gradientSquaredNorm: gradientSquaredNorm)
    }

    /// Reads a file of metrics. Lines that are damaged, such as the last of a run that was killed, are left out; a file that is
    /// not there has no lines.
    static func read(_ file: URL) -> [StepRecord] {
        guard let data = try? Data(contentsOf: file) else { return [] }
        let decoder = JSONDecoder()
        return data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let record = try? decoder.decode(StepRecord.self, from: line), record.batchSize > 0 else {
                return nil
            }
            return record
        }
    }
}
