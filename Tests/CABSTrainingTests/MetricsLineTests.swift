import Foundation
import Testing

@testable import CABSTraining

/// The numbers of `metrics.jsonl` beside a run that is made again by hand.
@Suite(.timeLimit(.minutes(10))) struct MetricsLineTests {
    private static let (factor, epsilon, floor, smoothing) = (80.0, 0.02, 0.1, 0.9)
    private static let (rate, stepCount, validationCount) = (0.05, 10, 60)

    private static func run() async throws -> SmallRun {
        try await SmallRun {
            ($0.steps, $0.learningRate, $0.learningRateSchedule) = (stepCount, rate, "cosine")
            ($0.factor, $0.epsilon, $0.lossFloor, $0.smoothing) = (factor, epsilon, floor, smoothing)
            ($0.minimumBatchSize, $0.maximumBatchSize, $0.initialBatchSize) = (4, 40, 8)
            ($0.evaluateEvery, $0.validation, $0.average) = (5, validationCount, "swa:1")
            ($0.optimizer, $0.shadow) = ("momentum:0.5", "geometric:1.1,norm-test:0.9")
            ($0.checkpointEvery, $0.keepCheckpoints) = ("1", 50)
        }
    }

    /// What the rule keeps: averages of the loss, of the variance, and of the squared error of the variance.
    private struct Averages {
        var (loss, variance, squaredError) = (1 + floor, 0.0, 0.0)

        mutating func take(_ batch: Batch) {
            loss = smoothing * loss + (1 - smoothing) * batch.loss
            variance = smoothing * variance + (1 - smoothing) * batch.variance
            squaredError =
                smoothing * smoothing * squaredError + (1 - smoothing) * (1 - smoothing) * batch.error * batch.error
        }
    }

    /// What a batch is measured to be.
    private struct Batch {
        let loss, accuracy, secondMoment, error, squaredNorm: Double
        let gradient: [String: [Double]]
        var variance: Double { secondMoment - squaredNorm }

        init(_ examples: [HandNetwork.Example]) {
            let (count, squares) = (Double(examples.count), examples.map(\.squaredNorm))
            loss = examples.reduce(0) { $0 + $1.loss } / count
            accuracy = Double(examples.count(where: \.isCorrect)) / count
            let mean = squares.reduce(0, +) / count
            secondMoment = mean
            let deviations = squares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            error = (deviations / (count * (count - 1))).squareRoot()
            gradient = HandNetwork.mean(examples)
            squaredNorm = HandNetwork.squaredNorm(gradient)
        }
    }

    @Test func `each number of each step is that of the same run by hand`() async throws {
        let run = try await Self.run()
        let data = try run.configuration.loadData()
        let lines = try run.steps
        var network = HandNetwork(try run.parameters(ofStep: 0))
        var order = try ExampleOrder(.shuffled(seed: 0), exampleCount: data.training.count)
        var velocity = network.values.mapValues { $0.map { _ in 0.0 } }
        var averages = Averages()
        // Sums of the parameters by their examples, as `swa:1` averages all steps.
        var sums = velocity
        var (size, drawn, geometric) = (8, 0, 8)
        #expect(lines.count == Self.stepCount && Set(lines.map { $0["batch_size"] }).count > 3)
        for (index, line) in lines.enumerated() {
            func expect(_ key: String, _ value: Double?, _ relative: Double = 1e-4) {
                #expect(
                    isClose(line[key], value, relative: relative),
                    "\(key) of step \(index): \(String(describing: line[key])) for \(String(describing: value))")
            }
            let batch = Batch(try order.next(size).map { try network.example(data.training, $0) })
            averages.take(batch)
            drawn += size
            let rate = Self.rate * (1 + cos(.pi * Double(index) / Double(Self.stepCount))) / 2
            let scale = Self.factor * (rate / (1 - 0.5)) / (averages.loss - Self.floor + Self.epsilon)
            expect("step", Double(index))
            expect("batch_size", Double(size))
            expect("loss", batch.loss)
            expect("loss_average", averages.loss)
            expect("variance", batch.variance, 1e-3)
            expect("variance_average", averages.variance, 1e-3)
            expect("batch_size_raw", scale * averages.variance, 1e-3)
            expect("batch_size_raw_standard_error", scale * averages.squaredError.squareRoot(), 1e-3)
            expect("second_moment", batch.secondMoment, 1e-3)
            expect("second_moment_standard_error", batch.error, 1e-3)
            expect("gradient_squared_norm", batch.squaredNorm, 1e-3)
            expect("learning_rate", rate)
            expect("accuracy", batch.accuracy)
            expect("examples", Double(drawn))
            expect("epoch", Double(drawn) / Double(1438 - Self.validationCount))
            let raw = try #require(line["batch_size_raw"])
            size = min(max(Int(raw.rounded(.toNearestOrEven)), 4), 40)
            expect("next_batch_size", Double(size))
            // ⌈k m + 1⌉ by its own last size.
            geometric = min((11 * geometric + 19) / 10, 40)
            expect("geometric:1.1", Double(geometric))
            #expect(line["batch_size_coupled"] == nil && line["fixed_cost"] == nil)

            velocity = velocity.merging(batch.gradient) { zip($0, $1).map { 0.5 * $0 + $1 } }
            network.move(along: velocity, by: -rate)
            let examples = Double(drawn) - (index == 0 ? 0 : lines[index - 1]["examples"]!)
            sums = sums.merging(network.values) { zip($0, $1).map { $0 + examples * $1 } }
            var average = network
            average.move(along: network.values, by: -1)
            average.move(along: sums, by: 1 / Double(drawn))
            try Self.expectEvaluations(line, network, average, data, isDue: index % 5 == 4)
        }
    }

    /// The numbers of an evaluation, or that there is none.
    private static func expectEvaluations(
        _ line: [String: Double], _ network: HandNetwork, _ average: HandNetwork, _ data: TrainingData, isDue: Bool
    ) throws {
        let validation = try #require(data.validation)
        #expect(validation.count == validationCount)
        for (prefix, network) in [("", network), ("average_", average)] {
            for (part, dataset) in [("test", data.test), ("validation", validation)] {
                let (loss, accuracy) = (line["\(prefix)\(part)_loss"], line["\(prefix)\(part)_accuracy"])
                #expect((loss != nil) == isDue && (accuracy != nil) == isDue)
                guard isDue else { continue }
                let expected = try network.evaluate(dataset)
                #expect(isClose(loss, expected.loss) && isClose(accuracy, expected.accuracy), "\(prefix)\(part)")
            }
        }
    }

    @Test func `the clocks go forward, and that of training is within that of the run`() async throws {
        let lines = try await Self.run().steps
        for key in ["training_seconds", "seconds"] {
            let times = lines.compactMap { $0[key] }
            #expect(times.count == Self.stepCount && zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
        }
        for line in lines { #expect(line["training_seconds"]! > 0 && line["training_seconds"]! < line["seconds"]!) }
        // Evaluations are in one of them alone.
        let (last, before) = (lines[9], lines[8])
        let whole = last["seconds"]! - before["seconds"]!
        let training = last["training_seconds"]! - before["training_seconds"]!
        #expect(whole > training)
    }

    @Test func `CABS per second writes what CABS would choose, the cost, and what follows of both`() async throws {
        let run = try await SmallRun {
            ($0.steps, $0.batchSize, $0.fixedCost, $0.factor) = (8, "cabs-per-second", 30, 5)
            $0.minimumBatchSize = 2
        }
        for line in try run.steps {
            let expected = try 5 * 0.1 * #require(line["variance_average"]) / #require(line["loss_average"])
            let coupled = try #require(line["batch_size_coupled"])
            #expect(isClose(coupled, expected, relative: 1e-12) && line["fixed_cost"] == 30)
            let wanted = coupled / 2 * (1 + (1 + 60 / coupled).squareRoot())
            #expect(isClose(line["batch_size_raw"], wanted, relative: 1e-12))
            #expect(try #require(line["next_batch_size"]) == max(wanted.rounded(.toNearestOrEven), 2))
        }
    }
}
