import Foundation
import Testing

@testable import CABSTraining

/// What happens when within a run: learning rates, checkpoints, evaluations, draws.
@Suite(.timeLimit(.minutes(10))) struct ScheduleTests {
    static func options(_ change: (inout TrainingOptions) -> Void) -> TrainingOptions {
        var options = TrainingOptions()
        (options.dataset, options.workers, options.steps) = (.digits, 1, 20)
        change(&options)
        return options
    }

    /// A run's steps, and the numbers of those after which it was evaluated.
    static func steps(_ options: TrainingOptions) async throws -> (steps: [TrainingStep], evaluated: [Int]) {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        var (steps, evaluated): ([TrainingStep], [Int]) = ([], [])
        _ = try await run.run {
            switch $0 {
            case .step(let step, _): steps.append(step)
            case .evaluation: evaluated.append(steps.count - 1)
            default: break
            }
        }
        return (steps, evaluated)
    }

    @Test(arguments: ["constant", "cosine", "step:0.5:0.1"])
    func `CABS goes by the learning rate of each step`(schedule: String) async throws {
        let (steps, _) = try await Self.steps(Self.options { $0.learningRateSchedule = schedule })
        for step in steps {
            let decision = step.decision
            let expected = try step.learningRate * #require(decision.smoothedVariance) / #require(decision.smoothedLoss)
            #expect(abs(decision.rawBatchSize - expected) <= 1e-12 * expected)
        }
        #expect((Set(steps.map(\.learningRate)).count == 1) == (schedule == "constant"))
    }

    @Test func `without a word of it, a run is evaluated at the end of each epoch`() async throws {
        let (steps, evaluated) = try await Self.steps(
            Self.options { ($0.steps, $0.epochs, $0.batchSize) = (nil, 3.5, "constant:100") })
        // 1,438 examples: an epoch ends within the steps after which 1,500, 2,900 and 4,400 have been drawn.
        #expect(evaluated == [14, 28, 43])
        #expect(steps.last?.progress.exampleCount == 5033)
    }

    @Test(arguments: ["0", "-1", "", "m", "0m", "-2m", "infm", "1.5"])
    func `checkpoints come after a positive number of steps or minutes`(text: String) {
        #expect(throws: TrainingError.self) { try CheckpointInterval(text) }
    }

    @Test func `minutes of a checkpoint interval are minutes of the run`() throws {
        let interval = try CheckpointInterval("1.5m")
        func isDue(_ seconds: Double, before: Double) -> Bool {
            interval.isDue(stepCount: 7, seconds: seconds, secondsBefore: before)
        }
        #expect(!isDue(89.9, before: 0) && isDue(90, before: 89.9) && !isDue(179.9, before: 90))
        #expect(isDue(180.1, before: 179.9) && isDue(1000, before: 0) && !isDue(1001, before: 1000))
    }

    @Test func `a run writes its checkpoints by the clock`() async throws {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(
            TrainingConfiguration(Self.options { ($0.steps, $0.seconds, $0.checkpointEvery) = (nil, 0.5, "0.002m") }),
            output: folder.url.appending(path: "run"))
        var count = 0
        _ = try await run.run { if case .checkpoint = $0 { count += 1 } }
        // At the beginning, at the end, and at most each 0.12 s between; the clock is the run's, which evaluations and writing are part of.
        let seconds = try #require(try run.directory.summary()).seconds
        #expect(count > 2 && Double(count) <= 3 + seconds / 0.12)
    }

    /// The same examples in each step, at a rate that changes nothing.
    private static func losses(_ layers: [any Layer]) async throws -> [Double] {
        let options = options {
            $0.model = .layers(layers.map { LayerConfiguration($0) })
            ($0.order, $0.learningRate, $0.batchSize) = (.sequential, 1e-30, "constant:1438")
            $0.steps = 4
        }
        return try await steps(options).steps.map(\.loss)
    }

    @Test func `what is drawn differs from step to step`() async throws {
        let same = try await Self.losses([Flatten(), Dense(units: 10)])
        #expect(Set(same).count == 1)
        let dropped = try await Self.losses([Flatten(), Dropout(rate: 0.5), Dense(units: 10)])
        #expect(Set(dropped).count == 4)
    }

    @Test func `the same example is changed anew each time that it is drawn`() throws {
        let data = try ImageDataset(
            LabeledImages(
                shape: .image(height: 32, width: 32, channels: 3), classCount: 10,
                pixels: (0..<3072).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ $0 >> 3) }, labels: [3], source: "noise"),
            preprocessing: CroppedAndStandardized(augments: true))
        func images(firstDraw: UInt64) throws -> [[Float]] {
            let batch = DatasetBatch(data, indices: [0, 0], firstDraw: firstDraw)
            let memory = ExampleMemory(inputCount: 24 * 24 * 3, target: batch.target)
            return try (0..<2).map { position in try memory.read { try batch.write(position, into: &$0) }.input }
        }
        let (first, second) = (try images(firstDraw: 0), try images(firstDraw: 2))
        #expect(Set(first + second).count == 4)
        #expect(try images(firstDraw: 1)[0] == first[1])
    }
}
