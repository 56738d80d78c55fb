import Foundation
import Testing

@testable import CABSTraining

/// The last steps of runs whose length is in examples or epochs.
@Suite(.timeLimit(.minutes(10))) struct BatchAllotmentTests {
    static let cases: [(wanted: Int, left: Int, taken: Int, factor: Double)] = [
        (64, 1000, 64, 1), (64, 128, 64, 1), (64, 97, 64, 1), (64, 96, 64, 1), (64, 95, 48, 1), (64, 65, 33, 1),
        (64, 64, 64, 1), (64, 63, 63, 1), (64, 32, 32, 1), (64, 31, 31, 31.0 / 64), (64, 1, 1, 1.0 / 64), (1, 5, 1, 1),
        (2, 3, 2, 1), (3, 4, 2, 1), (86, 5, 5, 5.0 / 86), (16, Int.max, 16, 1),
    ]

    @Test(arguments: cases)
    func `what is left is shared out`(example: (wanted: Int, left: Int, taken: Int, factor: Double)) {
        let allotment = BatchAllotment(wanted: example.wanted, of: example.left)
        #expect(allotment.exampleCount == example.taken)
        #expect(allotment.learningRateFactor == example.factor)
    }

    /// Whatever sizes a rule asks for and however long the run is.
    @Test func `a batch at the full rate is between half of what is wanted and all of it`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let length = Int.random(in: 1...3000, using: &generator)
            let largest = Int.random(in: 1...600, using: &generator)
            let isConstant = Bool.random(using: &generator)
            var (left, reduced) = (length, 0)
            while left > 0 {
                let wanted = isConstant ? largest : Int.random(in: 1...largest, using: &generator)
                let allotment = BatchAllotment(wanted: wanted, of: left)
                let (count, factor) = (allotment.exampleCount, allotment.learningRateFactor)
                let text = "\(count) of \(left), wanted \(wanted)"
                #expect(count >= 1 && count <= wanted && count <= left, "\(text)")
                #expect((factor == 1) == (2 * count >= wanted), "\(text)")
                #expect(factor == 1 || (factor == Double(count) / Double(wanted) && count == left), "\(text)")
                reduced += factor == 1 ? 0 : 1
                left -= count
            }
            // Of a rule that stays, only a run shorter than half a batch has such a step.
            #expect(!isConstant || reduced == (2 * length < largest ? 1 : 0))
        }
    }

    static let rules = [
        "constant:48", "cabs", "noise-scale", "norm-test:0.9", "big-batch:1", "geometric:1.3", "step:2:0.05",
    ]

    @Test(arguments: rules, [TrainingLength.examples(700), .examples(701), .epochs(0.37), .examples(7)])
    func `every rule keeps its length and its sizes`(rule: String, length: TrainingLength) async throws {
        var options = TrainingOptions()
        options.dataset = .digits
        options.batchSize = rule
        let trainer = try TrainingConfiguration(options).makeTrainer()
        var wanted = await trainer.policy.initialBatchSize
        for try await step in trainer.train(for: length) {
            #expect(step.batchSize <= wanted)
            let isReduced = 2 * step.batchSize < wanted
            let factor = isReduced ? Double(step.batchSize) / Double(wanted) : 1
            #expect(step.effectiveLearningRate == 0.1)
            #expect(abs(step.learningRate - 0.1 * factor) < 1e-12)
            wanted = step.decision.nextBatchSize
        }
        let progress = await trainer.progress
        #expect(length.examplesLeft(after: progress) == 0)
        let expected = if case .examples(let count) = length { count } else { 533 }
        #expect(progress.exampleCount == expected)
    }

    /// A rule that jumps to 400 when 100 examples are left.
    struct Jump: BatchSizePolicy {
        var initialBatchSize = 50
        let reads: Set<StepQuantity> = []
        private enum CodingKeys: String, CodingKey { case initialBatchSize }
        private(set) var rates: [Double] = []

        mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
            rates.append(learningRate)
            return BatchSizeDecision(nextBatchSize: rates.count < 2 ? 50 : 400, rawBatchSize: 0)
        }
    }

    @Test func `a remnant is stepped on gently, and the log says so`() async throws {
        let folder = try TemporaryFolder()
        let data = try DatasetName.digits.load()
        let model = try ModelName.mlp.model(input: data.training.inputShape, outputCount: 10, seed: 1)
        let trainer = try Trainer(
            model: model, data: data, optimizer: SGD(learningRate: 0.2), batchSize: Jump(), workerCount: 1)
        var steps: [TrainingStep] = []
        for try await step in trainer.train(for: .examples(200)) { steps.append(step) }
        #expect(steps.map(\.batchSize) == [50, 50, 100])
        #expect(steps.map(\.learningRate) == [0.2, 0.2, 0.05])
        // The rule goes on with the rate that later steps would have.
        #expect((await trainer.policy as? Jump)?.rates == [0.2, 0.2, 0.2])

        var options = TrainingOptions()
        options.dataset = .digits
        options.batchSize = "constant:100"
        options.examples = 30
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        _ = try await run.run()
        let log = try String(contentsOf: run.directory.metricsFile, encoding: .utf8)
        #expect(log.contains("\"batch_size\": 30,"))
        #expect(log.contains("\"learning_rate\": 0.03,"))
        #expect(log.contains("\"next_batch_size\": 100,"))
    }

    @Test func `no step is made where no example is left`() async throws {
        let trainer = try TrainerTests.trainer(policy: try .constant(8))
        await #expect(throws: EngineError.emptyBatch) { try await trainer.step(examplesLeft: 0) }
    }
}
