import Foundation
import Testing

@testable import CABSTraining

/// `results.csv` and `curves/` beside what the runs themselves have.
@Suite(.timeLimit(.minutes(10))) struct GridTableTests {
    private static func made(in folder: URL) async throws -> Comparison {
        var own = TrainingOptions()
        (own.batchSize, own.factor, own.minimumBatchSize) = ("cabs", 60, 2)
        var grid = ComparisonGrid(
            rules: [
                .init("constant:16"),
                .init(name: "large, \"own\"", options: own),
            ], learningRates: [0.05, 1e30])
        grid.seeds = [3]
        grid.options = SmallRun.options {
            ($0.steps, $0.examples, $0.validation, $0.average) = (nil, 4000, 80, "ema:200")
            $0.evaluations = 4
        }
        let comparison = try Comparison(grid, in: folder)
        for run in comparison.runs { try await comparison.make(run) }
        try comparison.writeResults()
        return comparison
    }

    @Test func `each column is under its heading, as the run's summary and options have it`() async throws {
        let folder = try TemporaryFolder()
        let comparison = try await Self.made(in: folder.url.appending(path: "grid"))
        let table = CSVText.lines(
            try String(contentsOf: comparison.url.appending(path: "results.csv"), encoding: .utf8))
        let (heads, rows) = (table[0], table.dropFirst())
        #expect(rows.count == 4 && comparison.runs.count == 4 && rows.allSatisfy { $0.count == heads.count })
        for (values, run) in zip(rows, comparison.runs) {
            let row = Dictionary(uniqueKeysWithValues: zip(heads, values))
            let directory = comparison.directory(of: run)
            let summary = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: directory.summaryFile)) as? [String: Any])
            let options = try TrainingOptions(contentsOf: directory.configurationFile)
            var compared: Set = ["dataset", "model", "rule", "learning_rate", "seed", "status", "mean_batch_size"]
            #expect(row["dataset"] == "digits" && row["model"] == "layers" && row["rule"] == run.rule)
            #expect(row["learning_rate"].flatMap(Double.init) == options.learningRate)
            #expect(row["seed"].flatMap { UInt64($0) } == options.seed)
            #expect(row["status"] == summary["status"] as? String)
            let lines = try SmallRun.numbers(directory.metricsFile)
            let sizes = lines.map { $0["batch_size"]! }
            let mean = sizes.isEmpty ? nil : sizes.reduce(0, +) / Double(sizes.count)
            #expect(row["mean_batch_size"].flatMap(Double.init) == mean)
            for key in [
                "steps", "examples", "next_batch_size", "training_loss", "validation_loss", "validation_accuracy",
                "test_loss", "test_accuracy", "average_test_loss", "average_test_accuracy", "rewinds",
                "final_learning_rate", "training_seconds",
            ] {
                compared.insert(key)
                let (found, expected) = (row[key].flatMap(Double.init), summary[key] as? Double)
                #expect((found == nil) == (expected == nil), "\(key) of \(run.identifier)")
                if let expected { #expect(isClose(found, expected, relative: 1e-12), "\(key) of \(run.identifier)") }
            }
            #expect(compared == Set(heads))
        }
        // All numbers that could be taken for each other differ.
        let first = Dictionary(uniqueKeysWithValues: zip(heads, rows.first!))
        let numbers = heads.filter { $0.hasSuffix("loss") || $0.hasSuffix("accuracy") }.map { first[$0]! }
        #expect(Set(numbers).count == numbers.count && !numbers.contains(""))
        #expect(rows.contains { $0[heads.firstIndex(of: "status")!] == "diverged" })
    }

    @Test func `what is published of a grid is read as it was`() async throws {
        let folder = try TemporaryFolder()
        let comparison = try await Self.made(in: folder.url.appending(path: "grid"))
        let published = try PublishedGrid.runs(in: comparison.url)
        #expect(published.count == comparison.runs.count)
        for (found, run) in zip(published, comparison.runs) {
            let summary = try #require(try comparison.directory(of: run).summary())
            #expect(found.rule == run.rule && found.seed == run.configuration.options.seed)
            #expect(found.learningRate == run.configuration.options.learningRate)
            let own = found.summary
            #expect(own.status == summary.status && own.steps == summary.steps && own.examples == summary.examples)
            #expect(own.trainingLoss == summary.trainingLoss && own.nextBatchSize == summary.nextBatchSize)
            #expect(own.testLoss == summary.testLoss && own.testAccuracy == summary.testAccuracy)
            #expect(own.validationLoss == summary.validationLoss)
            #expect(own.validationAccuracy == summary.validationAccuracy)
            #expect(own.averageTestLoss == summary.averageTestLoss)
            #expect(own.averageTestAccuracy == summary.averageTestAccuracy)
            #expect(own.trainingSeconds == summary.trainingSeconds && own.rewinds == summary.rewinds)
            #expect(own.finalLearningRate == summary.finalLearningRate)
            #expect(try found.curve == comparison.writtenCurve(of: run))
        }
    }

    /// With sizes that change, so that a mean over steps is none over examples.
    @Test func `a curve's parts have the loss by examples, the mean size, and the last evaluation`() async throws {
        let folder = try TemporaryFolder()
        let comparison = try await Self.made(in: folder.url.appending(path: "grid"))
        for run in comparison.runs where run.configuration.options.learningRate == 0.05 {
            let lines = try SmallRun.numbers(comparison.directory(of: run).metricsFile)
            let file = comparison.url.appending(path: "curves/\(run.identifier).csv")
            let rows = CSVText.lines(try String(contentsOf: file, encoding: .utf8))
            var rest = lines[...]
            for values in rows.dropFirst() {
                let row = Dictionary(uniqueKeysWithValues: zip(rows[0], values.map { Double($0) }))
                let part = rest.prefix { $0["examples"]! <= row["examples"]!! }
                rest = rest.dropFirst(part.count)
                let last = try #require(part.last)
                #expect(last["examples"] == row["examples"]! && last["training_seconds"] == row["training_seconds"]!)
                let examples = part.reduce(0) { $0 + $1["batch_size"]! }
                let loss = part.reduce(0) { $0 + $1["loss"]! * $1["batch_size"]! } / examples
                #expect(isClose(row["loss"]!, loss, relative: 1e-12))
                #expect(isClose(row["batch_size"]!, examples / Double(part.count), relative: 1e-12))
                let evaluation = part.last { $0["test_loss"] != nil }
                for key in ["test_loss", "test_accuracy", "average_test_accuracy"] {
                    #expect(row[key]! == evaluation?[key], "\(key)")
                }
            }
            #expect(rest.isEmpty && rows.count > 20)
        }
    }
}
