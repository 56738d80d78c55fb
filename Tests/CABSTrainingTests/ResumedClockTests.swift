import Foundation
import Testing

@testable import CABSTraining

/// What a run that is taken up again remembers of time. Nothing here is measured against a machine's speed.
@Suite(.timeLimit(.minutes(10))) struct ResumedClockTests {
    /// The seconds that something took, as seen from outside.
    private static func elapsed(_ body: () async throws -> Void) async rethrows -> Double {
        let start = ContinuousClock.now
        try await body()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    @Test(arguments: [false, true])
    func `both clocks go on from where they were, without the pause`(isBySeconds: Bool) async throws {
        let folder = try TemporaryFolder()
        let directory = RunDirectory(existing: folder.url.appending(path: "run"))
        let options = SmallRun.options {
            if isBySeconds { $0.seconds = 1.5 } else { $0.steps = 60 }
            ($0.batchSize, $0.evaluateEvery) = ("constant:32", 5)
        }
        var seconds = 0.0
        do {
            let first = try TrainingRun(TrainingConfiguration(options), output: directory.url)
            seconds += try await Self.elapsed { try await ResumeTests.finish(first, stoppingAfter: 3) }
        }
        let before = try #require(try SmallRun.numbers(directory.metricsFile).last)
        try await Task.sleep(for: .seconds(1))
        do {
            let second = try await TrainingRun(resuming: directory)
            seconds += try await Self.elapsed { try await ResumeTests.finish(second) }
        }
        let lines = try SmallRun.numbers(directory.metricsFile)
        let summary = try #require(try directory.summary())
        #expect(lines.count > 3 && before == lines[2])
        for key in ["training_seconds", "seconds"] {
            let times = lines.map { $0[key]! }
            #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "\(key)")
            // All that the two processes spent in the run, which the pause between them is none of.
            #expect(times.last! < seconds, "\(key)")
        }
        #expect(summary.seconds == lines.last!["seconds"] && summary.seconds > before["seconds"]!)
        #expect(summary.trainingSeconds == lines.last!["training_seconds"])
        #expect(summary.trainingSeconds < summary.seconds)
        guard isBySeconds else { return }
        // It ends with the first step beyond its length, which the first part counts to.
        #expect(lines.last!["training_seconds"]! >= 1.5 && lines[lines.count - 2]["training_seconds"]! < 1.5)
    }

    /// Stored clocks that no such run comes to show what is taken from them.
    @Test func `what is stored of both clocks counts`() async throws {
        let folder = try TemporaryFolder()
        let directory = RunDirectory(existing: folder.url.appending(path: "run"))
        let options = SmallRun.options { ($0.seconds, $0.batchSize) = (500, "constant:32") }
        try await ResumeTests.run(options, in: directory.url, stoppingAfter: 5)
        let checkpoint = try directory.checkpoints.newest { _ in }
        let trainer = checkpoint.state.trainer
        let progress = TrainingProgress(
            stepCount: trainer.progress.stepCount, exampleCount: trainer.progress.exampleCount, seconds: 499.9999,
            examplesPerEpoch: trainer.progress.examplesPerEpoch)
        var record = checkpoint.state.record
        record.seconds = 7000
        let state = RunState(
            trainer: TrainerState(
                progress: progress, order: trainer.order, policy: trainer.policy, batchSize: trainer.batchSize,
                learningRateFactor: 1, averagedExampleCount: nil), record: record,
            shadows: checkpoint.state.shadows, metricsLength: checkpoint.state.metricsLength,
            estimatorsLength: checkpoint.state.estimatorsLength, data: checkpoint.state.data)
        try directory.checkpoints.write(
            Checkpoint(checkpoint.tensors, state), keeping: 3, by: CheckpointInterval("5m"))
        // One that forgets its clock would go on for 500 s.
        try await ResumeTests.finish(TrainingRun(resuming: directory), stoppingAfter: 1000)
        let lines = try SmallRun.numbers(directory.metricsFile)
        // Of 500 s a step is left, or as many as a ten-thousandth of a second holds.
        let last = try #require(lines.last)
        #expect(lines.count > 5 && last["training_seconds"]! >= 500 && last["training_seconds"]! < 1000)
        #expect(last["seconds"]! > 7000 && last["seconds"]! < 7500)
        #expect(lines.dropFirst(5).allSatisfy { $0["training_seconds"]! > 499.9999 && $0["seconds"]! > 7000 })
    }
}
