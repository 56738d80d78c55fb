import Foundation
import Testing

@testable import CABSTraining

/// `summary.json` beside `metrics.jsonl` and the parameters at the end.
@Suite(.timeLimit(.minutes(10))) struct SummaryTests {
    /// A length, by the option that gives it and by what counts in the lines.
    struct Length: Sendable {
        let (key, whole): (String, Double)
        let set: @Sendable (inout TrainingOptions) -> Void
    }

    static let lengths = [
        Length(key: "step", whole: 30) { $0.steps = 30 },
        Length(key: "examples", whole: 700) { $0.examples = 700 },
        Length(key: "examples", whole: 0.5 * 1388) { $0.epochs = 0.5 },
        Length(key: "training_seconds", whole: 0.3) { $0.seconds = 0.3 },
    ]

    @Test(arguments: lengths.indices) func `every field follows from the steps`(index: Int) async throws {
        let length = Self.lengths[index]
        let run = try await SmallRun {
            length.set(&$0)
            ($0.validation, $0.average, $0.evaluateEvery, $0.minimumBatchSize) = (50, "ema:200", 7, 8)
            ($0.learningRateSchedule, $0.factor) = ("step:0.5:0.1", 4)
        }
        let (steps, found) = try (run.steps, run.summary)
        let (first, last) = try (#require(steps.first), #require(steps.last))
        func expect(_ key: String, _ value: Double?, sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(
                isClose(found[key] as? Double, value, relative: 1e-9),
                "\(key): \(String(describing: found[key])) for \(String(describing: value))",
                sourceLocation: sourceLocation)
        }
        #expect(found["status"] as? String == "finished" && found["dataset"] as? String == "digits")
        #expect(found["model"] as? String == "layers" && found["rewinds"] as? Int == 0)
        expect("steps", Double(steps.count))
        expect("examples", steps.reduce(0) { $0 + $1["batch_size"]! })
        expect("epochs", last["examples"]! / 1388)
        expect("seconds", last["seconds"])
        expect("training_seconds", last["training_seconds"])
        expect("examples_per_second", last["examples"]! / last["training_seconds"]!)
        expect("first_batch_size", first["batch_size"])
        expect("first_loss", first["loss"])
        expect("next_batch_size", last["next_batch_size"])
        expect("final_learning_rate", last["learning_rate"])
        // Steps that end after nine tenths of the run; steps count from 0.
        let late = steps.filter { $0[length.key]! + (length.key == "step" ? 1 : 0) > 0.9 * length.whole }
        let examples = late.reduce(0) { $0 + $1["batch_size"]! }
        expect("training_loss", late.reduce(0) { $0 + $1["loss"]! * $1["batch_size"]! } / examples)
        // How many steps a time holds is the machine's matter.
        #expect(length.key == "training_seconds" || (late.count > 1 && late.count < steps.count))
        #expect(Set(found.keys) == Self.keys, "a key that nothing here compares")
        try expectEvaluations(run, found)
    }

    private static let keys: Set = [
        "status", "dataset", "model", "steps", "examples", "epochs", "seconds", "training_seconds",
        "examples_per_second", "first_batch_size", "next_batch_size", "first_loss", "training_loss", "validation_loss",
        "validation_accuracy", "test_loss", "test_accuracy", "average_validation_loss", "average_validation_accuracy",
        "average_test_loss", "average_test_accuracy", "rewinds", "final_learning_rate",
    ]

    /// What the parameters at the end, and their average, are worth by hand.
    private func expectEvaluations(_ run: SmallRun, _ found: [String: Any]) throws {
        let data = try run.configuration.loadData()
        for (prefix, file) in [("", run.directory.finalParametersFile), ("average_", run.directory.finalAverageFile)] {
            let network = HandNetwork(try Safetensors.read(file))
            for (part, dataset) in [("test", data.test), ("validation", try #require(data.validation))] {
                let (loss, accuracy) = try network.evaluate(dataset)
                #expect(isClose(found["\(prefix)\(part)_loss"] as? Double, loss), "\(prefix)\(part)")
                #expect(isClose(found["\(prefix)\(part)_accuracy"] as? Double, accuracy), "\(prefix)\(part)")
            }
        }
    }

    @Test func `a run that diverged says so, with the step's rate and without evaluations`() async throws {
        let folder = try TemporaryFolder()
        let options = SmallRun.options {
            ($0.steps, $0.learningRate, $0.lossBound, $0.batchSize) = (60, 8, 4, "constant:16")
        }
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        await #expect(throws: TrainingError.self) { _ = try await run.run() }
        let summary = try #require(try run.directory.summary())
        let lines = try SmallRun.numbers(run.directory.metricsFile)
        #expect(summary.status == .diverged && summary.steps == lines.count && summary.steps < 60)
        #expect(summary.finalLearningRate == (lines.isEmpty ? nil : 8) && summary.testLoss == nil)
        #expect(!summary.finishedAsGiven && !summary.wasRewound)
    }

    @Test func `how often a run went back is told, and what was left of its rate`() async throws {
        let run = try await SmallRun {
            ($0.steps, $0.learningRate, $0.lossBound, $0.batchSize) = (30, 8, 4, "constant:16")
            ($0.onDivergence, $0.rewinds, $0.checkpointEvery) = (.rewind, 20, "5")
        }
        let summary = try #require(try run.directory.summary())
        let rewinds = try #require(summary.rewinds)
        let last = try #require(try run.steps.last?["learning_rate"])
        #expect(rewinds >= 1 && summary.finalLearningRate == last && last == 8 / pow(2, Double(rewinds)))
        #expect(summary.wasRewound && !summary.finishedAsGiven)
        #expect(summary.stage.learningRateFactor == pow(0.5, Double(rewinds)))
        #expect(summary.stage.progress.stepCount == 30 && summary.stage.progress.examplesPerEpoch == 1438)
    }
}
