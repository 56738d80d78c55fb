import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// A run counts once, by whatever path it is named, and however often it was copied.
@Suite(.timeLimit(.minutes(10))) struct CountedOnceTests {
    private let folder: TemporaryFolder

    /// A comparison of two rules by two seeds, of which three runs have begun, and one of these has not ended.
    init() throws {
        folder = try TemporaryFolder()
        _ = try folder.write(
            """
            options: {dataset: digits}
            rules: [cabs, {name: own, options: {batch-size: "constant:8"}}]
            learning-rates: [0.1]
            seeds: [0, 1]
            """, as: "grid/grid.yaml")
        try writeRun("cabs", 0, rule: "cabs", accuracy: 0.2)
        try writeRun("cabs", 1, rule: "cabs", accuracy: 0.5)
        try writeRun("own", 0, rule: "constant:8", status: nil)
    }

    private func writeRun(
        _ name: String, _ seed: Int, rule: String, status: String? = "finished", accuracy: Double = 0
    ) throws {
        let path = "grid/runs/digits_mlp_\(name)_0.1_\(seed)"
        _ = try folder.writeRun(
            path, rule: rule, learningRate: 0.1, seed: seed, status: status, accuracy: accuracy)
        _ = try folder.write(Self.line(seconds: Double(seed) + 0.25), as: "\(path)/metrics.jsonl")
    }

    private static func line(seconds: Double) -> String {
        #"{"step": 0, "batch_size": 16, "loss": 2.5, "examples": 16, "training_seconds": \#(seconds)}"# + "\n"
    }

    private func collection(_ names: String...) throws -> RunCollection {
        try RunCollection(names.map { folder.url.appending(path: $0).path })
    }

    private func copy(_ name: String, to other: String) throws {
        try FileManager.default.copyItem(
            at: folder.url.appending(path: name), to: folder.url.appending(path: other))
    }

    private static func mean(_ collection: RunCollection) -> Double? {
        RunGroup.groups(of: collection.runs)[0].rules[0].best?.statistics(\.testAccuracy)?.mean
    }

    @Test(arguments: [false, true])
    func `a run that is named beside its comparison counts once`(runFirst: Bool) throws {
        let run = "grid/runs/digits_mlp_cabs_0.1_1"
        let both = runFirst ? try collection(run, "grid") : try collection("grid", run)
        #expect(both.runs.count == 3 && both.pendingCount == 1 && both.notes.count == 1)
        #expect(Self.mean(both) == 0.35)
        #expect(try collection("grid").notes.isEmpty)
        // The comparison knows what the rule is called, whichever comes first.
        let other = "grid/runs/digits_mlp_own_0.1_0"
        let named = runFirst ? try collection(other, "grid") : try collection("grid", other)
        #expect(Set(named.runs.map(\.rule)) == ["cabs", "own"])
    }

    @Test func `copies of a comparison count once, and what has ended in one of them has`() throws {
        try copy("grid", to: "copy")
        let both = try collection("grid", "copy")
        #expect(both.runs.count == 3 && both.pendingCount == 1 && both.notes.count == 1)
        #expect(both.notes[0].hasPrefix("3 runs") && both.notes[0].contains("copy"))
        #expect(Self.mean(both) == 0.35 && both.runs[1].status == .unfinished)
        // The first one goes on: its last run begins, and the one before ends.
        try writeRun("own", 0, rule: "constant:8", accuracy: 0.9)
        try writeRun("own", 1, rule: "constant:8", status: nil)
        for names in [["grid", "copy"], ["copy", "grid"]] {
            let later = try collection(names[0], names[1])
            #expect(later.runs.count == 4 && later.pendingCount == 0)
            #expect(later.runs.filter { $0.status == .finished }.count == 3)
        }
    }

    @Test func `a run that was made twice counts twice`() throws {
        try copy("grid/runs/digits_mlp_cabs_0.1_1", to: "again")
        _ = try folder.write(Self.line(seconds: 1.125), as: "again/metrics.jsonl")
        let text = try String(contentsOf: folder.url.appending(path: "again/summary.json"), encoding: .utf8)
        _ = try folder.write(
            text.replacing(#""training_seconds": 1"#, with: #""training_seconds": 1.5"#), as: "again/summary.json")
        let both = try collection("grid", "again")
        #expect(both.runs.count == 4 && both.notes.isEmpty)
    }

    @Test func `the page and its title go by distinct folders, and the page says what was left out`() throws {
        let grid = folder.url.appending(path: "grid")
        let once = try Report([grid.path, grid.path + "/", folder.url.appending(path: "grid/../grid").path])
        #expect(once.page.standardizedFileURL.path == grid.appending(path: "report.html").standardizedFileURL.path)
        #expect(once.notes.count == 2)
        try once.write(with: PageTests.standIn())
        let html = try String(contentsOf: once.page, encoding: .utf8)
        #expect(html.contains("<h1>Report on grid</h1>") && html.contains(once.notes[0]))
        try copy("grid", to: "copy")
        #expect(try Report([grid.path, folder.url.appending(path: "copy").path]).page.relativePath == "report.html")
    }
}
