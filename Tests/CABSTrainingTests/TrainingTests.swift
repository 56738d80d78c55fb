import CABSTraining
import Foundation
import Testing

/// A folder for one test's files, removed after it.
final class TemporaryFolder {
    let url = FileManager.default.temporaryDirectory.appending(path: "cabs-tests-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ text: String, as name: String) throws -> URL {
        let file = url.appending(path: name)
        try Data(text.utf8).write(to: file)
        return file
    }
}

@Suite(.timeLimit(.minutes(10))) struct TrainerTests {
    static func trainer(policy: any BatchSizePolicy, learningRate: Double = 0.1, workers: Int = 2) throws -> Trainer {
        let data = try DatasetName.digits.load()
        let model = try ModelName.mlp.model(input: data.training.inputShape, outputCount: 10, seed: 1)
        return try Trainer(
            model: model, data: data, optimizer: SGD(learningRate: learningRate), batchSize: policy,
            workerCount: workers)
    }

    @Test func `digits are learned, and the batch grows as the loss falls`() async throws {
        // The rule's own sizes stay below 16 on so easy a set; eight times them do not.
        let trainer = try Self.trainer(policy: CoupledAdaptiveBatchSize(factor: 8))
        var first: TrainingStep?
        var last: TrainingStep?
        for try await step in trainer.train(for: .epochs(15)) {
            first = first ?? step
            last = step
        }
        let (start, end) = (try #require(first), try #require(last))
        #expect(end.loss < 0.3 * start.loss)
        #expect(start.batchSize == 16)
        #expect(end.batchSize > 30)
        #expect(try await trainer.evaluate().accuracy > 0.93)
        #expect(await trainer.progress.exampleCount == 15 * 1438)
    }

    @Test(arguments: [TrainingLength.steps(7), .examples(100), .epochs(0.1), .seconds(0.05)])
    func `a run keeps its length exactly`(length: TrainingLength) async throws {
        let trainer = try Self.trainer(policy: try .constant(32))
        for try await _ in trainer.train(for: length) {}
        let progress = await trainer.progress
        switch length {
        case .steps(let count): #expect(progress.stepCount == count)
        case .examples(let count): #expect(progress.exampleCount == count)
        case .epochs: #expect(progress.exampleCount == 144)
        case .seconds(let count): #expect(progress.seconds >= count)
        }
        #expect(length.fractionCompleted(progress) >= 1)
    }

    @Test func `the same seed gives the same run to the bit`() async throws {
        func run() async throws -> (ParameterSet, [Int]) {
            let trainer = try Self.trainer(policy: CoupledAdaptiveBatchSize(bounds: 4...256, factor: 8))
            var sizes: [Int] = []
            for try await step in trainer.train(for: .steps(200)) { sizes.append(step.batchSize) }
            return (try await trainer.parameters(), sizes)
        }
        let (first, second) = (try await run(), try await run())
        #expect(first.0 == second.0)
        #expect(first.1 == second.1)
        #expect(Set(first.1).count > 3)
    }

    @Test func `each step's batch has the size that the last step chose`() async throws {
        let trainer = try Self.trainer(policy: CoupledAdaptiveBatchSize(bounds: 4...256, factor: 8))
        var chosen = 4
        var examples = 0
        for try await step in trainer.train(for: .steps(50)) {
            #expect(step.batchSize == chosen)
            chosen = step.decision.nextBatchSize
            examples += step.batchSize
            #expect(step.progress.exampleCount == examples)
        }
    }

    @Test func `a batch may be larger than the data set`() async throws {
        let trainer = try Self.trainer(policy: try .constant(4000))
        let step = try await trainer.step()
        #expect(step.batchSize == 4000)
        #expect(step.loss.isFinite)
    }

    @Test func `a run that diverges stops and says so`() async throws {
        let trainer = try Self.trainer(policy: try .constant(16), learningRate: 1e20)
        await #expect(throws: TrainingError.self) {
            for try await _ in trainer.train(for: .steps(50)) {}
        }
    }

    @Test func `a cancelled run ends`() async throws {
        let trainer = try Self.trainer(policy: try .constant(16))
        let task = Task {
            for try await _ in trainer.train(for: .steps(10_000_000)) {}
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func `options that do not fit each other are refused`() throws {
        let data = try DatasetName.digits.load()
        let model = try ModelName.mlp.model(input: data.training.inputShape, outputCount: 10)
        #expect(throws: TrainingError.policyNeedsStatistics(policy: "CoupledAdaptiveBatchSize")) {
            try Trainer(
                model: model, data: data, optimizer: SGD(learningRate: 0.1), batchSize: .cabs(), estimator: .unmeasured)
        }
        #expect(throws: TrainingError.notPositive(option: "learning rate", value: -1)) {
            try Trainer(model: model, data: data, optimizer: SGD(learningRate: -1), batchSize: .cabs())
        }
        #expect(throws: TrainingError.self) {
            try Trainer(
                model: ModelName.mlp.model(input: .vector(64), outputCount: 10), data: data,
                optimizer: SGD(learningRate: 0.1), batchSize: .cabs())
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct LearningRateTests {
    static func progress(steps: Int, examples: Int) -> TrainingProgress {
        TrainingProgress(stepCount: steps, exampleCount: examples, examplesPerEpoch: 100)
    }

    @Test func `a constant rate is constant`() {
        let schedule = LearningRateSchedule.constant(0.3)
        #expect(schedule.learningRate(at: Self.progress(steps: 99, examples: 9999)) == 0.3)
    }

    @Test func `steps fall after each interval`() {
        let schedule = LearningRateSchedule.step(initial: 0.8, factor: 0.5, interval: .epochs(2))
        for (examples, expected) in [(0, 0.8), (199, 0.8), (200, 0.4), (399, 0.4), (400, 0.2), (1000, 0.025)] {
            #expect(abs(schedule.learningRate(at: Self.progress(steps: 1, examples: examples)) - expected) < 1e-12)
        }
    }

    @Test func `warming up is in the unit of the run's length, and then over`() throws {
        var options = TrainingOptions()
        (options.dataset, options.learningRate, options.epochs, options.warmUp) = (.digits, 0.4, 3, 0.5)
        options.batchSize = "constant:8"
        let schedule = try TrainingConfiguration(options).optimizer.schedule
        for (examples, expected) in [(0, 0.004), (25, 0.202), (50, 0.4), (51, 0.4), (300, 0.4)] {
            #expect(abs(schedule.learningRate(at: Self.progress(steps: 1, examples: examples)) - expected) < 1e-12)
        }
        (options.epochs, options.steps, options.warmUp) = (nil, 10, 2.5)
        #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
        options.warmUp = 0
        #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
    }

    @Test func `a cosine falls from start to end and stays`() {
        let schedule = LearningRateSchedule.cosine(initial: 0.6, final: 0.2, length: .steps(10))
        for (steps, expected) in [(0, 0.6), (5, 0.4), (10, 0.2), (11, 0.2), (1000, 0.2)] {
            #expect(abs(schedule.learningRate(at: Self.progress(steps: steps, examples: 1)) - expected) < 1e-12)
        }
    }
}
