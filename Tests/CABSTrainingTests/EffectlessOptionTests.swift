import Foundation
import Testing

@testable import CABSTraining

/// Options that would change nothing are refused or told of.
@Suite(.timeLimit(.minutes(10))) struct EffectlessOptionTests {
    private static func notices(_ change: (inout TrainingOptions) -> Void) throws -> [String] {
        var options = TrainingOptions()
        options.dataset = .digits
        change(&options)
        return try TrainingConfiguration(options).notices
    }

    @Test func `a warm-up must be shorter than the run`() throws {
        for (warmUp, isPossible) in [(99.0, true), (100, false), (500, false)] {
            let outcome = Result {
                try Self.notices { ($0.steps, $0.warmUp) = (100, warmUp) }
            }
            #expect((try? outcome.get()) == (isPossible ? [] : nil), "\(warmUp)")
        }
    }

    @Test func `what has no effect is told`() throws {
        let found = [
            try Self.notices { $0.data = "/somewhere" },
            try Self.notices { ($0.scaleRate, $0.batchSize) = (.linear, "constant:8") },
            try Self.notices { ($0.learningRateSchedule, $0.epochs) = ("step:0.1:9", 9) },
            try Self.notices { ($0.evaluateEvery, $0.steps) = (11, 10) },
            try Self.notices { ($0.compareEstimators, $0.steps) = (11, 10) },
        ]
        let options = ["data", "scale-rate", "learning-rate-schedule", "evaluate-every", "compare-estimators"]
        for (notices, option) in zip(found, options) {
            #expect(notices.count == 1 && notices[0].hasPrefix("\(option) "), "\(notices)")
        }
        #expect(
            try Self.notices {
                ($0.scaleRate, $0.learningRateSchedule, $0.epochs, $0.evaluateEvery) = (.linear, "step:0.1:8", 9, 11)
            }.isEmpty)
    }

    @Test func `what hinders a longer run is told`() async throws {
        for (change, word) in [
            ({ $0.learningRateSchedule = "cosine" }, "cosine"), ({ $0.average = "swa" }, "average"),
            ({ $0.evaluations = 2 }, "evaluations"),
        ] as [((inout TrainingOptions) -> Void, String)] {
            let folder = try TemporaryFolder()
            var options = TrainingOptions()
            (options.dataset, options.steps, options.workers) = (.digits, 4, 1)
            change(&options)
            let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
            _ = try await run.run()
            var longer = TrainingOptions()
            longer.steps = 8
            let error = await #expect(throws: TrainingError.self) {
                try await TrainingRun(resuming: run.directory, with: longer)
            }
            guard case .resumesDifferently("steps", _, _, let reason?)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(reason.contains(word))
        }
    }
}
