@testable import CABSTraining
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct ComparisonTests {
    static let text = """
        options: {dataset: digits, workers: 1, evaluations: 2, examples: 700}
        rules:
          - constant:32
          - {name: large, options: {batch-size: cabs, minimum-batch-size: 64, maximum-batch-size: 128}}
        learning-rates: [0.1, 1e+30]
        seeds: [3]
        """

    static func grid(_ text: String = text) throws -> ComparisonGrid {
        let folder = try TemporaryFolder()
        return try ComparisonGrid(contentsOf: folder.write(text, as: "grid.yaml"))
    }

    @Test func `a curve has the mean loss of equal parts of a run, and its evaluations`() async throws {
        let folder = try TemporaryFolder()
        let text =
            "options: {dataset: digits, workers: 1, evaluations: 3, examples: 6000, average: swa}\nrules: [constant:16]\n"
        let comparison = try Comparison(
            Self.grid(text + "learning-rates: [0.1]"), in: folder.url.appending(path: "grid"))
        try await comparison.make(comparison.runs[0])
        try comparison.writeResults()
        let file = comparison.url.appending(path: "curves/\(comparison.runs[0].identifier).csv")
        let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").dropFirst().map {
            $0.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        }
        // 375 steps of 16: two or three in each part.
        #expect(rows.count == 150 && rows.last?[0] == 6000)
        let metrics = try String(
            contentsOf: comparison.directory(of: comparison.runs[0]).metricsFile, encoding: .utf8)
        let steps = try metrics.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let losses = steps.map { $0["loss"] as! Double }
        var first = 0
        for (index, row) in rows.enumerated() {
            let end = Int(row[0]!) / 16
            #expect(end - first >= 2 && row[3] == 16)
            #expect(abs(row[2]! - losses[first..<end].reduce(0, +) / Double(end - first)) < 1e-12)
            #expect((row[5] != nil) == [49, 99, 149].contains(index))
            first = end
        }
        for (column, name) in [(4, "test_loss"), (5, "test_accuracy"), (6, "average_test_accuracy")] {
            let expected = try #require(steps.last?[name] as? Double)
            #expect(abs(try #require(rows[149][column]) - expected) < 1e-12)
        }
    }

    @Test func `a grid is all rules by all learning rates`() throws {
        let runs = try Self.grid().runs()
        #expect(
            runs.map(\.identifier) == [
                "digits_mlp_constant-32_0.1_3", "digits_mlp_large_0.1_3", "digits_mlp_constant-32_1e+30_3",
                "digits_mlp_large_1e+30_3",
            ])
        let options = runs[1].configuration.options
        #expect(options.minimumBatchSize == 64 && options.learningRate == 0.1 && options.examples == 700)
    }

    @Test(arguments: [
        ("rules: []\nlearning-rates: [1]", "at least one"),
        ("rules: [cabs, cabs]\nlearning-rates: [1]", "names of their own"),
        ("rules: [cabs]\nlearning-rates: [1]\nbudget-examples: 5\nbudget-seconds: 5", "given twice"),
        ("rules: [cabs]\nlearning-rates: [1]\noptions: {minimum-batch-size: 5}", "belong to the rules"),
        ("rules: [huge]\nlearning-rates: [1]", "huge"),
        ("rules: [{name: '=1+1', options: {}}]\nlearning-rates: [1]", "formula"),
        ("rules: [{name: '@x', options: {}}]\nlearning-rates: [1]", "formula"),
        ("rules: [{name: -x, options: {}}]\nlearning-rates: [1]", "formula"),
        ("rules: [{name: +x, options: {}}]\nlearning-rates: [1]", "formula"),
        ("rules: [cabs]\nlearning-rates: [1]\nbudget: 5", "budget"),
        ("rules: [cabs]\nlearning-rates: [1]\noptions: {sed: 5}", "sed"),
        ("rules: [{name: a, option: {}}]\nlearning-rates: [1]", "option"),
        (
            "rules: [{name: slow, options: {learning-rate: 0.001}}]\nlearning-rates: [1]",
            "learning-rate in the options of the rule slow"
        ),
        ("rules: [{name: a, options: {seed: 7}}]\nlearning-rates: [1]", "seed in the options of the rule a"),
        ("rules: [cabs]\nlearning-rates: [1]\nseeds: [1]\noptions: {seed: 7}", "seed in the options of all runs"),
        ("rules: [cabs]\nlearning-rates: [1]\ndatasets: [mnist]\noptions: {dataset: digits}", "dataset in the options"),
        ("rules: [cabs]\nlearning-rates: [1]\nmodels: [mlp]\noptions: {model: mlp}", "model in the options"),
        ("rules: [cabs]\nlearning-rates: [1]\nbudget-examples: 5\noptions: {steps: 3}", "given twice"),
        ("rules: [cabs]\nlearning-rates: [1]\nbudget-examples: 5\noptions: {examples: 5}", "given twice"),
        (
            "rules: [{name: a, options: {dataset: svhn}}]\nlearning-rates: [1]\noptions: {dataset: digits, data: here}",
            "data in the options of all runs means nothing"
        ),
    ])
    func `a grid that is wrong is refused`(text: String, mentions: String) throws {
        let error = #expect(throws: TrainingError.self) { try Self.grid(text).runs() }
        #expect(try #require(error).description.contains(mentions), "\(String(describing: error))")
    }

    /// The table without the last column, the only one that depends on the machine's speed.
    static func table(_ folder: URL) throws -> [String] {
        try String(contentsOf: folder.appending(path: "results.csv"), encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false).dropLast().joined(separator: ",")
        }
    }

    static func makeAll(_ comparison: Comparison) async throws -> Int {
        var made = 0
        for run in comparison.runs where try !comparison.hasEnded(run) {
            try await comparison.make(run)
            try comparison.writeResults()
            made += 1
        }
        return made
    }

    @Test func `runs are made once, interrupted ones anew, and divergence is a result`() async throws {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        #expect(try await Self.makeAll(Comparison(Self.grid(), in: whole)) == 4)

        let first = try Comparison(Self.grid(), in: parts)
        try await first.make(first.runs[0])
        // As a run that was killed leaves its folder.
        let killed = first.directory(of: first.runs[1])
        try FileManager.default.createDirectory(at: killed.checkpointFolder, withIntermediateDirectories: true)
        try Data("{\"step\": 0".utf8).write(to: killed.metricsFile)
        #expect(try await Self.makeAll(Comparison(Self.grid(), in: parts)) == 3)
        #expect(try Self.table(parts) == Self.table(whole))
        #expect(try await Self.makeAll(Comparison(Self.grid(), in: parts)) == 0)

        let results = try first.results()
        #expect(results.map(\.summary.status) == [.finished, .finished, .diverged, .diverged])
        #expect(results[1].summary.testAccuracy != nil && results[3].summary.testAccuracy == nil)
        #expect(results[0].summary.examples == 700 && results[3].summary.examples < 700)
    }

    @Test func `a run that another process is at is left to it`() async throws {
        let folder = try TemporaryFolder()
        let comparison = try Comparison(Self.grid(), in: folder.url)
        let run = comparison.runs[0]
        try FileManager.default.createDirectory(
            at: comparison.directory(of: run).url, withIntermediateDirectories: true)
        var lock: RunLock? = try RunLock(comparison.directory(of: run).url)
        var begun: [String] = []
        func make(_ run: ComparisonGrid.Run) async throws -> Comparison.Outcome {
            try await comparison.make(run, onBegin: { begun.append(run.rule) })
        }
        #expect(try await make(run) == .inUse)
        #expect(try await make(comparison.runs[1]) == .made)
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(try await make(run) == .made)
        #expect(try await make(run) == .madeBefore)
        #expect(begun == [comparison.runs[1].rule, run.rule])
        // A process that has made the folder, and not yet written the grid.
        let other = folder.url.appending(path: "other")
        try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
        for name in ["lock", ".grid.yaml.partial"] { try Data().write(to: other.appending(path: name)) }
        #expect(try Comparison(Self.grid(), in: other).runs.count == 4)
    }

    @Test func `an interrupted run goes on where it stopped`() async throws {
        let folder = try TemporaryFolder()
        var grid = try Self.grid()
        (grid.learningRates, grid.rules) = ([0.1], [grid.rules[0]])
        let comparison = try Comparison(grid, in: folder.url)
        func steps(stoppingAfter count: Int) async throws -> [Int] {
            var made: [Int] = []
            _ = try? await comparison.make(comparison.runs[0]) {
            } onEvent: {
                if case .step(let step, _) = $0 { made.append(step.index) }
            } shouldStop: {
                made.count == count
            }
            return made
        }
        #expect(try await steps(stoppingAfter: 9) == Array(0..<9))
        #expect(try !comparison.hasEnded(comparison.runs[0]))
        #expect(try await steps(stoppingAfter: .max) == Array(9..<22))
        #expect(try comparison.hasEnded(comparison.runs[0]))
    }

    @Test func `each seed draws and begins in its own way`() async throws {
        let folder = try TemporaryFolder()
        var grid = try Self.grid()
        (grid.learningRates, grid.rules, grid.seeds) = ([1e-30], [grid.rules[0]], [1, 2, 3])
        let comparison = try Comparison(grid, in: folder.url)
        #expect(try await Self.makeAll(comparison) == 3)
        // At so small a rate only first parameters tell them apart.
        #expect(Set(try comparison.results().map(\.summary.testLoss)).count == 3)
        #expect(comparison.runs.map(\.configuration.options.seed) == [1, 2, 3])
    }

    @Test func `a rule's name may have commas and quotation marks`() async throws {
        let folder = try TemporaryFolder()
        let grid = try Self.grid(
            """
            options: {dataset: digits, workers: 1, examples: 8}
            rules: [{name: 'small, "mine"', options: {batch-size: "constant:8"}}]
            learning-rates: [0.1]
            """)
        #expect(try await Self.makeAll(Comparison(grid, in: folder.url)) == 1)
        let line = try #require(Self.table(folder.url).last)
        #expect(line.hasPrefix("digits,mlp,\"small, \"\"mine\"\"\",0.1,0,finished,1,8,"), "\(line)")
    }

    @Test func `the lengths of grids of earlier versions are read`() throws {
        let beginning = "rules: [cabs]\nlearning-rates: [1]\noptions: {dataset: digits}\n"
        let examples = try Self.grid(beginning + "budget-examples: 700").runs()[0].configuration.options
        #expect(examples.examples == 700 && examples.epochs == nil)
        #expect(try Self.grid(beginning + "budget-seconds: 2.5").runs()[0].configuration.length == .seconds(2.5))
    }

    @Test func `a grid may grow, but not change what was run`() async throws {
        let folder = try TemporaryFolder()
        var grid = try Self.grid()
        grid.learningRates = [0.1]
        #expect(try await Self.makeAll(Comparison(grid, in: folder.url)) == 2)
        grid.seeds = [3, 4]
        #expect(try await Self.makeAll(Comparison(grid, in: folder.url)) == 2)
        grid.options?.examples = 701
        let error = #expect(throws: TrainingError.self) { try Comparison(grid, in: folder.url) }
        #expect(try #require(error).description.contains("other options"))
        let foreign = try TemporaryFolder()
        _ = try foreign.write("mine", as: "notes.txt")
        #expect(throws: TrainingError.outputExists(path: foreign.url.path)) { try Comparison(grid, in: foreign.url) }
    }
}
