import CABS
import CABSTraining
import Foundation

/// One line of `metrics.jsonl`, as far as reports need it.
struct StepRecord: Decodable {
    let step: Int
    let batchSize: Double
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

    /// How many steps the record stands for, of which it has the means.
    private(set) var stepCount = 1.0
    /// How many examples these had.
    var exampleExtent: Double { stepCount * batchSize }

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
            exampleCount: Int(batchSize), meanLoss: loss, secondMoment: secondMoment,
            gradientSquaredNorm: gradientSquaredNorm)
    }

    /// What is left of a run's steps where only its curve is kept: a record for each part of the run.
    static func records(of curve: [RunCurve.Point]) -> [StepRecord] {
        var (steps, examples) = (0.0, 0)
        return curve.map { point in
            let stepCount = Double(point.examples - examples) / point.batchSize
            steps += stepCount
            examples = point.examples
            return StepRecord(point, lastStep: Int(steps.rounded()) - 1, stepCount: stepCount)
        }
    }

    private init(_ point: RunCurve.Point, lastStep: Int, stepCount: Double) {
        step = max(lastStep, 0)
        (batchSize, self.stepCount) = (point.batchSize, stepCount)
        (loss, examples, trainingSeconds) = (point.loss, point.examples, point.trainingSeconds)
        (testAccuracy, testLoss) = (point.testAccuracy, point.testLoss)
        (secondMoment, gradientSquaredNorm, rawBatchSize, rawBatchSizeStandardError) = (nil, nil, nil, nil)
        (nextBatchSize, accuracy, shadow) = (nil, nil, nil)
    }

    /// Reads a file of metrics. Lines that are damaged, such as the last of a run that was killed, are left out; a file that is
    /// not there has no lines.
    static func read(_ file: URL) -> [StepRecord] {
        guard let data = try? Data(contentsOf: file) else { return [] }
        let decoder = JSONDecoder()
        let sizes = 1...0x1p40
        return data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let record = try? decoder.decode(StepRecord.self, from: line), sizes.contains(record.batchSize) else {
                return nil
            }
            return record
        }
    }
}
