import CABS
import Testing

@testable import CABSTraining

/// What a step cost by its phases, and over ranks.
@Suite(.timeLimit(.minutes(10))) struct RankCostTests {
    @Test func `update and exchange are fixed, the rest is shared by the examples`() {
        let cost = StepCost(
            [
                .examplesForward: 1, .batchForward: 2, .batchBackward: 4, .examplesBackward: 8, .update: 16,
                .exchange: 32,
            ], exampleCount: 5)
        #expect(cost.fixedSeconds == 48 && cost.secondsPerExample == 3)
        let alone = StepCost([.examplesForward: 6, .update: 1], exampleCount: 3)
        #expect(alone.fixedSeconds == 1 && alone.secondsPerExample == 2)
    }

    private static func notice(
        fixed: Double, perExample: Double, seconds: Double, training: Double, stops: Bool = false
    ) -> [Double] {
        var notice = RankNotice(seconds: seconds, wantsToStop: stops)
        notice.trainingSeconds = training
        notice.cost = StepCost(fixedSeconds: fixed, secondsPerExample: perExample)
        return notice.numbers
    }

    @Test func `of several ranks the least waiting and the slowest computing count, by the first one's clocks`() throws
    {
        let all = [
            Self.notice(fixed: 0.5, perExample: 2, seconds: 100, training: 70),
            Self.notice(fixed: 0.2, perExample: 3, seconds: 900, training: 800),
            Self.notice(fixed: 0.9, perExample: 1, seconds: 5, training: 4),
        ]
        let together = try #require(RankNotice(together: all))
        #expect(together.cost == StepCost(fixedSeconds: 0.2, secondsPerExample: 3))
        #expect(together.seconds == 100 && together.trainingSeconds == 70 && !together.wantsToStop)
    }

    @Test(arguments: 0..<3) func `one that is asked to stop stops all`(rank: Int) throws {
        let all = (0..<3).map {
            Self.notice(fixed: 1, perExample: 1, seconds: 1, training: 1, stops: $0 == rank)
        }
        #expect(try #require(RankNotice(together: all)).wantsToStop)
    }

    @Test func `before the first step there is no cost, and without ranks no notice`() throws {
        let none = RankNotice(seconds: 3, wantsToStop: false).numbers
        let all = [none, Self.notice(fixed: 1, perExample: 1, seconds: 1, training: 1)]
        #expect(try #require(RankNotice(together: all)).cost == nil)
        #expect(RankNotice(together: []) == nil)
    }

    @Test func `a step's cost is all of its time`() async throws {
        let trainer = try TrainingConfiguration(SmallRun.options { $0.batchSize = "constant:32" }).makeTrainer()
        let step = try await trainer.step()
        let phases = step.report.phaseSeconds
        let cost = StepCost(phases, exampleCount: step.batchSize)
        #expect(cost.fixedSeconds == phases[.update] && cost.secondsPerExample > 0)
        let all = phases.values.reduce(0, +)
        #expect(isClose(cost.fixedSeconds + 32 * cost.secondsPerExample, all, relative: 1e-9))
    }
}
