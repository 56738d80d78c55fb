import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// What was found out about a run or a branch, on its page: each cell under its heading beside the file that has it.
@Suite(.timeLimit(.minutes(10))) struct FindingTests {
    /// A number of a file, or an estimate's value and standard error.
    private static func numbers(_ value: Any?) -> [Double] {
        if let estimate = value as? [String: Double] { return [estimate["value"]!, estimate["standard_error"]!] }
        return (value as? Double).map { [$0] } ?? []
    }

    /// The first numbers of a cell are these, to the places that they are written with.
    private static func expect(_ cell: ShownTable.Cell, _ wanted: [Double], _ what: String) {
        #expect(
            cell.numbers.count == wanted.count && !wanted.isEmpty
                && zip(cell.numbers, wanted).allSatisfy { abs($0 - $1) <= max(cell.slack, 0.05 * wanted.last!) },
            "\(what): \(cell.text), \(wanted)")
    }

    /// What `cabs measure` wrote about a short run, and the run's page.
    private static func measuredRun() async throws -> (found: [String: Any], html: String) {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(PageTests.options { $0.steps = 40 }, output: url)
        _ = try await run.run()
        try run.directory.write(TrainedNetwork(at: url).measurement(exampleCount: 320))
        return (try object(run.directory.measurementFile), try PageTests.report([url.path], in: folder.url).html)
    }

    @Test func `a measurement's tables are those of its file`() async throws {
        let (found, html) = try await Self.measuredRun()
        let tables = ShownTable.all(on: html)

        let whole = try #require(tables.first { $0.head.first == "all parameters" })
        let coupling = try #require(found["coupling"] as? [String: Any])
        let noise = try #require(found["noise"] as? [String: Any])
        for (name, value) in [
            ("loss F", found["loss"]), ("trace T", noise["covariance_trace"]),
            ("squared norm", noise["gradient_squared_norm"]), ("noise scale", noise["noise_scale"]),
            ("CABS's batch size", coupling["batch_size"]), ("α‖g‖²/F", coupling["polyak_steps"]),
        ] {
            let row = try #require(whole.rows.first { $0[0].text.hasPrefix(name) }, "\(name)")
            Self.expect(row[1], Self.numbers(value), name)
        }

        let layers = try #require(tables.first { $0.head.first == "layer" })
        let measured = try #require(found["layers"] as? [[String: Any]])
        #expect(measured.count == 2 && layers.rows.count == 2)
        for layer in measured {
            let row = try layers.row(#require(layer["name"] as? String))
            let (noise, coupling) = (layer["noise"] as? [String: Any], layer["coupling"] as? [String: Any])
            for (heading, value) in [
                ("T", noise?["covariance_trace"]), ("‖g‖²", noise?["gradient_squared_norm"]),
                ("its part of CABS's size", coupling?["batch_size"]),
                ("of the Polyak steps", coupling?["polyak_steps"]),
            ] { Self.expect(try row[heading], Self.numbers(value), heading) }
            if let scale = noise?["noise_scale"] {
                Self.expect(try row["noise scale"], Self.numbers(scale), "noise scale")
            }
        }

        let classes = try #require(tables.first { $0.head.prefix(2) == ["class", "examples"] })
        let parts = try #require(found["classes"] as? [[String: Any]])
        #expect(parts.count == 10 && classes.rows.count == 10)
        for part in parts {
            let row = try classes.row(#require(part["name"] as? String))
            Self.expect(try row["examples"], Self.numbers(part["example_count"]), "examples")
            Self.expect(try row["loss"], Self.numbers(part["loss"]), "loss")
            Self.expect(
                try row["squared norm of an example's gradient"], Self.numbers(part["second_moment"]), "second moment")
        }
    }

    @Test func `histograms have the file's quartiles and counts`() async throws {
        let (found, html) = try await Self.measuredRun()
        let shown = html.components(separatedBy: "class=\"histogram\"").dropFirst()
        for (text, key) in zip(shown, ["losses", "gradient_norms"]) {
            let values = try #require(found[key] as? [String: Any])
            let counts = try #require(values["counts"] as? [Int])
            let bars = text.components(separatedBy: "</figure>")[0].matches(
                of: /height: ([0-9.]+)%" title="[^"]*: ([0-9]+)"/)
            #expect(bars.map { Int($0.output.2) } == counts && counts.reduce(0, +) == 320)
            for (bar, count) in zip(bars, counts) {
                let height: Double = 100 * Double(count) / Double(counts.max()!)
                #expect(abs(Double(bar.output.1)! - height) < 0.06)
            }
            let words = try #require(text.firstMatch(of: /Quartiles ([^"<]*)/)).output.1
            let numbers = ShownTable.Cell(text: String(words), isBest: false).numbers
            let wanted: [Double] = try ["lower_quartile", "median", "upper_quartile", "mean"].map {
                try #require(values[$0] as? Double)
            }
            #expect(numbers.count == 4, "\(words)")
            for (number, value) in zip(numbers, wanted) { #expect(abs(number - value) <= 0.006 * value, "\(words)") }
        }
    }

    @Test func `a confusion's matrix and list are those of its file`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.writeRun("run", learningRate: 0.1)
        func page(_ classCount: Int) throws -> [ShownTable] {
            let counts = (0..<classCount).map { actual in
                (0..<classCount).map {
                    $0 == actual ? 5 + actual : $0 == (actual + 2) % classCount ? 3 : $0 == 0 ? 1 : 0
                }
            }
            let file: [String: Any] = [
                "classes": (0..<classCount).map { "kind \($0)" }, "counts": counts, "mistakes": [],
            ]
            try JSONSerialization.data(withJSONObject: file).write(
                to: RunDirectory(existing: folder.url.appending(path: "run")).confusionFile)
            return try ShownTable.all(
                on: PageTests.report([folder.url.appending(path: "run").path], in: folder.url).html)
        }
        let matrix = try #require(try page(4).first { $0.head.prefix(2) == ["class", "accuracy"] })
        // 5 of 8; 6 of 10, one of which is of kind 0; 7 of 10, three of which are; 8 of 12.
        for (actual, row) in [[5, 0, 3, 0], [1, 6, 0, 3], [3, 0, 7, 0], [1, 3, 0, 8]].enumerated() {
            let shown = try matrix.row("kind \(actual)")
            #expect(try shown["accuracy"].shows(Double(row[actual]) / Double(row.reduce(0, +)), digits: 3))
            for (predicted, count) in row.enumerated() {
                let cell = try shown["kind \(predicted)"]
                #expect(cell.text == (count == 0 ? "" : "\(count)") && cell.isBest == (predicted == actual))
            }
        }
        let list = try #require(try page(40).first { $0.head.prefix(2) == ["class", "accuracy"] })
        let row = try list.row("kind 7")
        #expect(try row["most often taken for"].text == "kind 9 (3)" && row["accuracy"].shows(12.0 / 16, digits: 3))
    }

    @Test func `where a run broke, the tables are those of its file`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(
            PageTests.options { ($0.steps, $0.learningRate, $0.lossBound) = (200, 8, 4) }, output: url)
        await #expect(throws: TrainingError.self) { _ = try await run.run() }
        let found = try object(run.directory.divergenceFile)
        let tables = try ShownTable.all(on: PageTests.report([url.path], in: folder.url).html)

        let recent = try #require(tables.first { $0.head.contains("step") && $0.head.contains("second moment") })
        let steps = try #require(found["recent_steps"] as? [[String: Any]])
        #expect(!steps.isEmpty && recent.rows.count == steps.count)
        for step in steps {
            let row = try recent.row("\(step["step"] as! Int)")
            for (heading, key) in [
                ("batch size", "batch_size"), ("learning rate", "learning_rate"), ("loss", "loss"),
                ("second moment", "second_moment"), ("squared gradient norm", "gradient_squared_norm"),
            ] {
                let value = try #require(step[key] as? Double)
                let cell = try row[heading]
                #expect(cell.shows(value), "\(heading): \(cell.text), \(value)")
            }
        }
        let batch = try #require(found["batch"] as? [String: Any])
        let table = try #require(tables.first { $0.head.first == "parameter" })
        let parameters = try #require(batch["parameters"] as? [[String: Any]])
        #expect(parameters.count == 4 && table.rows.count == 4)
        for parameter in parameters {
            let row = try table.row(#require(parameter["name"] as? String))
            for (heading, key) in [
                ("second moment", "second_moment"), ("squared gradient norm", "gradient_squared_norm"),
            ] {
                let value = try #require(parameter[key] as? Double)
                let cell = try row[heading]
                #expect(cell.shows(value), "\(heading): \(cell.text), \(value)")
            }
        }
    }

    @Test func `a branch's tables and figure are those of its files`() async throws {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(PageTests.options { $0.steps = 20 }, output: folder.url.appending(path: "run"))
        _ = try await run.run()
        let url = folder.url.appending(path: "branch")
        var request = Branching.Request()
        (request.exampleCount, request.evaluatedCount, request.scaling) = (256, 100, .squareRoot)
        let branching = try Branching(BranchPoint(at: run.directory.url), named: "run", request, in: url)
        let sizes = [8, 32, 128]
        for size in sizes { for order in 0..<3 { _ = try await branching.make(batchSize: size, order: order) } }
        let report = try Report([url.path], page: folder.url.appending(path: "page.html"))
        try report.write(with: PageTests.standIn())
        let tables = try ShownTable.all(on: String(contentsOf: report.page, encoding: .utf8))

        let lines = try table(ofCSV: url.appending(path: "branches.csv"))
        let shown = try #require(tables.first { $0.head.contains("lowest") })
        var points: [[Double]] = []
        for size in sizes {
            let row = try shown.row("\(size)")
            let results = lines.filter { $0["batch_size"] == "\(size)" }
            func values(_ key: String) throws -> [Double] { try results.map { try #require(Double($0[key]!)) } }
            let (losses, accuracies) = (try values("loss"), try values("test_accuracy"))
            #expect(losses.count == 3)
            let mean = losses.reduce(0, +) / 3
            #expect(try row["learning rate"].shows(values("learning_rate")[0]))
            #expect(try row["mean loss"].shows(mean) && row["lowest"].shows(losses.min()!))
            #expect(try row["highest"].shows(losses.max()!))
            #expect(try row["test accuracy"].shows(accuracies.reduce(0, +) / 3))
            points.append([Double(size), mean, losses.min()!, losses.max()!])
        }
        let figure = try FigureValueTests.Drawn(#require(report.figureFolder).appending(path: "branch-1.svg"))
        #expect(figure.x.hasPrefix("batch size") && figure.y == "loss")
        FigureValueTests.expectNear(try figure.points("loss"), points, "branch")

        let setting = try object(url.appending(path: "branch.json"))
        let predictions = try #require(tables.last)
        let noise = try #require((setting["noise"] as? [String: Any])?["noise_scale"] as? [String: Double])
        Self.expect(predictions.rows[0][1], [noise["value"]!, noise["standard_error"]!], "noise scale")
        let forecasts = try #require(setting["forecasts"] as? [[String: Any]])
        #expect(forecasts.count > 3 && predictions.rows.count == forecasts.count + 1)
        for forecast in forecasts {
            let row = try predictions.row(#require(forecast["rule"] as? String))
            #expect(try row["batch size"].shows(#require(forecast["batch_size"] as? Double)))
        }
    }
}
