import Foundation
import Testing

@testable import CABSTraining

/// A run of few steps on the digits, and its numbers as its files have them.
struct SmallRun {
    private let folder: TemporaryFolder
    let directory: RunDirectory

    static func options(_ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
        var options = TrainingOptions()
        (options.dataset, options.model, options.workers) = (.digits, HandNetwork.model, 1)
        change(&options)
        if [options.steps.map(Double.init), options.examples.map(Double.init), options.epochs, options.seconds]
            .allSatisfy({ $0 == nil })
        {
            options.steps = 20
        }
        return options
    }

    /// Makes a run to its end.
    init(_ change: (inout TrainingOptions) -> Void = { _ in }) async throws {
        folder = try TemporaryFolder()
        directory = RunDirectory(existing: folder.url.appending(path: "run"))
        let run = try TrainingRun(TrainingConfiguration(Self.options(change)), output: directory.url)
        _ = try await run.run()
    }

    /// The numbers of each line of a file of steps, to the last bit.
    static func numbers(_ file: URL) throws -> [[String: Double]] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            var numbers: [String: Double] = [:]
            for match in line.matches(of: /"([^"]+)": ([-+.e0-9]+)/) { numbers[String(match.1)] = Double(match.2) }
            return numbers
        }
    }

    /// The numbers of each step.
    var steps: [[String: Double]] { get throws { try Self.numbers(directory.metricsFile) } }

    /// What `summary.json` has.
    var summary: [String: Any] {
        get throws {
            try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: directory.summaryFile)) as? [String: Any])
        }
    }

    /// The run's configuration, as its folder has it.
    var configuration: TrainingConfiguration {
        get throws { try TrainingConfiguration(TrainingOptions(contentsOf: directory.configurationFile)) }
    }

    /// The parameters of a checkpoint.
    func parameters(ofStep step: Int) throws -> ParameterSet {
        let name = "step-" + String(format: "%09d", step) + ".safetensors"
        return CheckpointTensors(of: try Safetensors.read(directory.checkpointFolder.appending(path: name))).parameters
    }
}
