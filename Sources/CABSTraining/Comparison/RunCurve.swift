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

    /// One line of `metrics.jsonl`, as far as this needs it.
    private struct Line: Decodable {
        let batchSize: Int
        /// Nothing where it was no number.
        let loss: Double?
        let examples: Int
        let trainingSeconds: Double
        let testLoss: Double?
        let testAccuracy: Double?
        let averageTestAccuracy: Double?
    }

    private struct Part {
        var last: Line?
        var evaluation: Line?
        var lossSum = 0.0
        var exampleCount = 0
        var stepCount = 0

        mutating func add(_ line: Line) {
            last = line
            if line.testLoss != nil { evaluation = line }
            lossSum += (line.loss ?? .nan) * Double(line.batchSize)
            exampleCount += line.batchSize
            stepCount += 1
        }

        var point: Point? {
            guard let last, exampleCount > 0 else { return nil }
            let loss = lossSum / Double(exampleCount)
            return Point(
                examples: last.examples, trainingSeconds: last.trainingSeconds, loss: loss.isFinite ? loss : nil,
                batchSize: Double(exampleCount) / Double(stepCount), testLoss: evaluation?.testLoss,
                testAccuracy: evaluation?.testAccuracy, averageTestAccuracy: evaluation?.averageTestAccuracy)
        }
    }

    /// The curve of a run's steps.
    ///
    /// - Parameter metrics: The run's `metrics.jsonl`.
    /// - Throws: ``TrainingError/unreadable(path:reason:)``.
    public static func points(ofSteps metrics: URL) throws(TrainingError) -> [Point] {
        let lines: [Line]
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let data = try Data(contentsOf: metrics, options: .mappedIfSafe)
            lines = try data.split(separator: UInt8(ascii: "\n")).map { try decoder.decode(Line.self, from: $0) }
        } catch {
            throw .unreadable(path: metrics.path, reason: error.systemReason)
        }
        var before = 0
        for line in lines {
            guard (1...largestBatch).contains(line.batchSize), (before...largestCount).contains(line.examples) else {
                throw .unreadable(path: metrics.path, reason: "step with \(line.examples) examples after \(before)")
            }
            before = line.examples
        }
        let total = max(before, 1)
        var parts = Array(repeating: Part(), count: pointCount)
        for line in lines where line.examples > 0 {
            // By the examples before the line's last, so that the run's end belongs to the last part.
            let part = Int(Double(line.examples - 1) / Double(total) * Double(pointCount))
            parts[min(part, pointCount - 1)].add(line)
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
