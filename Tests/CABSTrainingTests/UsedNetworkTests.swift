import Foundation
import Testing

@testable import CABSTraining

/// Which parameters a run, a checkpoint or a file stands for, and what they are worth.
@Suite(.timeLimit(.minutes(10))) struct UsedNetworkTests {
    private static func run() async throws -> SmallRun {
        try await SmallRun {
            ($0.steps, $0.average, $0.evaluateEvery) = (24, "ema:120", 6)
            ($0.checkpointEvery, $0.keepCheckpoints, $0.batchSize) = ("6", 10, "constant:16")
        }
    }

    /// With as many workers as the run had, whose sums are rounded alike.
    private static func trained(_ url: URL) throws -> TrainedNetwork {
        var given = TrainingOptions()
        given.workers = 1
        return try TrainedNetwork(at: url, with: given)
    }

    /// What the network of a file says of the test examples.
    private static func evaluation(_ trained: TrainedNetwork) throws -> Evaluation {
        let data = try trained.configuration.loadData()
        return try trained.network(for: trained.configuration.makeModel(for: data)).evaluate(
            DatasetBatch(all: data.test))
    }

    private static func expect(
        _ evaluation: Evaluation, _ parameters: ParameterSet, _ data: TrainingData, _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let expected = try HandNetwork(parameters).evaluate(data.test)
        #expect(isClose(evaluation.meanLoss, expected.loss), "\(what)", sourceLocation: sourceLocation)
        #expect(isClose(evaluation.accuracy, expected.accuracy), "\(what)", sourceLocation: sourceLocation)
    }

    @Test func `a run's folder stands for its end, with its average and summary`() async throws {
        let run = try await Self.run()
        let trained = try Self.trained(run.directory.url)
        let data = try run.configuration.loadData()
        let evaluation = try Self.evaluation(trained)
        try Self.expect(evaluation, try Safetensors.read(run.directory.finalParametersFile), data, "final")
        #expect(evaluation.meanLoss == trained.summary?.testLoss && trained.stage?.progress.stepCount == 24)
        #expect(trained.average == (try Safetensors.read(run.directory.finalAverageFile)))
        let ofAverage = try HandNetwork(#require(trained.average)).evaluate(data.test)
        #expect(isClose(trained.summary?.averageTestLoss, ofAverage.loss))
        #expect(!isClose(evaluation.meanLoss, ofAverage.loss, relative: 1e-3))
        #expect(trained.stage?.progress.exampleCount == 24 * 16 && trained.directory?.url == run.directory.url)
    }

    @Test(arguments: [0, 6, 12, 24]) func `a checkpoint stands for the steps before it`(step: Int) async throws {
        let run = try await Self.run()
        let name = "step-" + String(format: "%09d", step) + ".safetensors"
        let trained = try Self.trained(run.directory.checkpointFolder.appending(path: name))
        let evaluation = try Self.evaluation(trained)
        try Self.expect(evaluation, try run.parameters(ofStep: step), try run.configuration.loadData(), "step \(step)")
        #expect(trained.stage?.progress.stepCount == step && trained.summary == nil)
        #expect((trained.average != nil) == (step > 0))
        guard step > 0 else { return }
        // As the run was evaluated after that step.
        let line = try run.steps[step - 1]
        #expect(evaluation.meanLoss == line["test_loss"] && evaluation.accuracy == line["test_accuracy"])
        let ofAverage = try HandNetwork(#require(trained.average)).evaluate(try run.configuration.loadData().test)
        #expect(isClose(line["average_test_loss"], ofAverage.loss))
    }

    @Test func `files of the end stand for their own parameters`() async throws {
        let run = try await Self.run()
        let data = try run.configuration.loadData()
        let summary = try #require(try run.directory.summary())
        for (file, loss) in [
            (run.directory.finalParametersFile, summary.testLoss),
            (run.directory.finalAverageFile, summary.averageTestLoss),
        ] {
            let trained = try Self.trained(file)
            let evaluation = try Self.evaluation(trained)
            try Self.expect(evaluation, try Safetensors.read(file), data, file.lastPathComponent)
            #expect(evaluation.meanLoss == loss && trained.average == nil && trained.summary == nil)
            #expect(trained.stage?.progress.stepCount == 24)
            // Elsewhere it says nothing of its data and model, and is the same with these.
            var given = TrainingOptions()
            (given.dataset, given.model, given.workers) = (.digits, HandNetwork.model, 1)
            let copy = try TemporaryFolder()
            let place = copy.url.appending(path: "parameters.safetensors")
            try FileManager.default.copyItem(at: file, to: place)
            let alone = try TrainedNetwork(at: place, with: given)
            #expect(try Self.evaluation(alone).meanLoss == loss && alone.stage == nil && alone.directory == nil)
            #expect(throws: TrainingError.self) { try TrainedNetwork(at: place) }
        }
    }

    @Test func `a run that has not ended stands for its newest checkpoint`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let options = SmallRun.options { ($0.steps, $0.average, $0.checkpointEvery) = (24, "ema:120", "6") }
        try await ResumeTests.run(options, in: url, stoppingAfter: 15)
        let trained = try Self.trained(url)
        let file = RunDirectory(existing: url).checkpointFolder.appending(path: "step-000000015.safetensors")
        let tensors = CheckpointTensors(of: try Safetensors.read(file))
        try Self.expect(
            try Self.evaluation(trained), tensors.parameters, try trained.configuration.loadData(), "stopped")
        #expect(trained.average == tensors.average && tensors.average != nil && trained.summary == nil)
        #expect(trained.stage?.progress.stepCount == 15)
    }
}
