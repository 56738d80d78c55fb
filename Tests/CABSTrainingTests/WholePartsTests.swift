import Foundation
import Testing

@testable import CABSTraining

/// What happens at whole parts of a run happens at them, not a step later for a rounding error.
@Suite(.timeLimit(.minutes(10))) struct WholePartsTests {
    @Test func `a schedule's step comes at its part of an epoch`() {
        for interval in [0.1, 0.2, 0.3, 0.7, 1, 1.1] {
            let schedule = LearningRateSchedule.step(initial: 1, factor: 0.5, interval: .epochs(interval))
            for part in 0..<100 {
                // Exactly so many intervals of 1,000 examples, and one example before.
                let count = Int((Double(part) * interval * 1000).rounded())
                func rate(_ count: Int) -> Double {
                    schedule.learningRate(at: TrainingProgress(exampleCount: count, examplesPerEpoch: 1000))
                }
                #expect(rate(count) == pow(0.5, Double(part)), "\(part) of \(interval)")
                if part > 0 { #expect(rate(count - 1) == pow(0.5, Double(part - 1)), "before \(part) of \(interval)") }
            }
        }
    }

    @Test(arguments: [7, 10, 49, 100])
    func `as many evaluations are made as are asked for`(count: Int) async throws {
        let folder = try TemporaryFolder()
        var options = TrainingOptions()
        (options.dataset, options.workers, options.steps, options.evaluations) = (.digits, 1, count, count)
        options.batchSize = "constant:4"
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        var made = 0
        _ = try await run.run { if case .evaluation = $0 { made += 1 } }
        #expect(made == count)
    }

    @Test(arguments: [
        #"{"stepCount": 1, "exampleCount": 1, "seconds": 1, "examplesPerEpoch": 0}"#,
        #"{"stepCount": -1, "exampleCount": 1, "seconds": 1, "examplesPerEpoch": 5}"#,
        #"{"stepCount": 1, "exampleCount": 1, "seconds": 1}"#,
    ])
    func `a stored progress that cannot be is refused`(text: String) {
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(TrainingProgress.self, from: Data(text.utf8)) }
    }

    @Test func `an epoch and a tenth of ten examples are eleven`() {
        let before = TrainingProgress(exampleCount: 0, examplesPerEpoch: 10)
        #expect(TrainingLength.epochs(1.1).examplesLeft(after: before) == 11)
        #expect(TrainingLength.epochs(1.11).examplesLeft(after: before) == 12)
        #expect(TrainingLength.epochs(0.1).examplesLeft(after: TrainingProgress(examplesPerEpoch: 30)) == 3)
    }
}
