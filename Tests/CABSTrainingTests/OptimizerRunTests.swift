import Foundation
import Testing

@testable import CABSTraining

/// Runs under momentum and Adam.
@Suite(.timeLimit(.minutes(10))) struct OptimizerRunTests {
    static func options(_ optimizer: String, _ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
        ResumeTests.options {
            ($0.optimizer, $0.learningRate, $0.weightDecay) = (optimizer, 0.01, 0.001)
            if optimizer.hasPrefix("adam") { ($0.batchSize, $0.factor, $0.shadow) = ("noise-scale", nil, "all") }
            change(&$0)
        }
    }

    @Test(arguments: ["momentum:0.8", "nesterov", "adam", "adamw"])
    func `a stopped run goes on as if nothing had happened`(optimizer: String) async throws {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        try await ResumeTests.run(Self.options(optimizer), in: whole)
        try await ResumeTests.run(Self.options(optimizer), in: parts, stoppingAfter: 37)
        try await ResumeTests.finish(TrainingRun(resuming: RunDirectory(existing: parts)))
        try ResumeTests.expectEqual(whole, parts)
    }

    @Test func `checkpoints hold the optimiser's tensors, the final file parameters alone`() async throws {
        let folder = try TemporaryFolder()
        let run = folder.url.appending(path: "run")
        try await ResumeTests.run(Self.options("adam"), in: run)
        let directory = RunDirectory(existing: run)
        let names = try Safetensors.read(directory.finalParametersFile).names
        let checkpoint = try Safetensors.read(directory.checkpointFolder.appending(path: "step-000000060.safetensors"))
        let slots = ["first-moment", "second-moment"]
        #expect(checkpoint.names == names + slots.flatMap { slot in names.map { "optimizer.\(slot).\($0)" } })
        // A checkpoint by itself is a file of parameters too.
        let model = try TrainingConfiguration(TrainingOptions(contentsOf: directory.configurationFile))
            .makeModel(for: DatasetName.digits.load())
        let file = directory.checkpointFolder.appending(path: "step-000000060.safetensors")
        #expect(try Safetensors.read(file, for: model) == Safetensors.read(directory.finalParametersFile))
    }

    @Test func `a run that goes back goes back with its velocity`() async throws {
        let folder = try TemporaryFolder()
        let trainer = try TrainingConfiguration(Self.options("momentum")).makeTrainer()
        for _ in 0..<5 { _ = try await trainer.step() }
        let (state, tensors) = (try await trainer.state(), try await trainer.tensors())
        func losses() async throws -> [Double] {
            var losses: [Double] = []
            for _ in 0..<5 { losses.append(try await trainer.step().loss) }
            return losses
        }
        let first = try await losses()
        try await trainer.restore(state, tensors)
        #expect(try await losses() == first)
        try await trainer.restore(state, CheckpointTensors(parameters: tensors.parameters, optimizer: ParameterSet([])))
        #expect(try await losses() != first)
        withExtendedLifetime(folder) {}
    }

    /// Smith, Kindermans, Ying and Le 2018: what a gradient does under momentum sums up to α / (1 − β).
    @Test func `CABS reads the effective rate under momentum`() async throws {
        let trainer = try TrainingConfiguration(Self.options("momentum:0.75") { $0.factor = 1 }).makeTrainer()
        for _ in 0..<3 {
            let step = try await trainer.step()
            let decision = step.decision
            let expected = try 4 * 0.01 * #require(decision.smoothedVariance) / #require(decision.smoothedLoss)
            #expect(abs(decision.rawBatchSize - expected) < 1e-9 * expected)
            #expect(step.learningRate == 0.01 && abs(step.effectiveLearningRate - 0.04) < 1e-15)
        }
    }

    @Test func `under Adam CABS is refused, and does not watch`() throws {
        for optimizer in ["adam", "adamw"] {
            var options = Self.options(optimizer) { ($0.batchSize, $0.shadow) = ("cabs", nil) }
            let error = #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
            #expect(try #require(error).description.contains("take noise-scale or norm-test"))
            (options.batchSize, options.shadow) = ("constant:8", "cabs")
            (options.minimumBatchSize, options.factor) = (nil, nil)
            #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
            options.shadow = "all"
            let shadows = try TrainingConfiguration(options).shadows
            #expect(!shadows.contains(.cabs) && shadows.count == BatchSizeRule.adaptive.count - 1)
        }
        let data = try DatasetName.digits.load()
        let model = try ModelName.mlp.model(input: data.training.inputShape, outputCount: 10)
        #expect(throws: TrainingError.policyAssumesGradientDescent(policy: "CoupledAdaptiveBatchSize")) {
            try Trainer(
                model: model, data: data, optimizer: Adam(schedule: .constant(0.001)), batchSize: .cabs())
        }
    }

    @Test(arguments: [
        ("sgd", 0.1), ("momentum", 0.01), ("momentum:0.5", 0.05), ("nesterov:0.99", 0.001), ("adam", 0.001),
    ])
    func `the default rate goes as far as that of plain descent`(optimizer: String, rate: Double) throws {
        var options = TrainingOptions()
        (options.dataset, options.optimizer, options.batchSize) = (.digits, optimizer, "constant:8")
        let configuration = try TrainingConfiguration(options)
        #expect(configuration.options.learningRate == rate)
        #expect(try TrainingConfiguration(configuration.options).options.optimizer == configuration.options.optimizer)
    }

    @Test(arguments: ["rmsprop", "momentum:1", "momentum:-0.1", "adam:0.9", "nesterov:x", "", "sgd:0.9"])
    func `an optimiser that there is not is refused`(name: String) {
        var options = TrainingOptions()
        (options.dataset, options.optimizer) = (.digits, name)
        #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
    }

    @Test(arguments: ["momentum", "nesterov", "adam", "adamw"])
    func `digits are learned`(optimizer: String) async throws {
        var options = TrainingOptions()
        (options.dataset, options.optimizer, options.epochs, options.workers) = (.digits, optimizer, 8, 1)
        options.batchSize = optimizer.hasPrefix("adam") ? "constant:16" : "cabs"
        let trainer = try TrainingConfiguration(options).makeTrainer()
        for try await _ in trainer.train(for: .epochs(8)) {}
        #expect(try await trainer.evaluate().accuracy > 0.9)
    }
}
