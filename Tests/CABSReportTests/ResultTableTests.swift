import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// The tables of results on a page, beside the files that their numbers come from.
@Suite(.timeLimit(.minutes(10))) struct ResultTableTests {
    /// Two rules at two rates with two seeds each, with examples held back.
    private static func grid(in folder: URL) async throws -> URL {
        var grid = ComparisonGrid(rules: [.init("cabs"), .init("constant:8")], learningRates: [0.05, 0.2])
        var options = TrainingOptions()
        (options.dataset, options.workers, options.examples, options.evaluations) = (.digits, 1, 640, 2)
        (options.validation, options.average) = (101, "swa")
        (grid.options, grid.seeds) = (options, [0, 1])
        let comparison = try Comparison(grid, in: folder)
        for run in comparison.runs { try await comparison.make(run) }
        try comparison.writeResults()
        return folder.appending(path: "results.csv")
    }

    @Test func `each number of a grid's tables stands under its heading`() async throws {
        let folder = try TemporaryFolder()
        let place = folder.url.appending(path: "grid")
        let results = try await table(ofCSV: Self.grid(in: place))
        #expect(results.count == 8)
        func number(_ row: [String: String], _ column: String) throws -> Double {
            try #require(row[column].flatMap(Double.init), "\(column)")
        }
        func meanSize(_ row: [String: String]) throws -> Double {
            try number(row, "examples") / number(row, "steps")
        }
        let html = try PageTests.report([place.path], in: folder.url).html
        let tables = ShownTable.all(on: html)
        let columns = [
            ("training loss", "training_loss", 4), ("validation accuracy", "validation_accuracy", 4),
            ("test loss", "test_loss", 4), ("test accuracy", "test_accuracy", 4), ("seconds", "training_seconds", 3),
            ("steps", "steps", 4),
        ]
        // A line for each run.
        let runs = try #require(tables.first { $0.head.contains("seed") && $0.head.contains("to repeat it") })
        #expect(runs.rows.count == 8)
        for row in results {
            let found = try runs.rows.filter {
                let row = (ShownTable.Row(table: runs, cells: $0), row)
                return try $0[0].text == row.1["rule"] && row.0["seed"].text == row.1["seed"]
                    && row.0["learning rate"].text == row.1["learning_rate"]
            }
            let shown = ShownTable.Row(table: runs, cells: try #require(found.first))
            for (heading, column, digits) in columns {
                let value = try number(row, column)
                let cell = try shown[heading]
                #expect(cell.shows(value, digits: digits), "\(heading): \(cell.text), \(value)")
            }
            #expect(try shown["mean batch size"].shows(meanSize(row), digits: 3))
            #expect(try shown["status"].text == "finished")
        }
        // A line for each rule, at the rate of the highest mean accuracy on what was held back.
        let summary = try #require(tables.first { $0.head.contains("best learning rate") })
        for rule in ["cabs", "constant:8"] {
            let rates = try ["0.05", "0.2"].map { rate in
                let runs = results.filter { $0["rule"] == rule && $0["learning_rate"] == rate }
                return (rate, runs, try runs.map { try number($0, "validation_accuracy") }.reduce(0, +))
            }
            let best = try #require(rates.first { $0.2 == rates.map(\.2).max() })
            let shown = try summary.row(rule)
            #expect(try shown["best learning rate"].text == best.0 && shown["finished"].text == "4 of 4")
            for (heading, column, digits) in columns {
                let values = try best.1.map { try number($0, column) }
                let (low, high) = (values.min()!, values.max()!)
                let cell = try shown[heading]
                let mean = (values[0] + values[1]) / 2
                // What rounds to one number may stand there once or with its range.
                #expect(
                    low == high ? cell.shows(mean, digits: digits) : cell.shows(mean, low, high, digits: digits),
                    "\(rule), \(heading): \(cell.text), \(values)")
            }
        }
        try Self.expectBest(runs)
        try Self.expectBest(summary)
        try Self.expectTiles(html, results)
    }

    @Test func `each column of a grid's results is in the run's own summary`() async throws {
        let folder = try TemporaryFolder()
        let place = folder.url.appending(path: "grid")
        let results = try await table(ofCSV: Self.grid(in: place))
        let runs = try FileManager.default.contentsOfDirectory(
            at: place.appending(path: "runs"), includingPropertiesForKeys: nil)
        #expect(runs.count == 8)
        for run in runs {
            let summary = try object(run.appending(path: "summary.json"))
            let options = try TrainingOptions(contentsOf: run.appending(path: "config.yaml"))
            let row = try #require(
                results.first {
                    $0["rule"] == options.batchSize && $0["learning_rate"] == options.learningRate.map { "\($0)" }
                        && $0["seed"] == options.seed.map { "\($0)" }
                })
            var columns = Set(row.keys).subtracting(["rule", "learning_rate", "seed"])
            for key in ["dataset", "model", "status"] {
                #expect(row[key] == summary[key] as? String)
                columns.remove(key)
            }
            for key in columns {
                let value = try #require(row[key].flatMap(Double.init), "\(key)")
                let wanted =
                    try key == "mean_batch_size"
                    ? #require(summary["examples"] as? Double) / #require(summary["steps"] as? Double)
                    : #require(summary[key] as? Double, "\(key)")
                #expect(abs(value - wanted) <= 1e-12 * abs(wanted), "\(key): \(value), \(wanted)")
            }
        }
    }

    /// The marked cells are the largest accuracies and the smallest losses and times.
    private static func expectBest(_ table: ShownTable) throws {
        for (heading, isLargest) in [
            ("test accuracy", true), ("validation accuracy", true), ("test loss", false), ("training loss", false),
            ("seconds", false),
        ] {
            let cells = try table.column(heading)
            let values = cells.map { $0.numbers[0] }
            let best = try #require(isLargest ? values.max() : values.min())
            #expect(cells.contains { $0.isBest }, "\(heading)")
            #expect(cells.allSatisfy { !$0.isBest || $0.numbers[0] == best }, "\(heading)")
        }
        for heading in ["steps", "mean batch size"] { #expect(try table.column(heading).allSatisfy { !$0.isBest }) }
    }

    /// The facts at the head of a page, by their names.
    private static func tiles(_ html: String) -> [String: ShownTable.Cell] {
        Dictionary(
            uniqueKeysWithValues: html.matches(of: /<dt>([^<]*)<\/dt><dd>([^<]*)<\/dd>/).map {
                (String($0.1), ShownTable.Cell(text: String($0.2), isBest: false))
            })
    }

    private static func expectTiles(_ html: String, _ results: [[String: String]]) throws {
        let tiles = tiles(html).mapValues(\.text)
        #expect(
            tiles == ["runs": "8", "finished": "8", "rules": "2", "learning rates": "2", "seeds": "2"], "\(tiles)")
    }

    @Test func `the facts of one run are those of its summary`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        _ = try await TrainingRun(
            PageTests.options { ($0.steps, $0.learningRate, $0.batchSize) = (40, 0.07, "constant:24") }, output: url
        ).run()
        let html = try PageTests.report([url.path], in: folder.url).html
        let (tiles, summary) = (Self.tiles(html), try object(url.appending(path: "summary.json")))
        func value(_ key: String) throws -> Double { try #require(summary[key] as? Double) }
        for (name, key, digits) in [
            ("test accuracy", "test_accuracy", 4), ("training loss", "training_loss", 4), ("steps", "steps", 4),
            ("epochs", "epochs", 3), ("training time", "training_seconds", 3),
        ] {
            let cell = try #require(tiles[name])
            #expect(try cell.shows(value(key), digits: digits), "\(name): \(cell.text)")
        }
        // 40 steps of 24 examples, of 1,438.
        #expect(tiles["epochs"]?.shows(40 * 24 / 1438.0, digits: 3) == true)
        #expect(tiles["rule"]?.text == "constant:24" && tiles["learning rate"]?.text == "0.07")
        #expect(tiles["status"]?.text == "finished")
    }
}
