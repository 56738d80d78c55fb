import Foundation
import Testing

@testable import CABSTraining

/// Averages of the parameters over a run.
@Suite(.timeLimit(.minutes(10))) struct AveragingTests {
    static func options(_ average: String, _ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
        ResumeTests.options {
            ($0.average, $0.evaluateEvery) = (average, 30)
            change(&$0)
        }
    }

    /// All values of some parameters, in double precision.
    static func values(_ parameters: ParameterSet) -> [Double] {
        parameters.elements.flatMap { $0.tensor.values.map(Double.init) }
    }

    static func distance(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test(arguments: ["ema:150", "swa", "swa:0.5"])
    func `the average is that of the parameters after each step, by their examples`(name: String) async throws {
        let configuration = try TrainingConfiguration(Self.options(name) { $0.steps = 40 })
        let trainer = try configuration.makeTrainer()
        var history: [(values: [Double], examples: Double)] = []
        for try await step in trainer.train(for: configuration.length) {
            history.append((Self.values(try await trainer.parameters()), Double(step.batchSize)))
        }
        #expect(Set(history.map(\.examples)).count > 3, "batches of one size would weigh the same")
        var (sum, total) = ([Double](repeating: 0, count: history[0].values.count), 0.0)
        let first = name == "ema:150" ? 0 : name == "swa" ? 30 : 20
        var later = history[first...].reduce(0) { $0 + $1.examples }
        for entry in history[first...] {
            later -= entry.examples
            // What all examples of the step weigh, which is the integral of exp(-k / N) over them.
            let weight = name == "ema:150" ? exp(-later / 150) * -expm1(-entry.examples / 150) : entry.examples
            for index in sum.indices { sum[index] += weight * entry.values[index] }
            total += weight
        }
        let average = Self.values(try #require(try await trainer.averageParameters()))
        #expect(Self.distance(average, sum.map { $0 / total }) < 1e-6)
        #expect(Self.distance(average, history.last!.values) > 1e-4)
    }

    @Test func `it is evaluated beside the last parameters, which stay as they are`() async throws {
        let trainer = try TrainingConfiguration(Self.options("ema:100") { $0.validation = 100 }).makeTrainer()
        #expect(try await trainer.evaluateAll().average == nil)
        #expect(try await trainer.averageParameters() == nil)
        for _ in 0..<20 { _ = try await trainer.step() }
        let before = try await trainer.parameters()
        let evaluation = try await trainer.evaluateAll()
        #expect(try await trainer.parameters() == before)
        let average = try #require(evaluation.average)
        let other = try TrainingConfiguration(Self.options("ema:100") { $0.validation = 100 })
            .makeTrainer(from: try await trainer.averageParameters())
        let alone = try await other.evaluateAll()
        #expect(average.test == alone.test && average.validation == alone.validation)
        #expect(evaluation.test != average.test && evaluation.validation != average.validation)
    }

    @Test(arguments: ["ema:100", "swa:0.7"])
    func `a stopped run goes on with its average`(name: String) async throws {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        try await ResumeTests.run(Self.options(name), in: whole)
        try await ResumeTests.run(Self.options(name), in: parts, stoppingAfter: 37)
        #expect(try RunDirectory(existing: parts).newestParameters { _ in }.average != nil)
        try await ResumeTests.finish(TrainingRun(resuming: RunDirectory(existing: parts)))
        try ResumeTests.expectEqual(whole, parts)
        let averages = try [whole, parts].map { try Safetensors.read(RunDirectory(existing: $0).finalAverageFile) }
        #expect(averages[0] == averages[1])
        #expect(try averages[0] != Safetensors.read(RunDirectory(existing: whole).finalParametersFile))
        let summary = try #require(try RunDirectory(existing: whole).summary())
        #expect(summary.averageTestAccuracy != nil && summary.averageTestLoss != summary.testLoss)
        let lines = try ResumeTests.lines(RunDirectory(existing: whole).metricsFile)
        // Foundation's reader rounds.
        let logged = try #require(lines.last?["average_test_accuracy"] as? Double)
        #expect(abs(logged - summary.averageTestAccuracy!) < 1e-12)
        let checkpoint = try Safetensors.read(
            RunDirectory(existing: whole).checkpointFolder.appending(path: "step-000000060.safetensors"))
        #expect(checkpoint.names == averages[0].names + averages[0].names.map { "average.\($0)" })
    }

    @Test func `a run whose average begins at a part of its length may not grow`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        try await ResumeTests.run(Self.options("swa") { $0.steps = 6 }, in: url)
        var longer = TrainingOptions()
        longer.steps = 9
        await #expect(throws: TrainingError.self) {
            try await TrainingRun(resuming: RunDirectory(existing: url), with: longer)
        }
    }

    @Test(arguments: [
        "ema", "ema:0", "ema:-5", "ema:inf", "ema:5:5", "swa:0", "swa:1.5", "swa:nan", "mean", "", "ema:x",
    ])
    func `what is no average is refused with what would be`(name: String) throws {
        let error = #expect(throws: TrainingError.self) { try TrainingConfiguration(Self.options(name)) }
        #expect(try #require(error).description.contains("ema:EXAMPLES"))
    }

    @Test func `smoothed labels spread a part of each target, and their floor goes to CABS`() async throws {
        let digits = try DatasetName.digits.load()
        let smoothed = try digits.smoothingLabels(0.2)
        #expect(smoothed.training.target == .classes(10, smoothing: 0.2) && smoothed.test.target == .classes(10))
        #expect(try smoothed.training.example(at: 3) == digits.training.example(at: 3))
        #expect(try smoothed.training.checksum == digits.training.checksum)
        // The entropy of 0.82 and nine times 0.02.
        let floor = -(0.82 * log(0.82) + 9 * 0.02 * log(0.02))
        #expect(abs(try SmoothedLabels(digits.training, smoothing: 0.2).lossFloor - floor) < 1e-12)
        #expect(try SmoothedLabels(digits.training, smoothing: 0).lossFloor == 0)

        var options = ResumeTests.options { $0.labelSmoothing = 0.2 }
        func usedFloor() async throws -> Double? {
            let policy = try await TrainingConfiguration(options).makeTrainer().policy
            return (policy as? CoupledAdaptiveBatchSize)?.lossFloor
        }
        #expect(try await abs(#require(usedFloor()) - floor) < 1e-12)
        options.lossFloor = 0.5
        #expect(try await usedFloor() == 0.5)
        (options.lossFloor, options.loss) = (nil, .sigmoidCrossEntropy)
        #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
        for part in [-0.1, 1, .nan] {
            options = ResumeTests.options { $0.labelSmoothing = part }
            #expect(throws: TrainingError.self) { try TrainingConfiguration(options) }
        }
    }
}
