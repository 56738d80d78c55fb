import CABS
import CABSTraining
import Foundation

/// One line of `metrics.jsonl`, as far as reports need it.
struct StepRecord {
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

    /// Nothing where a line has not what every step has.
    init?(_ line: StepLine) {
        guard let step = line.step, let size = line.batchSize, let examples = line.examples,
            Self.batchSizes.contains(size)
        else { return nil }
        (self.step, batchSize, self.examples) = (step, Double(size), examples)
        (loss, secondMoment, gradientSquaredNorm) = (line[.loss], line[.secondMoment], line[.gradientSquaredNorm])
        (rawBatchSize, rawBatchSizeStandardError) = (line[.batchSizeRaw], line[.batchSizeRawStandardError])
        (nextBatchSize, trainingSeconds, shadow) = (line.nextBatchSize, line[.trainingSeconds], line.shadow)
        (testAccuracy, testLoss, accuracy) = (line[.testAccuracy], line[.testLoss], line[.accuracy])
    }

    private static let batchSizes = 1...(1 << 40)

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
}
