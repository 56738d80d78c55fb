import CABSNetwork
import Foundation
import Testing

@testable import CABSTraining

/// Single examples whose numbers are too large: they are named, and are not taken for a run that diverged.
@Suite(.timeLimit(.minutes(10))) struct UnsoundExampleTests {
    private static let width = 4

    /// Examples of two classes; the first values of some are given.
    private static func examples(_ count: Int, firstValues: [Int: Float] = [:]) throws -> ArrayDataset {
        var inputs = (0..<count * width).map { Float(($0 * 7) % 5) / 5 }
        for (example, value) in firstValues { inputs[example * width] = value }
        return try ArrayDataset(
            inputs: inputs, inputShape: .vector(width), labels: (0..<count).map { $0 % 2 }, classCount: 2)
    }

    private static func trainer(_ training: ArrayDataset, _ test: ArrayDataset) throws -> Trainer {
        let model = try Model(input: .vector(width), seed: 3) {
            Dense(units: 3); Dense(units: 2)
        }
        return try Trainer(
            model: model, data: TrainingData(name: "own", training: training, test: test),
            optimizer: SGD(learningRate: 0.1), batchSize: ConstantBatchSize(8), order: .sequential(firstExample: 0),
            workerCount: 2)
    }

    @Test func `an evaluation leaves them out of the mean and names them`() async throws {
        let training = try Self.examples(16)
        let good = try await Self.trainer(training, Self.examples(12)).evaluateAll()
        // Without the example in the middle the mean is that of the two parts.
        let losses = try await Self.trainer(training, Self.examples(12)).evaluateAll().test
        #expect(losses.unsoundExamples.isEmpty && good.notices.isEmpty)
        let bad = try await Self.trainer(training, Self.examples(12, firstValues: [5: .infinity])).evaluateAll()
        #expect(bad.test.unsoundExamples == [5] && bad.unsoundLoss == nil)
        #expect(bad.notices.count == 1 && bad.notices[0].contains("test example 5"))
        var sum = 0.0
        for index in 0..<12 where index != 5 {
            let network = try Network(
                Model(input: .vector(Self.width), seed: 3) {
                    Dense(units: 3); Dense(units: 2)
                })
            sum += try network.evaluate(DatasetBatch(Self.examples(12), indices: [index])).meanLoss
        }
        #expect(abs(bad.test.meanLoss - sum / 11) < 1e-6)
        let stored = try JSONDecoder().decode(RunEvaluation.self, from: JSONEncoder().encode(bad))
        #expect(stored == bad)
    }

    @Test func `where no example's loss is finite the parameters are the reason`() async throws {
        let all = Dictionary(uniqueKeysWithValues: (0..<6).map { ($0, Float.infinity) })
        let bad = try await Self.trainer(Self.examples(16), Self.examples(6, firstValues: all)).evaluateAll()
        #expect(bad.unsoundLoss?.isNaN == true && bad.notices.isEmpty)
    }

    @Test func `a training example among others is named as what to look at`() async throws {
        let trainer = try Self.trainer(Self.examples(16, firstValues: [11: .infinity]), Self.examples(4))
        _ = try await trainer.step()
        let error = await #expect(throws: TrainingError.self) { try await trainer.step() }
        guard case .diverged(let found)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(found.remedy.contains("training example 11"), "\(found.remedy)")
    }
}
