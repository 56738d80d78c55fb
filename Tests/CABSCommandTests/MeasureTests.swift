import CABSTraining
import Foundation
import Testing

/// `cabs measure`.
@Suite(.timeLimit(.minutes(10))) struct MeasureTests {
    @Test func `a run is measured as text, as JSON and into its folder, a checkpoint as text alone`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(
                ["--dataset", "digits", "--steps", "40", "--checkpoint-every", "20", "--learning-rate", "0.2"],
                in: folder)
            let text = try CommandTests.run(["measure", "out", "--examples", "640"], in: folder)
            #expect(text.code == 0, "\(text.errors)")
            #expect(text.output.hasPrefix("mlp on digits, after 40 steps\n640 training examples, 32 groups, seed 0"))
            for words in [
                "CABS's batch size at rate α = 0.2 ", "dense2", "losses: ", "gradient norms: ", "largest gradients:",
                "largest losses:", "in out/measurement.json",
            ] {
                #expect(text.output.contains(words), "\(words): \(text.output)")
            }
            #expect(text.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(text.output)")
            let measured = try run.directory.measurement()
            let found = try #require(measured)
            #expect(found.exampleCount == 640 && found.layers.map(\.name) == ["dense1", "dense2"])
            #expect(found.classes.map(\.exampleCount).reduce(0, +) == 640)
            #expect(text.output.contains(found.noise.covarianceTrace.text))

            let json = try CommandTests.run(
                ["measure", "out", "--examples", "640", "--json", "--learning-rate", "0.4"], in: folder)
            let object = try #require(
                JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any], "\(json.errors)")
            let coupling = try #require(object["coupling"] as? [String: Any])
            #expect(coupling["learning_rate"] as? Double == 0.4)
            let size = try #require((coupling["batch_size"] as? [String: Any])?["value"] as? Double)
            let single = try #require(found.coupling).batchSize.value
            #expect(abs(size / single - 2) < 1e-9)

            let written = try Data(contentsOf: run.directory.measurementFile)
            let checkpoint = try CommandTests.run(
                ["measure", "out/checkpoints/step-000000020.safetensors", "--examples", "640", "--seed", "3"],
                in: folder)
            #expect(checkpoint.output.contains("of step-000000020.safetensors"), "\(checkpoint.errors)")
            #expect(checkpoint.output.contains("seed 3") && !checkpoint.output.contains("measurement.json"))
            #expect(try Data(contentsOf: run.directory.measurementFile) == written)
        }
    }

    @Test func `under Adam, and at a rate that has come to nothing, there is no size of CABS`() throws {
        try CommandTests.withFolder { folder in
            for options in [
                ["--optimizer", "adam", "--batch-size", "constant:16"],
                ["--learning-rate-schedule", "cosine", "--batch-size", "constant:16"],
            ] {
                let run = try FinishedRun(["--dataset", "digits", "--steps", "20"] + options, in: folder)
                let result = try CommandTests.run(["measure", "out", "--examples", "64"], in: folder)
                let reason = options.contains("adam") ? "do not follow the gradient" : "add --learning-rate"
                #expect(result.code == 0, "\(result.errors)")
                #expect(
                    result.output.contains("\nCABS's batch size  ") && result.output.contains("  none: ")
                        && result.output.contains(reason))
                #expect(result.output.matches(of: try Regex("CABS's")).count == 1, "\(result.output)")
                #expect(try run.directory.measurement()?.coupling == nil)
                let given = try CommandTests.run(
                    ["measure", "out", "--examples", "64", "--learning-rate", "0.1"], in: folder)
                let isAdam = options.contains("adam")
                #expect((given.code != 0) == isAdam && given.errors.contains("along the gradient") == isAdam)
                #expect(given.output.contains("CABS's batch size at rate") != isAdam)
                try FileManager.default.removeItem(at: run.directory.url)
            }
        }
    }

    @Test func `what cannot be stored is shown all the same`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(["--dataset", "digits", "--steps", "2"], in: folder)
            try FileManager.default.createDirectory(
                at: run.directory.measurementFile, withIntermediateDirectories: false)
            let result = try CommandTests.run(["measure", "out", "--examples", "64"], in: folder)
            #expect(result.code == 1 && result.errors.contains("cannot write"), "\(result.errors)")
            #expect(result.output.contains("largest losses:"), "\(result.output)")
        }
    }

    @Test func `damaged parameters at the end are passed over for those of the checkpoint`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(["--dataset", "digits", "--steps", "4"], in: folder)
            let before = try CommandTests.run(["measure", "out", "--examples", "64"], in: folder)
            try Data(contentsOf: run.directory.finalParametersFile).dropLast(9).write(
                to: run.directory.finalParametersFile)
            let after = try CommandTests.run(["measure", "out", "--examples", "64"], in: folder)
            #expect(after.code == 0 && after.errors.contains("final.safetensors"), "\(after.errors)")
            #expect(after.output == before.output)
        }
    }

    @Test func `data that are not those of the run are refused, and those of too few examples`() throws {
        try CommandTests.withFolder { folder in
            for (name, count) in [("own", 20), ("other", 21), ("small", 12)] {
                try SmallSets.writeMNIST(in: folder.appending(path: name), trainingCount: count)
            }
            let training = ["--dataset", "mnist", "--model", "mlp", "--steps", "2", "--data"]
            _ = try FinishedRun(training + ["own"], in: folder)
            #expect(try CommandTests.run(["measure", "out"], in: folder).code == 0)
            let other = try CommandTests.run(["measure", "out", "--data", "other"], in: folder)
            #expect(other.code == 1 && other.errors.contains("trained on data of 20 training"), "\(other.errors)")
            try FileManager.default.removeItem(at: folder.appending(path: "out"))
            _ = try FinishedRun(training + ["small"], in: folder)
            let small = try CommandTests.run(["measure", "out"], in: folder)
            #expect(small.code == 1 && small.errors.contains("has 12 training examples"), "\(small.errors)")
            #expect(!small.errors.contains("Usage"))
        }
    }

    @Test func `what cannot be measured is refused by name`() throws {
        try CommandTests.withFolder { folder in
            _ = try FinishedRun(["--dataset", "digits", "--steps", "2"], in: folder)
            for (options, message) in [
                (["nowhere"], "there is no such file"), (["out", "--examples", "3"], "\"3\", but must be 16 or more"),
                (["out", "--examples", "-1"], "\"-1\", but must be 16 or more"),
                (["out", "--learning-rate", "0"], "must be a positive number"),
            ] {
                let result = try CommandTests.run(["measure"] + options, in: folder)
                #expect(result.code != 0 && result.errors.contains(message), "\(result.errors)")
            }
        }
    }
}
