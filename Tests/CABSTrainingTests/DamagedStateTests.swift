import Foundation
import Testing

@testable import CABSTraining

/// Checkpoints that are whole as files, and whose state cannot be.
@Suite(.timeLimit(.minutes(10))) struct DamagedStateTests {
    /// The state's JSON with each of its numbers replaced, one at a time, also within the rules' own encodings.
    static func damaged(_ value: Any) -> [(path: String, value: Any)] {
        switch value {
        case let object as [String: Any]:
            object.keys.sorted().flatMap { key in
                damaged(object[key]!).map { part in
                    ("\(key).\(part.path)", object.merging([key: part.value]) { $1 })
                } + [("\(key) left out", object.filter { $0.key != key })]
            }
        case let array as [Any]:
            array.indices.flatMap { index in
                damaged(array[index]).map { part in
                    var copy = array
                    copy[index] = part.value
                    return ("\(index).\(part.path)", copy)
                }
            }
        case let text as String: damagedWithin(text)
        case is NSNumber: [-1, 0, 1 << 40, Int.max, -1e300, 1e300, 0.5].map { ("\($0)", $0) }
        default: []
        }
    }

    /// A policy stands in the state as JSON in base 64.
    private static func damagedWithin(_ text: String) -> [(path: String, value: Any)] {
        guard let data = Data(base64Encoded: text), let inner = try? JSONSerialization.jsonObject(with: data) else {
            return [("text", "?")]
        }
        return damaged(inner).compactMap { part in
            (try? JSONSerialization.data(withJSONObject: part.value)).map { (part.path, $0.base64EncodedString()) }
        }
    }

    static let rules = [
        "cabs", "cabs-per-second", "adadamp", "simigrad", "noise-scale", "norm-test", "big-batch", "geometric",
        "step:2:0.1",
    ]

    /// A run that was stopped, its last checkpoint, and all wrong states of that.
    static func stopped(_ rule: String, in folder: TemporaryFolder) async throws -> (
        directory: RunDirectory, file: URL, parameters: ParameterSet, wrong: [(path: String, text: String)]
    ) {
        let run = folder.url.appending(path: "run")
        let options = ResumeTests.options {
            ($0.batchSize, $0.factor, $0.steps, $0.shadow) = (rule, nil, 6, "norm-test:0.5,step:2:0.2")
        }
        try await ResumeTests.run(options, in: run, stoppingAfter: 4)
        let directory = RunDirectory(existing: run)
        let file = directory.checkpointFolder.appending(path: "step-000000004.safetensors")
        let contents = try Safetensors.contents(of: file)
        let state = try JSONSerialization.jsonObject(with: Data(try #require(contents.metadata[stateKey]).utf8))
        let wrong = try damaged(state).map {
            ($0.path, String(decoding: try JSONSerialization.data(withJSONObject: $0.value), as: UTF8.self))
        }
        return (directory, file, contents.parameters, wrong)
    }

    static let stateKey = "cabs_state"

    @Test(arguments: rules)
    func `a trainer refuses a state with a wrong number, or goes on from it`(rule: String) async throws {
        let folder = try TemporaryFolder()
        let (directory, _, parameters, wrong) = try await Self.stopped(rule, in: folder)
        let trainer = try TrainingConfiguration(TrainingOptions(contentsOf: directory.configurationFile)).makeTrainer()
        var refusalCount = 0
        for (_, text) in wrong {
            do {
                let state = try JSONDecoder().decode(RunState.self, from: Data(text.utf8))
                try await trainer.restore(
                    state.trainer, CheckpointTensors(parameters: parameters, optimizer: ParameterSet([])))
                for _ in 0..<2 { _ = try await trainer.step(examplesLeft: 50) }
            } catch {
                refusalCount += 1
            }
        }
        #expect(wrong.count > 100 && refusalCount > wrong.count / 4)
    }

    /// What stands in the state beside the trainer's: what watches, and what was written.
    @Test func `a run refuses a state with a wrong number, or goes on from it`() async throws {
        let folder = try TemporaryFolder()
        let (directory, file, parameters, wrong) = try await Self.stopped("cabs", in: folder)
        let metrics = try Data(contentsOf: directory.metricsFile)
        let outside = wrong.filter { !$0.path.hasPrefix("trainer.") }
        // Every third: a number's values stand side by side.
        for index in stride(from: 0, to: outside.count, by: 3) {
            let text = outside[index].text
            try Safetensors.write(parameters, metadata: [Self.stateKey: text], to: file)
            try metrics.write(to: directory.metricsFile)
            // An error is as good as a run that goes on; only a trap is not.
            _ = try? await TrainingRun(resuming: directory).run()
        }
    }
}
