import Foundation

/// A run's course in few lines, for whoever keeps the results of a grid and not its folders: `curves/<run>.csv` beside `results.csv`.
///
/// Each line is an equal part of the run's examples: up to which example and second it goes, the mean loss of its examples, each before the update that it
/// had a part in, its mean batch size, and the last evaluation in it, if there was one. The mean of the losses is the area under the loss curve.
enum RunCurve {
    /// The largest number of lines.
    static let pointCount = 150

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

        var text: String? {
            guard let last, exampleCount > 0 else { return nil }
            func text(_ value: Double?) -> String { value.flatMap { $0.isFinite ? "\($0)" : nil } ?? "" }
            return [
                "\(last.examples)", text(last.trainingSeconds), text(lossSum / Double(exampleCount)),
                text(Double(exampleCount) / Double(stepCount)), text(evaluation?.testLoss),
                text(evaluation?.testAccuracy), text(evaluation?.averageTestAccuracy),
            ].joined(separator: ",")
        }
    }

    /// The curve of a run's steps.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)``.
    static func text(of metrics: URL) throws(TrainingError) -> String {
        let lines: [Line]
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            let data = try Data(contentsOf: metrics, options: .mappedIfSafe)
            lines = try data.split(separator: UInt8(ascii: "\n")).map { try decoder.decode(Line.self, from: $0) }
        } catch {
            throw .unreadable(path: metrics.path, reason: error.localizedDescription)
        }
        let total = max(lines.last?.examples ?? 1, 1)
        var parts = Array(repeating: Part(), count: pointCount)
        for line in lines where line.examples > 0 {
            // By the examples before the line's last, so that the run's end belongs to the last part.
            let part = Int(Double(line.examples - 1) / Double(total) * Double(pointCount))
            parts[min(part, pointCount - 1)].add(line)
        }
        return ([columns.joined(separator: ",")] + parts.compactMap(\.text)).joined(separator: "\n") + "\n"
    }
}
