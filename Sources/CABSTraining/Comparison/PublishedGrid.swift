import CABSData
import Foundation

/// What is left of a grid where only `results.csv` and `curves/` are kept: enough to draw it.
public enum PublishedGrid {
    /// One of its runs.
    public struct Run: Sendable {
        /// The rule, as the grid called it.
        public let rule: String
        /// The learning rate.
        public let learningRate: Double
        /// The seed.
        public let seed: UInt64
        /// What the run came to, as far as the table says.
        public let summary: RunSummary
        /// Its course; empty where there is no file of it.
        public let curve: [RunCurve.Point]
    }

    /// Whether a folder is one.
    public static func isOne(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.appending(path: Comparison.resultsFileName).path)
    }

    /// Reads a folder, by the table's columns.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the table or a curve is damaged.
    public static func runs(in url: URL) throws(TrainingError) -> [Run] {
        let file = url.appending(path: Comparison.resultsFileName)
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            throw .unreadable(path: file.path, reason: "it is no text")
        }
        var lines = CSVText.lines(text)[...]
        let columns = lines.popFirst() ?? []
        return try lines.map { values throws(TrainingError) in
            let row = Dictionary(zip(columns, values)) { first, _ in first }
            guard values.count == columns.count, let run = try Run(row, in: url) else {
                throw .unreadable(
                    path: file.path, reason: "\"\(values.joined(separator: ","))\" is no run of a grid")
            }
            return run
        }
    }
}

extension PublishedGrid.Run {
    fileprivate init?(_ row: [String: String], in url: URL) throws(TrainingError) {
        func number(_ column: RunColumn) -> Double? { row[column.key].flatMap(Double.init) }
        func count(_ column: RunColumn) -> Int? { row[column.key].flatMap { Int($0) } }
        guard let dataset = row["dataset"], let model = row["model"], let rule = row["rule"],
            let rate = row["learning_rate"].flatMap(Double.init), let seed = row["seed"].flatMap({ UInt64($0) }),
            let status = row["status"].flatMap(RunSummary.Status.init), let steps = count(.steps),
            let examples = count(.examples), let seconds = number(.trainingSeconds)
        else { return nil }
        (self.rule, learningRate, self.seed) = (rule, rate, seed)
        summary = RunSummary(
            status: status, dataset: dataset, model: model, steps: steps, examples: examples, epochs: .nan,
            seconds: seconds, trainingSeconds: seconds, examplesPerSecond: Double(examples) / max(seconds, 1e-9),
            firstBatchSize: nil, nextBatchSize: count(.nextBatchSize), firstLoss: nil,
            trainingLoss: number(.trainingLoss), validationLoss: number(.validationLoss),
            validationAccuracy: number(.validationAccuracy), testLoss: number(.testLoss),
            testAccuracy: number(.testAccuracy), averageValidationLoss: nil, averageValidationAccuracy: nil,
            averageTestLoss: number(.averageTestLoss), averageTestAccuracy: number(.averageTestAccuracy),
            rewinds: count(.rewinds), finalLearningRate: number(.finalLearningRate))
        let identifier = ComparisonGrid.identifier(
            dataset: dataset, model: model, rule: rule, learningRate: rate, seed: seed)
        curve = try RunCurve.points(in: url.appending(path: Comparison.curvePath(identifier)))
    }
}
