import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// The points of each figure, as gnuplot is given them, beside the same from the runs' files.
@Suite(.timeLimit(.minutes(10))) struct FigureValueTests {
    /// A figure as it is drawn: what its axes say, and for each name in the legend the points `x mean low high`.
    struct Drawn {
        let x: String
        let y: String
        let series: [(name: String, points: [[Double]])]

        /// Reads the stand-in's file, which holds the commands.
        init(_ file: URL) throws {
            let text = try String(contentsOf: file, encoding: .utf8)
            func label(_ axis: String) throws -> String {
                try String(
                    #require(text.firstMatch(of: Regex("set \(axis)label '([^']*)'", as: (Substring, Substring).self)))
                        .output.1)
            }
            (x, y) = (try label("x"), try label("y"))
            let names = text.matches(of: /set label '([^']*)' at screen/).map { String($0.output.1) }
            let blocks = text.matches(of: /\$data[0-9]+ << EOD\n([^E]*)EOD/).map { block in
                block.output.1.split(separator: "\n").map { line in
                    line.split(separator: " ").map { Double($0) ?? .nan }
                }
            }
            try #require(names.count == blocks.count)
            series = Array(zip(names, blocks))
        }

        func points(_ name: String) throws -> [[Double]] { try #require(series.first { $0.name == name }).points }
    }

    /// What was measured over a part of a run: how much of it that is, where it lies, and the value.
    struct Part {
        let extent: Double
        let x: Double
        let y: Double
    }

    /// The means over equal parts of a run, by the integral over it, read at the parts' ends: `[x, y]`.
    static func means(_ parts: [Part], count: Int) -> [[Double]] {
        var ends = [0.0]
        for part in parts { ends.append(ends.last! + part.extent) }
        func integral(_ end: Double, _ value: (Part) -> Double) -> Double {
            zip(parts, ends).reduce(0) { $0 + value($1.0) * min(max(end - $1.1, 0), $1.0.extent) }
        }
        let width = ends.last! / Double(count)
        return (0..<count).map { bin in
            [\Part.x, \.y].map { value in
                (integral(width * Double(bin + 1)) { $0[keyPath: value] }
                    - integral(width * Double(bin)) { $0[keyPath: value] })
                    / width
            }
        }
    }

    static func expectNear(_ found: [[Double]], _ wanted: [[Double]], _ what: String) {
        #expect(found.count == wanted.count, "\(what)")
        for (one, other) in zip(found, wanted) {
            for (a, b) in zip(one, other) { #expect(abs(a - b) <= 1e-6 * abs(b) + 1e-12, "\(what): \(one), \(other)") }
        }
    }

    /// A step of `metrics.jsonl`.
    private struct Step {
        let values: [String: Any]
        subscript(key: String) -> Double { values[key] as? Double ?? .nan }
        /// The unbiased variance, and the unbiased squared norm of the full gradient.
        var moments: (variance: Double, norm: Double) {
            let m = self["batch_size"]
            let variance = (self["second_moment"] - self["gradient_squared_norm"]) * m / (m - 1)
            return (variance, self["gradient_squared_norm"] - variance / m)
        }
    }

    @Test func `figures of a run show its metrics`() async throws {
        let folder = try TemporaryFolder()
        let run = folder.url.appending(path: "run")
        let configuration = try PageTests.options {
            ($0.steps, $0.learningRate, $0.minimumBatchSize) = (60, 1, 3)
            ($0.shadow, $0.compareEstimators) = ("noise-scale,norm-test:0.9", 10)
        }
        _ = try await TrainingRun(configuration, output: run).run()
        try Self.spreadEstimates(in: run)
        let report = try Report([run.path], page: folder.url.appending(path: "page.html"))
        try report.write(with: PageTests.standIn())
        let figures = try #require(report.figureFolder)
        func drawn(_ name: String) throws -> Drawn { try Drawn(figures.appending(path: "\(name).svg")) }
        let steps = try objects(run.appending(path: "metrics.jsonl")).map(Step.init)
        #expect(steps.count == 60 && Set(steps.map { $0["batch_size"] }).count > 3)
        let seconds = try #require(steps.last)["training_seconds"]
        let unit = seconds >= 0.1 ? 1 : 1e-3

        func byExamples(_ x: String, _ unit: Double = 1, _ y: (Step) -> Double) -> [Part] {
            steps.map { Part(extent: $0["batch_size"], x: $0[x] / unit, y: y($0)) }
        }
        func bySteps(_ y: (Step) -> Double) -> [[Double]] {
            Self.means(steps.map { Part(extent: 1, x: $0["step"], y: y($0)) }, count: 60)
        }
        func expect(_ name: String, _ labels: (x: String, y: String), _ wanted: [[Double]], _ series: String = "cabs")
            throws
        {
            let figure = try drawn(name)
            #expect(figure.x.hasPrefix(labels.x) && figure.y.contains(labels.y), "\(name): \(figure.x), \(figure.y)")
            Self.expectNear(try figure.points(series), wanted.map { [$0[0], $0[1], $0[1], $0[1]] }, name)
        }
        try expect(
            "loss-by-examples", ("examples drawn", "training loss"),
            Self.means(byExamples("examples") { $0["loss"] }, count: 60))
        try expect(
            "loss-by-seconds", ("training time (\(unit == 1 ? "seconds" : "milliseconds")", "training loss"),
            Self.means(byExamples("training_seconds", unit) { $0["loss"] }, count: 60))
        let evaluated = steps.filter { !$0["test_accuracy"].isNaN }
        #expect(evaluated.count == 3)
        try expect(
            "accuracy-by-examples", ("examples drawn", "test accuracy"),
            evaluated.map { [$0["examples"], $0["test_accuracy"]] })
        try expect(
            "accuracy-by-seconds", ("training time", "test accuracy"),
            evaluated.map { [$0["training_seconds"] / unit, $0["test_accuracy"]] })
        try expect("batch-size", ("steps", "batch size"), bySteps { $0["batch_size"] })
        try expect(
            "variance", ("examples drawn", "variance"), Self.means(byExamples("examples") { $0["variance"] }, count: 60)
        )
        // Of 40 parts; where noise outweighs the gradient there is no point.
        let (variances, norms) = (
            Self.means(byExamples("examples") { $0.moments.variance }, count: 40),
            Self.means(byExamples("examples") { $0.moments.norm }, count: 40)
        )
        try expect("gradient-squared-norm", ("examples drawn", "squared norm"), norms.filter { $0[1] > 0 })
        try expect(
            "noise-scale", ("examples drawn", "noise scale"),
            zip(variances, norms).filter { $1[1] > 0 }.map { [$0[0], $0[1] / $1[1]] })
        for (series, key) in [("cabs (decides)", "next_batch_size"), ("noise-scale", nil), ("norm-test:0.9", nil)] {
            try expect(
                "shadows", ("steps", "batch size"),
                bySteps { step in key.map { step[$0] } ?? (step.values["shadow"] as? [String: Double])?[series] ?? .nan
                }, series)
        }
        // Two standard errors to either side, but nothing below a hundredth.
        let asked = try drawn("batch-size-asked-for")
        #expect(asked.x == "steps" && asked.y.contains("batch size"))
        Self.expectNear(
            try asked.points("cabs"),
            steps.map { step in
                let (raw, error) = (step["batch_size_raw"], step["batch_size_raw_standard_error"])
                return [step["step"], raw, max(raw - 2 * error, min(raw, 0.01)), raw + 2 * error]
            }, "asked for")
        try Self.expectEstimators(drawn("estimators"), run)
    }

    /// Takes the approximations apart from the exact values: of dense layers, whose approximation is exact, both are the same.
    private static func spreadEstimates(in run: URL) throws {
        let file = run.appending(path: "estimators.jsonl")
        var part = 1.0
        func spread(_ pair: Any?) throws -> [String: Double] {
            part *= 1.1
            let exact = try #require((pair as? [String: Double])?["exact"])
            return ["exact": exact, "reference": part * exact]
        }
        let lines = try objects(file).map { line in
            var line = line
            line["variance"] = try spread(line["variance"])
            line["parameters"] = try (line["parameters"] as? [String: Any])?.mapValues(spread)
            return String(decoding: try JSONSerialization.data(withJSONObject: line), as: UTF8.self) + "\n"
        }
        try Data(lines.joined().utf8).write(to: file)
    }

    private static func expectEstimators(_ figure: Drawn, _ run: URL) throws {
        let lines = try objects(run.appending(path: "estimators.jsonl"))
        #expect(lines.count == 6 && figure.x == "steps" && figure.y == "approximated : exact")
        func wanted(_ pair: ([String: Any]) -> Any?) throws -> [[Double]] {
            try lines.map { line in
                let found = try #require(pair(line) as? [String: Double])
                let ratio = try #require(found["reference"]) / #require(found["exact"])
                return [try #require(line["steps"] as? Double), ratio, ratio, ratio]
            }
        }
        expectNear(try figure.points("all parameters"), try wanted { $0["variance"] }, "all parameters")
        for name in ["dense1.weight", "dense2.weight"] {
            expectNear(try figure.points(name), try wanted { ($0["parameters"] as? [String: Any])?[name] }, name)
        }
    }

    @Test func `lines are means over seeds, and bars and bands reach from the lowest to the highest`() throws {
        let folder = try TemporaryFolder()
        var runs: [KeptGrid.Run] = []
        for (rule, rate, seed, accuracy, loss) in [
            ("cabs", 0.1, 0, 0.71, 0.31), ("cabs", 0.1, 1, 0.77, 0.29), ("cabs", 0.4, 0, 0.61, 0.41),
            ("cabs", 0.4, 1, 0.66, 0.43), ("constant:16", 0.1, 0, 0.5, 0.7), ("constant:16", 0.4, 0, 0.55, 0.6),
        ] {
            var run = KeptGrid.Run(rule: rule, rate: rate, seed: seed, accuracy: accuracy)
            run.trainingLoss = loss
            // Lengths at which the axes count in thousands, and in minutes.
            run.curve = [
                (5000, 300 + Double(seed), loss * 2, 10, accuracy / 2),
                (10_000, 600 + Double(seed), loss, 20, accuracy),
            ]
            runs.append(run)
        }
        _ = try KeptGrid.groups(runs, in: folder)
        let report = try Report(
            [folder.url.appending(path: "grid").path], page: folder.url.appending(path: "page.html"))
        try report.write(with: PageTests.standIn())
        let figures = try #require(report.figureFolder)
        func expect(_ name: String, _ labels: [String], _ wanted: [String: [[Double]]]) throws {
            let figure = try Drawn(figures.appending(path: "\(name).svg"))
            #expect(
                [figure.x, figure.y] == labels && figure.series.count == wanted.count,
                "\(name): \(figure.x), \(figure.y)")
            for (rule, points) in wanted { Self.expectNear(try figure.points(rule), points, "\(name), \(rule)") }
        }
        try expect(
            "accuracy-by-learning-rate", ["learning rate", "final test accuracy"],
            [
                "cabs": [[0.1, 0.74, 0.71, 0.77], [0.4, 0.635, 0.61, 0.66]],
                "constant:16": [[0.1, 0.5, 0.5, 0.5], [0.4, 0.55, 0.55, 0.55]],
            ])
        try expect(
            "loss-by-learning-rate", ["learning rate", "final training loss"],
            [
                "cabs": [[0.1, 0.30, 0.29, 0.31], [0.4, 0.42, 0.41, 0.43]],
                "constant:16": [[0.1, 0.7, 0.7, 0.7], [0.4, 0.6, 0.6, 0.6]],
            ])
        // Each rule at its best rate.
        try expect(
            "accuracy-by-examples", ["examples drawn (thousands)", "test accuracy"],
            [
                "cabs": [[5, 0.37, 0.355, 0.385], [10, 0.74, 0.71, 0.77]],
                "constant:16": [[5, 0.275, 0.275, 0.275], [10, 0.55, 0.55, 0.55]],
            ])
        try expect(
            "loss-by-seconds", ["training time (minutes)", "training loss"],
            [
                "cabs": [[300.5 / 60, 0.6, 0.58, 0.62], [600.5 / 60, 0.3, 0.29, 0.31]],
                "constant:16": [[5, 1.2, 1.2, 1.2], [10, 0.6, 0.6, 0.6]],
            ])
    }
}
