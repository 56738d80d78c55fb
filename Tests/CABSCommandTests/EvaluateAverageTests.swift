import CABSTraining
import Foundation
import Testing

/// The numbers that `evaluate` and `predict` print, beside the network's own.
@Suite(.timeLimit(.minutes(10))) struct EvaluateAverageTests {
    /// The numbers behind a text, to four digits behind the point.
    private static func number(_ text: String, in output: Substring) -> Double? {
        guard let place = output.range(of: text) else { return nil }
        return Double(output[place.upperBound...].prefix { $0.isNumber || $0 == "." })
    }

    private static func evaluation(_ file: URL, _ configuration: TrainingConfiguration) throws -> Evaluation {
        let data = try configuration.loadData()
        let model = try configuration.makeModel(for: data)
        return try Network(
            model, loss: .softmaxCrossEntropy, workerCount: 1, parameters: Safetensors.read(file, for: model)
        )
        .evaluate(DatasetBatch(all: data.test))
    }

    private static func expect(_ line: Substring, _ evaluation: Evaluation) {
        let loss = number("test loss ", in: line)
        #expect(loss.map { abs($0 - evaluation.meanLoss) <= 0.50001e-4 } ?? false, "\(line), \(evaluation)")
    }

    @Test func `a run with an average is evaluated by both, each with its own numbers`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(
                [
                    "--dataset", "digits", "--steps", "60", "--average", "ema:300", "--workers", "1", "--learning-rate",
                    "0.2", "--batch-size", "constant:8", "--checkpoint-every", "30", "--evaluate-every", "30",
                ], in: folder)
            #expect(run.result.code == 0, "\(run.result.errors)")
            let configuration = try TrainingConfiguration(run.options)
            let last = try Self.evaluation(run.directory.finalParametersFile, configuration)
            let average = try Self.evaluation(run.directory.finalAverageFile, configuration)
            #expect(abs(last.meanLoss - average.meanLoss) > 1e-3)

            let lines = try CommandTests.run(["evaluate", "out", "--workers", "1"], in: folder).output.split(
                separator: "\n")
            let own = try #require(lines.first { $0.hasPrefix("test loss") })
            Self.expect(own, last)
            let accuracy = try #require(lines.first { $0.hasPrefix("test accuracy") })
            #expect(Self.number("test accuracy ", in: accuracy).map { abs($0 - last.accuracy) <= 0.50001e-4 } ?? false)
            let both = try #require(lines.last)
            Self.expect(both, average)
            #expect(Self.number("accuracy ", in: both).map { abs($0 - average.accuracy) <= 0.50001e-4 } ?? false)
            let summary = ["average_test_loss", "test_loss"].map { run.summary($0) as? Double ?? .nan }
            #expect(abs(summary[0] - average.meanLoss) < 1e-9 && abs(summary[1] - last.meanLoss) < 1e-9)

            // A file of the average by itself, and a checkpoint with both.
            let alone = try CommandTests.run(
                ["evaluate", "out/checkpoints/final-average.safetensors", "--workers", "1"], in: folder
            ).output.split(separator: "\n")
            Self.expect(try #require(alone.first { $0.hasPrefix("test loss") }), average)
            #expect(alone.count == 3)
            let middle = try CommandTests.run(
                ["evaluate", "out/checkpoints/step-000000030.safetensors", "--workers", "1"], in: folder
            ).output.split(separator: "\n")
            try #require(middle.count == 4)
            let step = run.steps[29]
            let found = try (
                #require(Self.number("test loss ", in: middle[1])), #require(Self.number("test loss ", in: middle[3]))
            )
            #expect(abs(found.0 - step["test_loss"]!) <= 0.50001e-4)
            #expect(abs(found.1 - step["average_test_loss"]!) <= 0.50001e-4)
        }
    }

    @Test func `a prediction's probability is the sigmoid of its output, where that was the loss`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(
                ["--dataset", "digits", "--steps", "40", "--loss", "sigmoid-cross-entropy", "--workers", "1"],
                in: folder)
            #expect(run.result.code == 0, "\(run.result.errors)")
            let configuration = try TrainingConfiguration(run.options)
            let data = try configuration.loadData()
            try #require(data.test.picture(at: 7)).png.write(to: folder.appending(path: "seven.png"))
            let result = try CommandTests.run(["predict", "out", "seven.png", "--json", "--top", "10"], in: folder)
            let line = try #require(
                try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
            let model = try configuration.makeModel(for: data)
            let network = try Network(
                model, workerCount: 1, parameters: Safetensors.read(run.directory.finalParametersFile, for: model))
            let outputs = try network.outputs(for: DatasetBatch(data.test, indices: [7])).outputs
            let top = try #require(line["top"] as? [[String: Any]])
            #expect(top.count == 10)
            for candidate in top {
                let label = try #require((candidate["class"] as? String).flatMap { Int($0) })
                let probability = try #require(candidate["probability"] as? Double)
                #expect(abs(probability - 1 / (1 + exp(-Double(outputs[label])))) < 1e-5)
            }
            #expect(line["probability"] as? Double == top[0]["probability"] as? Double)
            #expect(line["class"] as? String == "\(outputs.firstIndex(of: outputs.max()!)!)")
        }
    }
}
