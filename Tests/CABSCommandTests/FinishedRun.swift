import CABSTraining
import Foundation
import Testing

/// What a run of the built program left, read back from its folder.
struct FinishedRun {
    let result: CommandTests.Result
    let directory: RunDirectory
    /// The lines of `metrics.jsonl`, by key.
    let steps: [[String: Double]]
    /// The names of rules that watched, from the last step.
    let shadows: Set<String>

    /// Runs `cabs train` in a folder, with its output in `out` there.
    init(_ options: [String], in folder: URL, environment: [String: String] = [:]) throws {
        result = try CommandTests.run(
            ["train", "--output", "out"] + options, in: folder, environment: environment)
        directory = RunDirectory(existing: folder.appending(path: "out"))
        let lines = try Self.objects(directory.metricsFile)
        steps = lines.map { $0.compactMapValues { $0 as? Double } }
        shadows = Set((lines.last?["shadow"] as? [String: Any] ?? [:]).keys)
    }

    private static func objects(_ file: URL) throws -> [[String: Any]] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    /// One of the values of each step that has it.
    func values(_ key: String) -> [Double] { steps.compactMap { $0[key] } }

    /// The numbers of the steps after which the test examples were evaluated.
    var evaluatedSteps: [Int] { steps.indices.filter { steps[$0]["test_loss"] != nil } }

    /// The numbers of steps, from 0, of the lines of `estimators.jsonl`.
    var comparedSteps: [Double] {
        get throws { try Self.objects(directory.estimatorsFile).compactMap { $0["steps"] as? Double } }
    }

    /// One of the values of `summary.json`.
    func summary(_ key: String) -> Any? { object(directory.summaryFile)?[key] }

    /// The examples of the batch at which the run diverged.
    var divergedExamples: [Int]? { object(directory.divergenceFile)?["examples"] as? [Int] }

    private func object(_ file: URL) -> [String: Any]? {
        guard let data = try? Data(contentsOf: file) else { return nil }
        return try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    }

    /// The options that the run wrote down.
    var options: TrainingOptions { get throws { try TrainingOptions(contentsOf: directory.configurationFile) } }

    /// The names of its checkpoints, without that of the end.
    var checkpoints: [String] {
        get throws {
            try FileManager.default.contentsOfDirectory(atPath: directory.checkpointFolder.path).sorted()
                .filter { $0 != directory.finalParametersFile.lastPathComponent }
        }
    }

    /// A parameter after the run.
    func parameter(_ name: String) throws -> [Double] {
        try #require(Safetensors.read(directory.finalParametersFile)[name]).values.map(Double.init)
    }

    /// A parameter before the run.
    func firstParameter(_ name: String) throws -> [Double] {
        let file = directory.checkpointFolder.appending(path: "step-000000000.safetensors")
        return try #require(Safetensors.read(file)[name]).values.map(Double.init)
    }
}
