import Foundation
import Testing

@testable import CABSTraining

/// Examples held back from training, to choose by.
@Suite(.timeLimit(.minutes(10))) struct ValidationTests {
    private static func data(_ count: Int) throws -> TrainingData {
        func part(_ count: Int) throws -> ArrayDataset {
            try ArrayDataset(
                inputs: (0..<count).map(Float.init), inputShape: .vector(1), labels: (0..<count).map { $0 % 2 },
                classCount: 2)
        }
        return try TrainingData(name: "own", training: part(count), test: part(3))
    }

    private static func inputs(_ dataset: any Dataset) throws -> [Int] {
        try (0..<dataset.count).map { index in
            let (input, target) = try dataset.example(at: index)
            #expect(target == .class(Int(input[0]) % 2))
            return Int(input[0])
        }
    }

    @Test(arguments: [1, 2, 3, 7, 99])
    func `held back and left examples are all of them, none twice`(count: Int) throws {
        let split = try Self.data(100).holdingBack(count)
        let held = try Self.inputs(try #require(split.validation))
        let left = try Self.inputs(split.training)
        #expect(held.count == count && (held + left).sorted() == Array(0..<100))
        #expect(try Self.inputs(split.test) == [0, 1, 2])
        #expect(split.evaluation.part == .test(of: split.training.count + split.validation!.count + 3))
        #expect(try split.training.checksum != Self.data(100).training.checksum)
    }

    @Test(arguments: [0, -1, 100, 101])
    func `more than there are cannot be held back`(count: Int) {
        #expect(throws: DatasetError.self) { try Self.data(100).holdingBack(count) }
    }

    @Test func `a run evaluates on them, and trains on the others alone`() async throws {
        let folder = try TemporaryFolder()
        var options = TrainingOptions()
        (options.dataset, options.workers, options.epochs, options.validation) = (.digits, 1, 2, 438)
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        var validations: [Double] = []
        let summary = try await run.run {
            if case .evaluation(let found, _) = $0 { validations.append(found.validation?.accuracy ?? -1) }
        }
        #expect(summary.examples == 2000 && validations.count == 2)
        let accuracy = try #require(summary.validationAccuracy)
        #expect(accuracy == validations.last && accuracy > 0.7 && accuracy != summary.testAccuracy)
        let last = try #require(try ResumeTests.lines(run.directory.metricsFile).last)
        let logged = try #require(last["validation_accuracy"] as? Double)
        // Foundation's reader rounds.
        #expect(abs(logged - accuracy) < 1e-12 && last["validation_loss"] != nil)
        // A network's own word for it.
        let evaluation = try await run.trainer.evaluateAll().validation
        #expect(evaluation?.accuracy == accuracy && evaluation?.exampleCount == 438)
    }
}
