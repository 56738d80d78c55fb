import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// A folder for one test's files, removed after it.
final class TemporaryFolder {
    let url = FileManager.default.temporaryDirectory.appending(path: "cabs-tests-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ text: String, as name: String) throws -> URL {
        let file = url.appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file
    }

    /// A run's folder, as far as a report needs one.
    func writeRun(
        _ name: String, rule: String = "cabs", learningRate: Double, seed: Int = 0, status: String? = "finished",
        accuracy: Double = 0.5, options: String = "", summary: String = ""
    ) throws -> ReportedRun {
        _ = try write(
            "dataset: digits\nbatch-size: \(rule)\nlearning-rate: \(learningRate)\nseed: \(seed)\n"
                + (options.contains("model:") ? "" : "model: mlp\n") + options,
            as: "\(name)/config.yaml")
        if let status {
            _ = try write(
                """
                {"status": "\(status)", "dataset": "digits", "model": "mlp", "steps": 2, "examples": 32, "epochs": 0.1,
                "seconds": 1, "training_seconds": 1, "examples_per_second": 32, "test_accuracy": \(accuracy)\(summary)}
                """, as: "\(name)/summary.json")
        }
        return try ReportedRun(RunDirectory(existing: url.appending(path: name)))
    }
}

extension ReportedRun {
    /// All steps of the run.
    func records() -> [StepRecord] {
        var records: [StepRecord] = []
        forEachRecord {
            records.append($0)
            return true
        }
        return records
    }
}

@Suite(.timeLimit(.minutes(10))) struct ReadingTests {
    @Test func `a damaged line of metrics is left out`() throws {
        let folder = try TemporaryFolder()
        let run = try folder.writeRun("run", learningRate: 0.1, status: nil)
        #expect(run.records().isEmpty)
        _ = try folder.write(
            """
            {"step": 0, "batch_size": 16, "loss": 2.5, "examples": 16, "shadow": {"noise-scale": 32}}
            not a line
            {"step": 1, "batch_size": 32, "examples": 48, "test_accuracy": 0.5}
            {"step": 2, "batch_size": 0, "examples": 48}
            {"step": 2, "batch_size": 3
            """, as: "run/metrics.jsonl")
        let records = run.records()
        #expect(records.map(\.step) == [0, 1] && run.lastRecord?.step == 1)
        #expect(records[0].shadow == ["noise-scale": 32] && records[0].statistics == nil)
        #expect(records[1].loss == nil && records[1].testAccuracy == 0.5)
    }

    @Test func `the best learning rate has the highest mean accuracy over finished runs`() throws {
        let folder = try TemporaryFolder()
        let runs = [
            try folder.writeRun("a", learningRate: 0.1, seed: 0, accuracy: 0.75),
            try folder.writeRun("b", learningRate: 0.1, seed: 1, accuracy: 0.7),
            try folder.writeRun("c", learningRate: 0.3, seed: 0, accuracy: 0.9),
            try folder.writeRun("d", learningRate: 0.3, seed: 1, accuracy: 0.5),
            try folder.writeRun("e", learningRate: 1, status: "diverged", accuracy: 0.99),
            try folder.writeRun("f", learningRate: 2, status: nil),
        ]
        let rule = RuleRuns(rule: "cabs", runs: runs)
        #expect(rule.best?.learningRate == 0.1)
        #expect(rule.best?.statistics(\.testAccuracy)?.low == 0.7)
        #expect(rule.shown.map(\.seed) == [0, 1])
        // Where nothing finished, what still may.
        #expect(RuleRuns(rule: "cabs", runs: Array(runs.suffix(2))).shown.map(\.learningRate) == [2])
        #expect(RuleRuns(rule: "cabs", runs: [runs[4]]).shown.isEmpty)
    }

    @Test func `folders that hold no run are named`() throws {
        let folder = try TemporaryFolder()
        #expect(throws: ReportError.notARun(path: folder.url.path)) { try RunCollection([folder.url.path]) }
        _ = try folder.write("rules: [cabs]\nlearning-rates: [0.1]\noptions: {dataset: digits}", as: "grid.yaml")
        #expect(throws: ReportError.nothingToReport(path: folder.url.path)) { try RunCollection([folder.url.path]) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["grid.yaml"])
    }
}
