import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// Whole reports, with a stand-in for the program that draws: what it would draw, `GnuplotScript` says.
@Suite(.timeLimit(.minutes(10))) struct PageTests {
    static let curves = [
        "loss-by-examples", "accuracy-by-examples", "loss-by-seconds", "accuracy-by-seconds", "batch-size",
        "batch-size-asked-for", "variance",
        "gradient-squared-norm", "noise-scale",
    ]

    /// A program that draws every figure empty.
    static func standIn() throws -> Gnuplot {
        let programs = URL(filePath: #filePath).appending(path: "../../Programs").standardizedFileURL
        return try Gnuplot(searchPath: programs.path)
    }

    /// Makes a report and reads the page and the names of the figures.
    static func report(_ paths: [String], in folder: URL, title: String? = nil) throws -> (
        html: String, figures: Set<String>
    ) {
        let report = try Report(paths, page: folder.appending(path: "page.html"), title: title)
        try report.write(with: standIn())
        let folder = try #require(report.figureFolder)
        let figures = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        for figure in figures {
            let text = try String(contentsOf: folder.appending(path: figure), encoding: .utf8)
            #expect(text.contains("<svg") && text.contains("</svg>"))
        }
        return (try String(contentsOf: report.page, encoding: .utf8), Set(figures.map { String($0.dropLast(4)) }))
    }

    /// Nothing on the page comes from elsewhere or runs.
    static func expectSelfContained(_ html: String) throws {
        #expect(!html.contains("<script"))
        #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
        for match in html.matches(of: try Regex("(?:src|href)=\"([^\"]*)\"", as: (Substring, Substring).self)) {
            #expect(match.1.hasPrefix("data:"), "\(match.1.prefix(80))")
        }
        #expect(!html.contains("url(") && !html.contains("@import"))
        // Each picture says what it is.
        #expect(
            html.matches(of: try Regex("<img ")).count
                == html.matches(of: try Regex("alt=\"(Line chart of|training example) ")).count)
    }

    static func options(_ change: (inout TrainingOptions) -> Void) throws -> TrainingConfiguration {
        var options = TrainingOptions()
        options.dataset = .digits
        options.workers = 1
        options.evaluations = 3
        change(&options)
        return try TrainingConfiguration(options)
    }

    @Test func `a measurement of gradients stands on the page, with pictures`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(Self.options { $0.steps = 40 }, output: url)
        _ = try await run.run()
        try Self.expectMeasurement(of: run.directory, in: folder.url)
    }

    private static func expectMeasurement(of run: RunDirectory, in folder: URL) throws {
        let measured = try TrainedNetwork(at: run.url).measurement(exampleCount: 320)
        #expect(measured.stepCount == 40 && measured.coupling?.learningRate == 0.1)
        try run.write(measured)
        let (html, _) = try report([run.url.path], in: folder)
        #expect(html.contains("Noise in the gradients after 40 steps"))
        #expect(html.contains(measured.noise.covarianceTrace.text) && html.contains(measured.layers[1].name))
        #expect(html.matches(of: try Regex("class=\"histogram\"")).count == 2)
        #expect(html.matches(of: try Regex("alt=\"training example [0-9]+\"")).count == 40)
        let worst = try #require(measured.largestLosses.first)
        #expect(html.contains("\(worst.caption); training example \(worst.example)"))
    }

    @Test func `results and curves alone are enough for the figures of a grid`() async throws {
        let folder = try TemporaryFolder()
        let whole = folder.url.appending(path: "whole")
        var constant = TrainingOptions()
        constant.batchSize = "constant:8"
        var grid = ComparisonGrid(
            rules: [.init("cabs"), .init(name: "a, b", options: constant)], learningRates: [0.1, 0.2])
        var options = TrainingOptions()
        (options.dataset, options.workers, options.steps, options.evaluations) = (.digits, 1, 60, 3)
        grid.options = options
        let comparison = try Comparison(grid, in: whole)
        for run in comparison.runs { try await comparison.make(run) }
        try comparison.writeResults()
        let kept = folder.url.appending(path: "kept")
        try FileManager.default.createDirectory(at: kept, withIntermediateDirectories: true)
        for name in ["results.csv", "curves"] {
            try FileManager.default.copyItem(at: whole.appending(path: name), to: kept.appending(path: name))
        }
        let (full, all) = try Self.report([whole.path], in: folder.url)
        let (html, figures) = try Self.report([kept.path], in: kept)
        #expect(
            figures
                == all.subtracting([
                    "batch-size-asked-for", "variance", "gradient-squared-norm", "noise-scale",
                ]) && figures.count > 5)
        // The tables have the same numbers; only what repeats a run is not known any more.
        func cells(_ html: String) throws -> [Substring] {
            html.matches(of: try Regex("<td[^>]*>([^<]*)<", as: (Substring, Substring).self)).map(\.1)
                .filter { !$0.isEmpty && !$0.hasPrefix("its options") }
        }
        #expect(try cells(html) == cells(full))
        // Losses and sizes by parts are means of the same steps.
        let runs = try (RunCollection([whole.path]).runs, RunCollection([kept.path]).runs)
        for (run, published) in zip(runs.0, runs.1) {
            #expect(run.rule == published.rule && run.seed == published.seed)
            let (steps, parts) = (run.records(), published.records())
            #expect(steps.last?.step == parts.last?.step && steps.last?.examples == parts.last?.examples)
            func mean(_ records: [StepRecord]) -> Double {
                records.reduce(0) { $0 + ($1.loss ?? .nan) * $1.exampleExtent } / Double(records.last?.examples ?? 0)
            }
            #expect(abs(mean(steps) - mean(parts)) < 1e-9)
        }
        // What is kept of a grid is the grid once more.
        for names in [[whole.path, kept.path], [kept.path, whole.path]] {
            let both = try RunCollection(names).runs
            #expect(both.count == runs.0.count && both.allSatisfy { $0.directory != nil })
        }
        try Data("dataset,model\n1,2\n".utf8).write(to: kept.appending(path: "results.csv"))
        #expect(throws: TrainingError.self) { _ = try RunCollection([kept.path]) }
    }

    @Test func `a branch stands on the page with its figure`() async throws {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(Self.options { $0.steps = 20 }, output: folder.url.appending(path: "run"))
        _ = try await run.run()
        let url = folder.url.appending(path: "branch")
        var request = Branching.Request()
        (request.exampleCount, request.evaluatedCount, request.tolerance) = (256, 100, 0.2)
        let branching = try Branching(BranchPoint(at: run.directory.url), named: "run", request, in: url)
        for size in [8, 32, 256] { for order in 0..<2 { _ = try await branching.make(batchSize: size, order: order) } }
        let (html, figures) = try Self.report([url.path], in: folder.url)
        try Self.expectSelfContained(html)
        #expect(figures == ["branch-1"])
        #expect(html.contains("mlp on digits, branched after 20 steps"))
        let critical = try #require(try branching.table().critical(tolerance: 0.2))
        #expect(html.contains("within 0.2 of those of all smaller ones: \(critical.batchSize)"))
        for forecast in branching.setting.forecasts { #expect(html.contains(">\(forecast.rule)</th>")) }
        let both = try Self.report([run.directory.url.path, url.path], in: folder.url)
        #expect(both.figures.contains("branch-1") && both.figures.contains("batch-size"))
        #expect(both.html.contains("<title>Report on 1 run and 1 branch</title>"))
        let copy = folder.url.appending(path: "copy")
        try FileManager.default.copyItem(at: url, to: copy)
        #expect(try RunCollection([url.path, copy.path]).branches.count == 1)
    }

    @Test func `a size of which one continuation diverged has no place in the figure, and other sizes have their own`()
        throws
    {
        let folder = try TemporaryFolder()
        let noise =
            #"{"covariance_trace": {"value": 1, "standard_error": 1}, "gradient_squared_norm": {"value": 1, "standard_error": 1}}"#
        let setting =
            #"{"from": "run", "dataset": "digits", "model": "mlp", "step_count": 20, "batch_size": 16, "learning_rate": 0.1, "example_count": 256, "evaluated_count": 100, "tolerance": 0.1, "loss": {"value": 1, "standard_error": 0.1}, "noise": \#(noise), "forecasts": []}"#
        _ = try folder.write(setting, as: "branch/branch.json")
        let lines = [
            "48,0,0.1,9,0.5,0.5,0.9", "48,1,0.1,9,0.6,0.5,0.9", "100,0,0.1,9,0.7,0.5,0.9", "100,1,0.1,9,0.8,0.5,0.9",
        ]
        let broken = ["512,0,0.1,9,2.3,0.5,0.9", "512,1,0.1,,,,"]
        let head = "batch_size,order,learning_rate,steps,loss,test_loss,test_accuracy"
        _ = try folder.write(([head] + lines + broken).joined(separator: "\n"), as: "branch/branches.csv")
        let branching = try Branching(existing: folder.url.appending(path: "branch"))
        let figure = try #require(
            try BranchSection(setting: branching.setting, table: branching.table(), number: 1).figure)
        #expect(figure.series[0].curve.points.map(\.x) == [48, 100] && figure.x.tics == [48, 100])
        #expect(try branching.table().sizes[2].losses == [2.3])
    }

    @Test func `second moments that were not measured are not called infinite`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(
            Self.options {
                ($0.steps, $0.learningRate, $0.lossBound) = (200, 8, 4)
                ($0.batchSize, $0.estimator) = ("constant:16", .unmeasured)
            }, output: url)
        await #expect(throws: TrainingError.self) { _ = try await run.run() }
        let (html, _) = try Self.report([url.path], in: folder.url)
        #expect(html.contains("Where it broke") && !html.contains("not finite</td>"))
    }

    @Test func `where a run broke stands on the page, with pictures`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(
            Self.options { ($0.steps, $0.learningRate, $0.lossBound) = (200, 8, 4) }, output: url)
        await #expect(throws: TrainingError.self) { _ = try await run.run() }
        let found = try #require(try run.directory.divergence())
        let (html, _) = try Self.report([url.path], in: folder.url)
        #expect(html.contains("Where it broke: step \(found.step)"))
        let first = try #require(found.batch?.dominating.first?.example)
        #expect(html.contains("training example \(first.example)") && html.contains(first.caption))
        #expect(html.matches(of: try Regex("alt=\"training example [0-9]+\"")).count == 10)
        #expect(html.contains("dense2.weight</th>"))
        #expect(html.contains("In another run, use a smaller learning rate."))
        // Beside others it is still there, folded away, and a folder that is named twice is one.
        let other = folder.url.appending(path: "other")
        let whole = try TrainingRun(Self.options { $0.steps = 20 }, output: other)
        _ = try await whole.run()
        try whole.directory.write(TrainedNetwork(at: other).measurement(exampleCount: 64))
        let link = folder.url.appending(path: "link")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: url)
        let (both, _) = try Self.report([url.path, other.path, link.path + "/", url.path + "/"], in: folder.url)
        #expect(
            both.contains("Where it broke: step \(found.step)")
                && both.contains("Noise in the gradients after 20 steps"))
        #expect(both.matches(of: try Regex("What was found out about")).count == 2)
        try Data("{}".utf8).write(to: run.directory.divergenceFile)
        #expect(throws: TrainingError.self) { _ = try Self.report([url.path], in: folder.url) }
    }

    @Test func `where a run broke that went back stands on the page`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(
            Self.options {
                ($0.steps, $0.learningRate, $0.lossBound, $0.batchSize) = (40, 8, 4, "constant:16")
                ($0.onDivergence, $0.rewinds, $0.checkpointEvery) = (.rewind, 10, "5")
            }, output: url)
        #expect(try await run.run().wasRewound)
        let found = try #require(try run.directory.divergence())
        let (html, _) = try Self.report([url.path], in: folder.url)
        #expect(html.contains("Where it broke: step \(found.step)"))
    }

    @Test func `before the first update a smaller rate is no remedy`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let run = try TrainingRun(Self.options { ($0.steps, $0.lossBound) = (10, 1) }, output: url)
        await #expect(throws: TrainingError.self) { _ = try await run.run() }
        let (html, _) = try Self.report([url.path], in: folder.url)
        #expect(html.contains("raise loss-bound") && !html.contains("smaller learning rate"))
    }

    @Test func `a run has all figures, watching rules among them`() async throws {
        let folder = try TemporaryFolder()
        let run = folder.url.appending(path: "run")
        let configuration = try Self.options {
            $0.steps = 30
            $0.shadow = "noise-scale,norm-test"
            $0.compareEstimators = 10
        }
        _ = try await TrainingRun(configuration, output: run).run()
        let (html, figures) = try Self.report([run.path], in: run)
        #expect(figures == Set(Self.curves + ["shadows", "estimators"]))
        try Self.expectSelfContained(html)
        #expect(html.contains("<code>cabs train --config config.yaml</code>"))

        // As a run that was killed leaves its folder.
        try FileManager.default.removeItem(at: RunDirectory(existing: run).summaryFile)
        let metrics = RunDirectory(existing: run).metricsFile
        try Data(contentsOf: metrics).dropLast(40).write(to: metrics)
        let unfinished = try Self.report([run.path], in: folder.url).html
        #expect(unfinished.contains("unfinished") && unfinished.contains("<td>29</td>"))
    }

    @Test func `a comparison has the learning rates' figures too, and names cannot break the page`() async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            """
            options: {dataset: digits, workers: 1, evaluations: 2, examples: 700}
            rules: [cabs, {name: "<&\\"'`touch broken`", options: {batch-size: "constant:32"}}]
            learning-rates: [0.1, 0.2, 1e+30]
            """, as: "wanted.yaml")
        let grid = folder.url.appending(path: "grid")
        let comparison = try Comparison(ComparisonGrid(contentsOf: file), in: grid)
        for run in comparison.runs { try await comparison.make(run) }
        let (html, figures) = try Self.report([grid.path], in: grid, title: "<b>mine</b>")
        #expect(figures == Set(Self.curves + ["accuracy-by-learning-rate", "loss-by-learning-rate"]))
        try Self.expectSelfContained(html)
        #expect(html.contains("&lt;&amp;&quot;&#39;`touch broken`") && !html.contains("<&") && !html.contains("<b>"))
        #expect(html.contains("2 of 6 runs diverged"))
        #expect(html.contains("cabs train --config runs/digits_mlp_cabs_0.2_0/config.yaml"))
        let found = try FileManager.default.contentsOfDirectory(atPath: grid.path)
        #expect(Set(found) == ["grid.yaml", "runs", "page.html", "page-figures", "page-tables", "lock"])
    }

    @Test(.enabled(if: (try? Gnuplot()) != nil, "gnuplot is not installed"))
    func `gnuplot draws all figures of a run`() async throws {
        let folder = try TemporaryFolder()
        let run = folder.url.appending(path: "run")
        let configuration = try Self.options { ($0.steps, $0.shadow, $0.compareEstimators) = (30, "noise-scale", 10) }
        _ = try await TrainingRun(configuration, output: run).run()
        let report = try Report([run.path], page: folder.url.appending(path: "page.html"))
        try report.write()
        let figures = try #require(report.figureFolder)
        for name in Self.curves + ["shadows", "estimators"] {
            let image = try String(contentsOf: figures.appending(path: "\(name).svg"), encoding: .utf8)
            #expect(image.contains("<svg") && image.contains("<path") && image.contains("</svg>"), "\(name)")
        }
    }

    @Test func `a run that diverged is told of without figures`() throws {
        let folder = try TemporaryFolder()
        let run = try folder.writeRun("run", learningRate: 1e30, status: "diverged")
        let (html, figures) = try Self.report([#require(run.directory).url.path], in: folder.url)
        #expect(figures.isEmpty && html.contains("The run diverged"))
    }
}
