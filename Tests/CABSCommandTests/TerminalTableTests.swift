import CABSTraining
import Foundation
import Testing

/// The tables that commands print: each cell under its heading beside the file that the command wrote.
@Suite(.timeLimit(.minutes(10))) struct TerminalTableTests {
    private static func object(_ file: URL) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    }

    private static func csv(_ file: URL) throws -> [[String: String]] {
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
    }

    private static func mean(_ rows: [[String: String]], _ column: String) throws -> Double {
        try rows.map { try #require($0[column].flatMap(Double.init), "\(column)") }.reduce(0, +) / Double(rows.count)
    }

    @Test func `a comparison's table has the means of its results`() throws {
        try CommandTests.withFolder { folder in
            let result = try CommandTests.run(
                [
                    "compare", "grid", "--rules", "cabs,constant:24", "--learning-rates", "0.05,0.2", "--seeds",
                    "0,1,2",
                    "--datasets", "digits", "--models", "mlp", "--examples", "400", "--workers", "1",
                ], in: folder)
            #expect(result.code == 0, "\(result.errors)")
            let results = try Self.csv(folder.appending(path: "grid/results.csv"))
            let table = try TerminalTable(result.output, beginning: "data set", "model", "rule")
            #expect(results.count == 12 && table.rows.count == 4)
            for row in table.rows {
                let runs = results.filter { $0["rule"] == row["rule"] && $0["learning_rate"] == row["rate"] }
                #expect(runs.count == 3 && row["runs"] == "3" && row["data set"] == "digits" && row["model"] == "mlp")
                for (heading, column, slack) in [
                    ("mean batch", "mean_batch_size", 0.05), ("training loss", "training_loss", 5e-5),
                    ("test loss", "test_loss", 5e-5), ("accuracy", "test_accuracy", 5e-5),
                ] {
                    let shown = try #require(row[heading].flatMap(Double.init), "\(heading)")
                    #expect(try abs(shown - Self.mean(runs, column)) <= slack * 1.001, "\(heading): \(row)")
                }
                for run in runs {
                    let (examples, steps) = (Double(run["examples"]!)!, Double(run["steps"]!)!)
                    #expect(abs(Double(run["mean_batch_size"]!)! - examples / steps) < 1e-9)
                }
            }
        }
    }

    @Test func `a measurement's tables are those of its file`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(["--dataset", "digits", "--steps", "40"], in: folder)
            let text = try CommandTests.run(["measure", "out", "--examples", "320"], in: folder)
            let found = try Self.object(run.directory.measurementFile)
            let layers = try TerminalTable(text.output, beginning: "layer", "T")
            let measured = try #require(found["layers"] as? [[String: Any]])
            #expect(layers.rows.count == 2 && measured.count == 2)
            for (row, layer) in zip(layers.rows, measured) {
                let noise = try #require(layer["noise"] as? [String: Any])
                #expect(row["layer"] == layer["name"] as? String)
                #expect(TerminalTable.isWritten(row["T"], noise["covariance_trace"]), "\(row)")
                #expect(TerminalTable.isWritten(row["‖g‖²"], noise["gradient_squared_norm"]), "\(row)")
                if let scale = noise["noise_scale"] { #expect(TerminalTable.isWritten(row["noise scale"], scale)) }
                let coupling = try #require(layer["coupling"] as? [String: Any])
                #expect(TerminalTable.isWritten(row["part of CABS's"], coupling["batch_size"]), "\(row)")
            }
            let classes = try TerminalTable(text.output, beginning: "class", "examples")
            let parts = try #require(found["classes"] as? [[String: Any]])
            #expect(classes.rows.count == 10 && parts.count == 10)
            for row in classes.rows {
                let part = try #require(parts.first { $0["name"] as? String == row["class"] })
                #expect(row["examples"] == (part["example_count"] as? Int).map { "\($0)" })
                #expect(TerminalTable.isWritten(row["loss"], part["loss"]), "\(row)")
                #expect(TerminalTable.isWritten(row["squared norm"], part["second_moment"]), "\(row)")
            }
            try Self.expectExamples(text.output, found)
            try Self.expectDistributions(text.output, found)
        }
    }

    /// The examples with the largest gradients.
    private static func expectExamples(_ output: String, _ found: [String: Any]) throws {
        let start = try #require(output.range(of: "largest gradients:"))
        let table = try TerminalTable(String(output[start.upperBound...]), beginning: "example", "loss")
        let listed = try #require(found["largest_gradients"] as? [[String: Any]])
        #expect(table.rows.count == 10)
        for (row, example) in zip(table.rows, listed) {
            #expect(row["example"] == (example["example"] as? Int).map { "\($0)" })
            for (heading, key, factor) in [
                ("loss", "loss", 1.0), ("norm", "gradient_norm", 1),
                ("of the second moment", "part_of_second_moment", 100),
            ] {
                let (shown, value) = (TerminalTable.numbers(row[heading]), try #require(example[key] as? Double))
                #expect(
                    shown.count == 1 && abs(shown[0] - factor * value) <= 6e-4 * factor * value, "\(heading): \(row)")
            }
            #expect(row["class"] == example["label"] as? String && row["taken for"] == example["predicted"] as? String)
        }
    }

    private static func expectDistributions(_ output: String, _ found: [String: Any]) throws {
        for (name, key) in [("losses", "losses"), ("gradient norms", "gradient_norms")] {
            let values = try #require(found[key] as? [String: Any])
            let lines = output.split(separator: "\n")
            let line = try #require(lines.firstIndex { $0.hasPrefix("\(name): ") })
            let shown = TerminalTable.numbers(String(lines[line + 1]))
            let wanted = try ["minimum", "lower_quartile", "median", "upper_quartile", "mean"].map {
                try #require(values[$0] as? Double)
            }
            #expect(
                shown.count == 5 && zip(shown, wanted).allSatisfy { abs($0 - $1) <= 6e-4 * $1 }, "\(shown), \(wanted)")
            let ends = TerminalTable.numbers(String(lines[line]))
            let edges = try #require(values["edges"] as? [Double])
            #expect(ends.count == 2 && abs(ends[0] - edges[0]) <= 6e-4 * edges[0])
            #expect(abs(ends[1] - (values["maximum"] as? Double ?? 0)) <= 6e-4 * ends[1])
            // A bar is as high as its count beside the highest.
            let bars = try #require(lines[line].firstMatch(of: #/: (.*) from /#)).output.1
            let counts = try #require(values["counts"] as? [Int])
            let heights = bars.map {
                " ▁▂▃▄▅▆▇█".distance(from: " ▁▂▃▄▅▆▇█".startIndex, to: " ▁▂▃▄▅▆▇█".firstIndex(of: $0)!)
            }
            let highest = try #require(counts.max())
            #expect(heights == counts.map { $0 == 0 ? 0 : min(8 * $0 / highest + 1, 8) }, "\(bars)")
        }
    }

    @Test func `a branch's table is that of its file`() throws {
        try CommandTests.withFolder { folder in
            _ = try FinishedRun(["--dataset", "digits", "--steps", "20"], in: folder)
            let result = try CommandTests.run(
                [
                    "branch", "out", "b", "--batch-sizes", "8,32,128", "--examples", "256", "--orders", "2",
                    "--evaluate", "100", "--scale-rate", "linear",
                ], in: folder)
            #expect(result.code == 0, "\(result.errors)")
            let table = try TerminalTable(result.output, beginning: "batch size", "learning rate")
            let lines = try Self.csv(folder.appending(path: "b/branches.csv"))
            #expect(table.rows.count == 3 && lines.count == 6)
            for row in table.rows {
                let results = lines.filter { $0["batch_size"] == row["batch size"] }
                let losses = results.compactMap { $0["loss"].flatMap(Double.init) }
                func shows(_ heading: String, _ value: Double, _ slack: Double = 5.001e-5) -> Bool {
                    row[heading].flatMap(Double.init).map { abs($0 - value) <= slack } ?? false
                }
                #expect(losses.count == 2 && row["orders"] == "2")
                #expect(
                    try shows(
                        "learning rate", Self.mean(results, "learning_rate"), 1e-4 * Self.mean(results, "learning_rate")
                    ))
                #expect(shows("loss: mean", (losses[0] + losses[1]) / 2) && shows("lowest", losses.min()!))
                #expect(
                    try shows("highest", losses.max()!) && shows("test accuracy", Self.mean(results, "test_accuracy")))
            }
            let setting = try Self.object(folder.appending(path: "b/branch.json"))
            let forecasts = try #require(setting["forecasts"] as? [[String: Any]])
            #expect(forecasts.count > 3)
            for forecast in forecasts {
                let (rule, size) = (try #require(forecast["rule"]), try #require(forecast["batch_size"]))
                #expect(result.output.contains("  \(rule) would choose \(size)"), "\(rule)")
            }
        }
    }

    @Test func `the accuracies and counts of classes are those of predictions`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(["--dataset", "digits", "--steps", "12"], in: folder)
            let text = try CommandTests.run(["evaluate", "out", "--confusion"], in: folder).output
            let found = try Self.object(run.directory.confusionFile)
            let (names, counts) = (
                try #require(found["classes"] as? [String]), try #require(found["counts"] as? [[Int]])
            )
            let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            for (label, name) in names.enumerated() {
                // A name, its accuracy, and of how many; then a name and how often it was taken for which.
                let total = counts[label].reduce(0, +)
                let line = try #require(lines.first { $0.count == 4 && $0[0] == name && $0[2] == "of" })
                #expect(
                    abs(Double(line[1])! - Double(counts[label][label]) / Double(total)) <= 5.001e-5
                        && line[3] == "\(total)")
                #expect(lines.contains([name] + counts[label].map { "\($0)" }))
            }
            #expect(lines.contains(names))
            let correct = names.indices.reduce(0) { $0 + counts[$1][$1] }
            let all = counts.joined().reduce(0, +)
            #expect(try abs(#require(run.summary("test_accuracy") as? Double) - Double(correct) / Double(all)) < 1e-9)
            // The most frequent mistake is the first that is named.
            let most = counts.enumerated().flatMap { actual, row in
                row.enumerated().filter { $0.offset != actual }.map(\.element)
            }.max()
            let first = try #require(
                text.components(separatedBy: "most frequent mistakes:\n").last?.split(separator: " ").first)
            #expect(Int(first) == most)
        }
    }
}
