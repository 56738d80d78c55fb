import CABSData
import Foundation

/// A run's course in few lines, for whoever keeps the results of a grid and not its folders: `curves/<run>.csv` beside `results.csv`.
///
/// Each line is an equal part of the run's examples: up to which example and second it goes, the mean loss of its examples, each before the update that it
/// had a part in, its mean batch size, and the last evaluation in it, if there was one. The mean of the losses is the area under the loss curve.
public enum RunCurve {
    /// The largest number of lines.
    static let pointCount = 150
    // In files that are not damaged: so many that sums over a run have room beside them.
    private static let (largestCount, largestBatch) = (1 << 50, 1 << 40)

    /// A line: a part of the run.
    public struct Point: Sendable, Hashable {
        /// Up to which example it goes.
        public let examples: Int
        /// Up to which second of training it goes.
        public let trainingSeconds: Double
        /// The mean loss of its examples; nothing where it was no number.
        public let loss: Double?
        /// Its mean batch size.
        public let batchSize: Double
        /// The loss on the test examples by the last evaluation in it, if there was one.
        public let testLoss: Double?
        /// The part of the test examples that were classified correctly then.
        public let testAccuracy: Double?
        /// The same by the average of the parameters.
        public let averageTestAccuracy: Double?
    }

    /// Reads a curve; it has no points where there is no such file.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file is damaged.
    static func points(in file: URL) throws(TrainingError) -> [Point] {
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
        var last = 0
        return try CSVText.lines(text).dropFirst().map { values throws(TrainingError) in
            guard values.count == columns.count, let examples = Int(values[0]), let seconds = Double(values[1]),
                let size = Double(values[3]), (1...Double(largestBatch)).contains(size),
                (last...largestCount).contains(examples)
            else {
                throw .unreadable(
                    path: file.path, reason: "\"\(values.joined(separator: ","))\" is no point of a curve")
            }
            last = examples
            return Point(
                examples: examples, trainingSeconds: seconds, loss: Double(values[2]), batchSize: size,
                testLoss: Double(values[4]), testAccuracy: Double(values[5]), averageTestAccuracy: Double(values[6]))
        }
    }

    private static let columns = [
        "examples", "training_seconds", "loss", "batch_size", "test_loss", "test_accuracy", "average_test_accuracy",
    ]

    /// A line that has what every step has.
    private struct Step {
        let line: StepLine
        let (batchSize, examples): (Int, Int)
        let trainingSeconds: Double

        init?(_ line: StepLine?) {
            guard let line, let size = line.batchSize, let examples = line.examples,
                let seconds = line[.trainingSeconds]
            else { return nil }
            (self.line, batchSize, self.examples, trainingSeconds) = (line, size, examples, seconds)
        }
    }

    private struct Part {
        var last: Step?
        var evaluation: StepLine?
        var lossSum = 0.0
        var exampleCount = 0
        var stepCount = 0

        mutating func add(_ step: Step) {
            last = step
            if step.line[.testLoss] != nil { evaluation = step.line }
            lossSum += (step.line[.loss] ?? .nan) * Double(step.batchSize)
            exampleCount += step.batchSize
            stepCount += 1
        }

        var point: Point? {
            guard let last, exampleCount > 0 else { return nil }
            let loss = lossSum / Double(exampleCount)
            return Point(
                examples: last.examples, trainingSeconds: last.trainingSeconds, loss: loss.isFinite ? loss : nil,
                batchSize: Double(exampleCount) / Double(stepCount), testLoss: evaluation?[.testLoss],
                testAccuracy: evaluation?[.testAccuracy], averageTestAccuracy: evaluation?[.averageTestAccuracy])
        }
    }

    /// The curve of a run's steps.
    ///
    /// - Parameter metrics: The run's `metrics.jsonl`.
    /// - Throws: ``TrainingError/unreadable(path:reason:)``.
    public static func points(ofSteps metrics: URL) throws(TrainingError) -> [Point] {
        let lines = StepLines(metrics)
        func step(_ line: StepLine?) throws(TrainingError) -> Step {
            guard let step = Step(line) else { throw lines.damage }
            return step
        }
        var total = 1
        try lines.forEachBackwards { line throws(TrainingError) in
            total = max(try step(line).examples, 1)
            return false
        }
        var before = 0
        var parts = Array(repeating: Part(), count: pointCount)
        try lines.forEach { line throws(TrainingError) in
            let step = try step(line)
            guard (1...largestBatch).contains(step.batchSize), (before...largestCount).contains(step.examples)
            else {
                throw .unreadable(path: metrics.path, reason: "step with \(step.examples) examples after \(before)")
            }
            before = step.examples
            // By the examples before the line's last, so that the run's end belongs to the last part.
            let part = Int(Double(step.examples - 1) / Double(total) * Double(pointCount))
            if step.examples > 0 { parts[min(part, pointCount - 1)].add(step) }
            return true
        }
        return parts.compactMap(\.point)
    }

    /// A file of these points.
    static func text(_ points: [Point]) -> String {
        func text(_ value: Double?) -> String { value.flatMap { $0.isFinite ? "\($0)" : nil } ?? "" }
        let lines = points.map { point in
            [
                "\(point.examples)", text(point.trainingSeconds), text(point.loss), text(point.batchSize),
                text(point.testLoss), text(point.testAccuracy), text(point.averageTestAccuracy),
            ]
        }
        return ([columns] + lines).map { $0.joined(separator: ",") }.joined(separator: "\n") + "\n"
    }
}
