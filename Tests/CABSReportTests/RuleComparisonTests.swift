@testable import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// The tables that compare rules.
@Suite(.timeLimit(.minutes(10))) struct RuleComparisonTests {
    private typealias Run = KeptGrid.Run

    @Test func `quantiles of Student's distribution`() {
        // scipy.stats.t.ppf(0.975, n)
        let quantiles = [
            1: 12.706205, 2: 4.302653, 3: 3.182446, 4: 2.776445, 5: 2.570582, 6: 2.446912, 7: 2.364624, 8: 2.306004,
            9: 2.262157, 10: 2.228139, 15: 2.131450, 30: 2.042272, 100: 1.983972,
        ]
        for (degreesOfFreedom, quantile) in quantiles {
            let found = PairedDifference.studentQuantile(degreesOfFreedom: degreesOfFreedom)
            #expect(abs(found - quantile) < 1e-4 * quantile, "\(degreesOfFreedom): \(found)")
        }
    }

    @Test func `differences are of the seeds that both rules have`() throws {
        let runs = [
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.70),
            Run(rule: "constant:16", rate: 0.1, seed: 1, accuracy: 0.74),
            Run(rule: "constant:16", rate: 0.1, seed: 2, accuracy: 0.75),
            Run(rule: "constant:16", rate: 0.1, seed: 9, accuracy: 0.10),
            Run(rule: "cabs", rate: 0.2, seed: 2, accuracy: 0.78),
            Run(rule: "cabs", rate: 0.2, seed: 0, accuracy: 0.72),
            Run(rule: "cabs", rate: 0.2, seed: 1, accuracy: 0.75),
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.71),
            Run(rule: "step:2:4", rate: 0.1, seed: 1, accuracy: 0.80),
            Run(rule: "step:2:4", rate: 0.4, seed: 1, status: "diverged"),
        ]
        // scipy.stats.ttest_rel of 0.70, 0.74, 0.75 and 0.72, 0.75, 0.78: −0.02, from −0.0448 to 0.0048.
        let table = try #require(try KeptGrid.table("differences", runs))
        #expect(
            table.rows.map { Array($0.prefix(5)) } == [
                ["step:2:4", "0.1", "2", "1", "+0.050"],
                ["constant:16", "0.1", "1", "3", "−0.020 (−0.045 to +0.005)"],
            ])
        #expect(table.caption.hasPrefix("Less cabs at 0.2,"))
        let equal = try #require(try KeptGrid.table("differences-at-equal-rates", runs))
        #expect(equal.rows.map { Array($0.prefix(4)) } == [["constant:16", "0.1", "1", "−0.010"]])
        var options = ComparisonOptions()
        options.baseline = "step:2:4"
        let other = try #require(try KeptGrid.table("differences", runs, options))
        #expect(
            other.rows.map { Array($0.prefix(5)) } == [
                ["cabs", "0.2", "2", "1", "−0.050"], ["constant:16", "0.1", "1", "1", "−0.060"],
            ])
    }

    @Test func `what a difference cannot be taken of is said`() throws {
        let runs = [
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7, average: 0.8),
            Run(rule: "cabs", rate: 0.1, seed: 1, accuracy: 0.7, average: 0.8),
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.71, average: 0.8),
            Run(rule: "constant:16", rate: 0.1, seed: 1, accuracy: 0.7104),
            Run(rule: "constant:32", rate: 0.1, seed: 1),
        ]
        let table = try #require(try KeptGrid.table("differences", runs))
        // From 0.00766 to 0.01274.
        #expect(
            table.rows.map { $0[3...5] } == [
                ["2", "+0.010 (+0.008 to +0.013)", "0.000, 1 of 2"], ["1", "–", "–"],
            ])
        #expect(try KeptGrid.table("results", runs)?.rows.map { $0[4] } == ["0.800, 1 of 2", "0.800", "–"])
        // A bound that is not zero does not look like it. scipy.stats: −0.00663, from −0.01334 to 0.00008.
        let groups = try KeptGrid.groups(runs, in: TemporaryFolder())
        let measure = try #require(Measure.averageAccuracy(of: RuleComparison(groups[0], .init())?.runs ?? []))
        let close = try #require(PairedDifference([-0.0039, -0.0067, -0.0093]))
        #expect(measure.text(close) == "−0.0066 (−0.0133 to +0.0001)")
    }

    @Test func `the area under the curve is of as many examples as all runs have`() throws {
        let runs = [
            Run(
                rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7,
                curve: [(500, 1, 0.9, 10, 0.6), (1000, 2, 0.1, 10, 0.7)]),
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.7, curve: [(500, 1, 0.8, 16, 0.6)]),
        ]
        let table = try #require(try KeptGrid.table("differences", runs))
        #expect(table.head.last == "mean training loss to 500 examples" && table.rows[0].last == "−0.100")
        #expect(try KeptGrid.table("results", runs)?.head.contains("mean training loss to 500 examples") == true)
    }

    @Test func `a rule's sensitivity is of the seeds that all of its rates have`() throws {
        let runs = [
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.70, average: 0.80),
            Run(rule: "cabs", rate: 0.1, seed: 1, accuracy: 0.90, average: 0.80),
            Run(rule: "cabs", rate: 0.2, seed: 0, accuracy: 0.74, average: 0.81),
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.70),
            Run(rule: "constant:16", rate: 0.2, seed: 0, accuracy: 0.71),
            Run(rule: "constant:32", rate: 0.1, seed: 0, accuracy: 0.70),
            Run(rule: "constant:32", rate: 0.2, seed: 0, accuracy: 0.70),
            Run(rule: "constant:32", rate: 0.2, seed: 1, status: "diverged"),
            Run(rule: "constant:64", rate: 0.1, seed: 0, accuracy: 0.70),
            Run(rule: "constant:64", rate: 0.2, seed: 0, status: "diverged"),
            Run(rule: "constant:64", rate: 0.2, seed: 1, status: "diverged"),
            // A rate that few tried, and a rule that did not try all others.
            Run(rule: "constant:16", rate: 0.4, seed: 0, status: "diverged"),
            Run(rule: "noise-scale", rate: 0.1, seed: 0, accuracy: 0.70),
        ]
        let table = try #require(try KeptGrid.table("sensitivity", runs))
        #expect(table.head == ["rule", "seeds", "at 0.1", "at 0.2", "range", "range of the average's"])
        #expect(
            table.rows == [
                ["constant:16", "1", "0.700", "0.710", "0.010", "–"],
                ["cabs", "1", "0.700", "0.740", "0.040", "0.010"],
                ["constant:32", "1, 1 diverged", "0.700", "0.700", "0.000", "–"],
                ["constant:64", "1, 2 diverged", "0.700", "–", "–", "–"],
            ])
        #expect(try KeptGrid.table("sensitivity", Array(runs.prefix(2))) == nil)
    }

    @Test func `results have a line for each rule and rate, those that broke among them`() throws {
        let table = try #require(
            try KeptGrid.table(
                "results",
                [
                    Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7),
                    Run(rule: "cabs", rate: 0.1, seed: 1, accuracy: 0.8),
                    Run(rule: "cabs", rate: 0.1, seed: 2, status: "diverged"),
                    Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.9),
                    Run(rule: "constant:16", rate: 0.05, seed: 0, status: "diverged"),
                ]))
        #expect(
            table.rows == [
                ["constant:16", "0.05", "0, 1 diverged", "–", "–", "–", "–", "–"],
                ["constant:16", "0.1", "1", "0.900", "0.500", "0.250", "0.300", "10.0"],
                ["cabs", "0.1", "2, 1 diverged", "0.750 (0.700 to 0.800)", "0.500", "0.250", "0.300", "10.0"],
            ])
    }

    @Test func `where values are predicted the smaller loss is better`() throws {
        let runs = [
            Run(rule: "cabs", rate: 0.1, seed: 0, testLoss: 31.24),
            Run(rule: "constant:16", rate: 0.1, seed: 0, testLoss: 30),
        ]
        let table = try #require(try KeptGrid.table("differences", runs))
        #expect(
            table.head.suffix(3) == [
                "test loss", "training loss over the last tenth", "mean training loss of the run",
            ])
        #expect(table.rows == [["constant:16", "0.1", "1", "1", "−1.2", "0.000", "0.000"]])
        #expect(try KeptGrid.table("results", runs)?.rows.map(\.[0]) == ["constant:16", "cabs"])
    }

    @Test func `columns keep three digits`() {
        let values = [[0.7], [9.9], [0.05], [31.4], [12345], [0.00123], [0], [.infinity], [0.5, 0.6, 150], []]
        #expect(values.map { Measure.decimals(for: $0) } == [3, 3, 3, 1, 0, 5, 3, 3, 3, 3])
        #expect(fixed(-0.0004, decimals: 3, isSigned: true) == "0.000" && fixed(-12.34, decimals: 1) == "−12.3")
    }

    @Test func `names cannot break a table of Markdown`() {
        let table = TextTable(
            kind: .results, title: "a", caption: "of <b>", head: ["rule"], rows: [["a|b <i>\n`c` \\"]])
        #expect(table.markdown == "of \\<b\\>\n\n| rule |\n| --- |\n| a\\|b \\<i\\> \\`c\\` \\\\ |\n")
    }

    @Test func `on a page an interval stands below its number`() {
        let text = HTML.table(["rule", "loss"], [["cabs (to be)", "+0.1 (0.0 to <0.2), 2 of 3"]]).text
        #expect(text.contains("<td>+0.1, 2 of 3 <span class=\"range\">0.0 to &lt;0.2</span></td>"), "\(text)")
        #expect(text.contains("cabs (to be)"))
    }

    @Test func `a rule that is missing, or never finished, is no baseline`() throws {
        var options = ComparisonOptions()
        options.baseline = "step:2:4"
        let runs = [
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.6),
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7),
            Run(rule: "step:2:4", rate: 0.1, seed: 0, status: "diverged"),
        ]
        #expect(try KeptGrid.table("differences", runs, options)?.caption.hasPrefix("Less cabs at 0.1") == true)
        let others = [
            Run(rule: "constant:32", rate: 0.1, seed: 0, status: "diverged"), runs[0],
            Run(rule: "constant:64", rate: 0.1, seed: 0, accuracy: 0.7),
        ]
        #expect(try KeptGrid.table("differences", others)?.caption.hasPrefix("Less constant:16 at 0.1") == true)
    }

    @Test func `grids of which results are left are not taken for repetitions`() throws {
        let folder = try TemporaryFolder()
        _ = try KeptGrid.groups([Run(rule: "cabs", rate: 0.1, seed: 0)], in: folder, as: "a")
        _ = try KeptGrid.groups([Run(rule: "cabs", rate: 0.1, seed: 1)], in: folder, as: "b")
        _ = try KeptGrid.groups([Run(rule: "cabs", rate: 0.1, seed: 1, testLoss: 0.6)], in: folder, as: "c")
        func rules(_ names: String...) throws -> [String] {
            let runs = try RunCollection(names.map { folder.url.appending(path: $0).path }).runs
            return RunGroup.groups(of: runs).flatMap(\.rules).map(\.rule)
        }
        #expect(try rules("a", "b") == ["cabs"] && rules("b", "c") == ["cabs (b)", "cabs (c)"])
    }

    @Test(arguments: ["1152921504606846976,1,0.5,16,,,", "900,1,0.5,16,,,\n800,2,0.5,16,,,", "-1,1,0.5,16,,,"])
    func `a damaged curve is refused`(lines: String) throws {
        let folder = try TemporaryFolder()
        _ = try KeptGrid.groups([Run(rule: "cabs", rate: 0.1, seed: 0)], in: folder)
        _ = try folder.write("examples\n\(lines)\n", as: "grid/curves/digits_mlp_cabs_0.1_0.csv")
        #expect(throws: TrainingError.self) { try RunCollection([folder.url.appending(path: "grid").path]) }
    }

    @Test func `tables lie beside the page, and stand on it`() throws {
        let folder = try TemporaryFolder()
        let runs = [
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7),
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.6),
        ]
        _ = try KeptGrid.groups(runs, in: folder)
        let grid = folder.url.appending(path: "grid").path
        let report = try Report([grid], page: folder.url.appending(path: "page.html"))
        try report.write(with: PageTests.standIn())
        let files = try FileManager.default.contentsOfDirectory(atPath: #require(report.tableFolder).path)
        #expect(
            Set(files) == ["differences.md", "differences-at-equal-rates.md", "costs.md", "course.md", "results.md"])
        let html = try String(contentsOf: report.page, encoding: .utf8)
        #expect(html.contains("Differences from cabs</h3>") && html.contains("<td>−0.100</td>"))
        // Tables of which there is nothing to say any more go.
        _ = try folder.write("old", as: "page-tables/sensitivity.md")
        try report.write(with: PageTests.standIn())
        #expect(!FileManager.default.fileExists(atPath: folder.url.appending(path: "page-tables/sensitivity.md").path))
        var options = ComparisonOptions()
        options.baseline = "constant:32"
        #expect(throws: ReportError.unknownBaseline("constant:32", rules: ["cabs", "constant:16"])) {
            try Report([grid], page: report.page, comparing: options)
        }
        #expect(try Report([grid], page: URL(filePath: "/dev/stdout")).tableFolder == nil)
        // A run alone is compared with nothing.
        let run = try folder.writeRun("run", learningRate: 0.1)
        let alone = try Report([#require(run.directory).url.path], page: folder.url.appending(path: "alone.html"))
        #expect(alone.tableFolder == nil)
    }
}
