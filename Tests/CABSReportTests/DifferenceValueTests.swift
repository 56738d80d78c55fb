import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// The tables of differences, results and sensitivity, in Markdown and on the page, each cell under its heading beside what the runs say.
@Suite(.timeLimit(.minutes(10))) struct DifferenceValueTests {
    typealias Run = KeptGrid.Run

    /// Numbers that differ in every run and column: three rules at two rates with four seeds each.
    static let runs: [Run] = {
        var state: UInt64 = 7
        func draw(_ low: Double, _ high: Double) -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return low + (high - low) * Double(state >> 40) / Double(1 << 24)
        }
        return ["constant:16", "cabs", "step:2:4"].enumerated().flatMap { index, rule in
            [0.1, 0.3].flatMap { rate in
                (0..<4).map { seed in
                    let shift = 0.05 * Double(index)
                    var run = Run(rule: rule, rate: rate, seed: seed, accuracy: draw(0.5, 0.6) + shift)
                    run.average = draw(0.7, 0.8) - shift
                    (run.testLoss, run.averageLoss) = (draw(1, 1.2) + shift, draw(2, 2.3))
                    run.trainingLoss = draw(3, 3.5)
                    run.curve = [
                        (400, 1 + draw(0, 1), draw(4, 5), draw(10, 20), draw(0.1, 0.2)),
                        (1000, 3 + draw(0, 1), draw(6, 7), draw(30, 40), run.accuracy),
                    ]
                    return run
                }
            }
        }
    }()

    /// What columns hold of a run, by their headings.
    private static let columns: [(heading: String, value: @Sendable (Run) -> Double)] = [
        ("test accuracy", { $0.accuracy! }), ("accuracy of the average", { $0.average! }),
        ("test loss", { $0.testLoss }), ("test loss of the average", { $0.averageLoss! }),
        ("training loss over the last tenth", { $0.trainingLoss }),
        ("mean training loss of the run", { 0.4 * $0.curve[0].loss! + 0.6 * $0.curve[1].loss! }),
    ]

    /// The tables beside a report's page, by their files, which the page has with the same numbers.
    static func tables(_ runs: [Run] = runs, in folder: TemporaryFolder) throws -> [String: ShownTable] {
        _ = try KeptGrid.groups(runs, in: folder)
        let report = try Report(
            [folder.url.appending(path: "grid").path], page: folder.url.appending(path: "page.html"))
        try report.write(with: PageTests.standIn())
        let onPage = try ShownTable.all(on: String(contentsOf: report.page, encoding: .utf8))
        let files = try FileManager.default.contentsOfDirectory(
            at: #require(report.tableFolder), includingPropertiesForKeys: nil)
        return try Dictionary(
            uniqueKeysWithValues: files.map { file in
                let table = ShownTable(markdown: try String(contentsOf: file, encoding: .utf8))
                let twin = onPage.first { page in
                    page.head == table.head
                        && page.rows.map { $0.map(\.numbers) } == table.rows.map { $0.map(\.numbers) }
                }
                #expect(twin != nil, "\(file.lastPathComponent)")
                return (file.deletingPathExtension().lastPathComponent, table)
            })
    }

    /// The tables of these runs.
    private static let shared = Result { try tables(in: TemporaryFolder()) }

    /// The quantile of 0.975 of Student's distribution with three degrees of freedom, by the formula of its area.
    private static let quantile: Double = {
        var (low, high) = (0.0, 100.0)
        for _ in 0..<60 {
            let t = (low + high) / 2
            let x = t / 3.0.squareRoot()
            let area = (x / (1 + x * x) + atan(x)) / Double.pi
            (low, high) = area < 0.475 ? (t, high) : (low, t)
        }
        return low
    }()

    /// The mean difference of four pairs, with the ends of its interval.
    private static func interval(_ differences: [Double]) -> (Double, Double, Double) {
        let count = Double(differences.count)
        let mean = differences.reduce(0, +) / count
        let deviation = sqrt(differences.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / (count - 1))
        let reach = quantile * deviation / sqrt(count)
        return (mean, mean - reach, mean + reach)
    }

    private static func runs(_ rule: String, _ rate: Double) -> [Run] {
        runs.filter { $0.rule == rule && $0.rate == rate }
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    /// The rate with the highest mean accuracy.
    private static func bestRate(_ rule: String) -> Double {
        mean(runs(rule, 0.1).map { $0.accuracy! }) > mean(runs(rule, 0.3).map { $0.accuracy! }) ? 0.1 : 0.3
    }

    private static func expectDifferences(_ row: ShownTable.Row, _ own: [Run], less others: [Run]) throws {
        for (heading, value) in columns {
            let (mean, low, high) = interval(zip(own, others).map { value($0) - value($1) })
            let cell = try row[heading]
            #expect(cell.isWritten(mean, low, high), "\(heading): \(cell.text); \(mean), \(low) to \(high)")
        }
        #expect(try row["pairs"].text == "4")
    }

    @Test func `differences are paired by seed, with Student's intervals`() throws {
        let tables = try Self.shared.get()
        let best = try #require(tables["differences"])
        #expect(best.rows.count == 2)
        for rule in ["constant:16", "step:2:4"] {
            let row = try best.row(rule)
            #expect(try row["learning rate"].numbers == [Self.bestRate(rule)] && row["rates tried"].text == "2")
            try Self.expectDifferences(
                row, Self.runs(rule, Self.bestRate(rule)), less: Self.runs("cabs", Self.bestRate("cabs")))
        }
        let equal = try #require(tables["differences-at-equal-rates"])
        #expect(equal.rows.count == 4)
        for rule in ["constant:16", "step:2:4"] {
            for rate in [0.1, 0.3] {
                let row = try equal.row(rule, "\(rate)")
                try Self.expectDifferences(row, Self.runs(rule, rate), less: Self.runs("cabs", rate))
            }
        }
    }

    @Test func `results are means with their ranges`() throws {
        let results = try #require(try Self.shared.get()["results"])
        #expect(results.rows.count == 6)
        for rule in ["constant:16", "cabs", "step:2:4"] {
            for rate in [0.1, 0.3] {
                let row = try results.row(rule, "\(rate)")
                for (heading, value) in Self.columns {
                    let values = Self.runs(rule, rate).map(value)
                    let cell = try row[heading]
                    #expect(
                        cell.isWritten(Self.mean(values), values.min()!, values.max()!), "\(heading): \(cell.text)")
                }
                // 1,000 examples in 100 steps.
                #expect(try row["runs"].text == "4" && row["mean batch size"].isWritten(10))
            }
        }
    }

    @Test func `sensitivity is the range of the means over learning rates`() throws {
        let table = try #require(try Self.shared.get()["sensitivity"])
        #expect(table.rows.count == 3)
        for rule in ["constant:16", "cabs", "step:2:4"] {
            let row = try table.row(rule, "4")
            func means(_ value: (Run) -> Double) -> [Double] {
                [0.1, 0.3].map { Self.mean(Self.runs(rule, $0).map(value)) }
            }
            let (last, average) = (means { $0.accuracy! }, means { $0.average! })
            #expect(try row["at 0.1"].isWritten(last[0]) && row["at 0.3"].isWritten(last[1]))
            #expect(try row["range"].isWritten(abs(last[0] - last[1])))
            #expect(try row["range of the average's"].isWritten(abs(average[0] - average[1])))
        }
        let widths = try table.column("range").map { $0.numbers[0] }
        #expect(widths == widths.sorted())
    }

    @Test func `examples and seconds are counted to an accuracy and a loss`() throws {
        // Of the means of the rules at their best rates the middle one, downwards in hundredths; of the losses upwards to two digits.
        func middle(_ value: (Run) -> Double) -> Double {
            ["constant:16", "cabs", "step:2:4"].map { Self.mean(Self.runs($0, Self.bestRate($0)).map(value)) }.sorted()[
                1]
        }
        let accuracy = (middle { $0.accuracy! } * 100).rounded(.down) / 100
        let loss = (middle { $0.trainingLoss } * 10).rounded(.up) / 10
        let table = try #require(try Self.shared.get()["costs"])
        let (examples, seconds) = (
            table.head.filter { $0.hasPrefix("examples to") }, table.head.filter { $0.hasPrefix("seconds to") }
        )
        #expect(examples.count == 2 && seconds.count == 2)
        #expect(
            examples[0].hasSuffix(" test accuracy \(accuracy)") && examples[1].hasSuffix(" training loss \(loss)"),
            "\(examples)")
        for rule in ["constant:16", "cabs", "step:2:4"] {
            for rate in [0.1, 0.3] {
                let (row, runs) = (try table.row(rule, "\(rate)"), Self.runs(rule, rate))
                let arrived = runs.filter { $0.accuracy! >= accuracy }
                let times = arrived.map { $0.curve[1].seconds }
                if arrived.count == 4 {
                    #expect(try row[examples[0]].shows(1000))
                    #expect(try row[seconds[0]].shows(Self.mean(times), times.min()!, times.max()!, digits: 3))
                } else {
                    // No number of examples, but how many did not.
                    let wanted = arrived.isEmpty ? [] : [Double(4 - arrived.count), 4]
                    #expect(try row[examples[0]].numbers == wanted && row[seconds[0]].numbers == wanted)
                }
                // No run's mean loss is as low as over its last tenth: these were drawn apart.
                #expect(try row[examples[1]].numbers.isEmpty)
            }
        }
    }

    @Test func `the course has the losses and batch sizes of each tenth`() throws {
        let table = try #require(try Self.shared.get()["course"])
        #expect(table.head.dropFirst(2).map { $0.replacing(",", with: "") } == (1...10).map { "to \(100 * $0)" })
        for rule in ["constant:16", "cabs", "step:2:4"] {
            let runs = Self.runs(rule, Self.bestRate(rule))
            let (losses, sizes) = (try table.row(rule, "loss"), try table.row(rule, "batch size"))
            for tenth in 1...10 {
                let part = tenth <= 4 ? 0 : 1
                #expect(losses.cells[tenth + 1].isWritten(Self.mean(runs.map { $0.curve[part].loss! })))
                #expect(sizes.cells[tenth + 1].isWritten(Self.mean(runs.map { $0.curve[part].batchSize })))
            }
        }
    }

    @Test func `runs of unlike length stand at equal numbers of examples`() throws {
        let runs = Self.runs.map { run in
            var run = run
            if run.rule == "cabs" { run.curve.removeLast() }
            return run
        }
        let table = try #require(try Self.tables(runs, in: TemporaryFolder())["equal-examples"])
        for rule in ["constant:16", "cabs", "step:2:4"] {
            let (row, runs) = (try table.row(rule, "\(Self.bestRate(rule))"), Self.runs(rule, Self.bestRate(rule)))
            func spread(_ value: (Run) -> Double) -> [Double] {
                let values = runs.map(value)
                return [Self.mean(values), values.min()!, values.max()!]
            }
            func expect(_ heading: String, _ value: (Run) -> Double) throws {
                let (cell, wanted) = (try row[heading], spread(value))
                #expect(cell.isWritten(wanted[0], wanted[1], wanted[2]), "\(heading): \(cell.text), \(wanted)")
            }
            // Up to 400 examples all have the first part's loss; the longer ones go on to 1,000.
            try expect("loss at 400") { $0.curve[0].loss! }
            if rule == "cabs" {
                #expect(try row["examples"].isWritten(400) && row["loss at 1,000"].numbers.isEmpty)
            } else {
                #expect(try row["examples"].text == "1,000")
                try expect("loss at 1,000") { $0.curve[1].loss! }
            }
            try expect("test accuracy at its end") { $0.accuracy! }
            try expect("test loss at its end") { $0.testLoss }
        }
    }
}
