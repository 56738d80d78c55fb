import Foundation
import Testing

@testable import CABSTraining

/// What rules would choose at a branch point, beside the closed forms of their fixed points.
@Suite(.timeLimit(.minutes(10))) struct ForecastTests {
    private static func setting(_ run: SmallRun) throws -> Branching.Setting {
        var request = Branching.Request()
        (request.evaluatedCount, request.exampleCount) = (200, 64)
        return try Branching(
            BranchPoint(at: run.directory.url), named: "run", request,
            in: run.directory.url.appending(path: "branch")
        ).setting
    }

    @Test func `each rule comes to rest at its fixed point, with the run's constants`() async throws {
        let (factor, epsilon, floor) = (100.0, 0.05, 0.2)
        let run = try await SmallRun {
            ($0.steps, $0.optimizer, $0.learningRate) = (60, "momentum:0.5", 0.05)
            ($0.factor, $0.epsilon, $0.lossFloor) = (factor, epsilon, floor)
            ($0.minimumBatchSize, $0.maximumBatchSize, $0.initialBatchSize) = (4, 24, 6)
        }
        let setting = try Self.setting(run)
        let sizes = Dictionary(uniqueKeysWithValues: setting.forecasts.map { ($0.rule, Double($0.batchSize)) })
        let (trace, signal) = (setting.noise.covarianceTrace.value, setting.noise.gradientSquaredNorm.value)
        let loss = setting.loss.value
        #expect(setting.ruleLearningRate.map { abs($0 - 0.1) < 1e-12 } ?? false && signal > 0)
        // What a batch is expected to measure as its variance is T (1 − 1/m): m = K (1 − 1/m).
        let k = factor * 0.1 * trace / (loss - floor + epsilon)
        #expect(k > 8)
        #expect(abs(try #require(sizes["cabs"]) - (k + (k * k - 4 * k).squareRoot()) / 2) <= 1)
        #expect(abs(try #require(sizes["noise-scale"]) - trace / signal) <= 1)
        // It grows alone, from the run's first size.
        let tested = max(trace * (1 - 0.81) / (0.81 * signal), 6)
        #expect(abs(try #require(sizes["norm-test:0.9"]) - tested) <= 1)
        // T/m is never above the batch's own ‖g‖², which is T/m and more.
        #expect(sizes["big-batch:1"] == 6)
        // Around 2γ/(1 − γ) T/‖∇F‖², up and down by a tenth.
        let similar = 2 * trace / signal
        #expect(abs(try #require(sizes["simigrad:0.5"]) - similar) <= 0.15 * similar + 1)
        let initial = try #require(try Self.initialLoss(run, examples: 144))
        let grown = (6 * (initial - floor) / (loss - floor)).rounded(.up)
        #expect(grown > 6 && sizes["adadamp"] == grown)
        #expect(setting.forecasts.count == 6)
    }

    /// The mean loss of a run's first examples, by its steps.
    private static func initialLoss(_ run: SmallRun, examples: Double) throws -> Double? {
        let steps = try run.steps
        guard let end = steps.firstIndex(where: { $0["examples"]! >= examples }) else { return nil }
        let sum = steps[...end].reduce(0) { $0 + $1["loss"]! * $1["batch_size"]! }
        return sum / steps[end]["examples"]!
    }

    /// A tenth of 1,438 examples are 144, so eight batches of 20.
    @Test(arguments: [(7, false), (8, true), (12, true)])
    func `AdaDamp begins with the loss of the first tenth of an epoch`(steps: Int, isKnown: Bool) async throws {
        let run = try await SmallRun {
            ($0.steps, $0.batchSize, $0.learningRate) = (steps, "constant:20", 0.3)
        }
        let point = try BranchPoint(at: run.directory.url)
        let expected = try Self.initialLoss(run, examples: 144)
        #expect((point.initialLoss != nil) == isKnown && (expected != nil) == isKnown)
        if isKnown { #expect(isClose(point.initialLoss, expected, relative: 1e-12)) }
        #expect(try Self.setting(run).forecasts.contains { $0.rule == "adadamp" } == isKnown)
    }

    @Test func `a first loss that the run's rule was given is AdaDamp's`() async throws {
        let run = try await SmallRun { ($0.steps, $0.batchSize) = (12, "adadamp:3.5") }
        #expect(try BranchPoint(at: run.directory.url).initialLoss == 3.5)
        let setting = try Self.setting(run)
        let found = setting.forecasts.first { $0.rule == "adadamp" }?.batchSize
        #expect(found == Int((16 * 3.5 / setting.loss.value).rounded(.up)))
    }

    @Test func `smoothed labels have a floor, from which forecasts count`() async throws {
        let run = try await SmallRun {
            ($0.steps, $0.labelSmoothing, $0.learningRate, $0.factor) = (30, 0.2, 0.1, 50)
        }
        let setting = try Self.setting(run)
        // 0.82 and nine times 0.02.
        let floor = -(0.82 * log(0.82) + 9 * 0.02 * log(0.02))
        let k = 50 * 0.1 * setting.noise.covarianceTrace.value / (setting.loss.value - floor)
        let found = setting.forecasts.first { $0.rule == "cabs" }?.batchSize
        #expect(abs(Double(try #require(found)) - (k + (k * k - 4 * k).squareRoot()) / 2) <= 1)
    }
}
