import Foundation
import Testing

@testable import CABSTraining

/// What `measure` makes of a run's options: the rate, the floor and the constants that CABS is applied with.
@Suite(.timeLimit(.minutes(10))) struct MeasuredRuleTests {
    /// What CABS is expected to be applied with.
    struct Case: Sendable {
        let name: String
        let rate: Double
        var floor = 0.0
        var factor = 1.0
        var epsilon = 0.0
        let set: @Sendable (inout TrainingOptions) -> Void
    }

    /// The entropy of a label of ten classes of which a tenth was spread: 0.91 is left, and 0.01 goes to each other.
    private static let smoothedFloor = -(0.91 * log(0.91) + 9 * 0.01 * log(0.01))

    static let cases = [
        Case(name: "plain", rate: 0.03) { $0.learningRate = 0.03 },
        Case(name: "momentum", rate: 0.15) { ($0.optimizer, $0.learningRate) = ("momentum:0.8", 0.03) },
        Case(name: "Nesterov", rate: 0.06) { ($0.optimizer, $0.learningRate) = ("nesterov:0.5", 0.03) },
        Case(name: "c", rate: 0.03, factor: 4) { ($0.learningRate, $0.factor) = (0.03, 4) },
        Case(name: "epsilon", rate: 0.03, epsilon: 0.4) { ($0.learningRate, $0.epsilon) = (0.03, 0.4) },
        Case(name: "floor", rate: 0.03, floor: 0.7) { ($0.learningRate, $0.lossFloor) = (0.03, 0.7) },
        Case(name: "smoothed labels", rate: 0.03, floor: smoothedFloor) {
            ($0.learningRate, $0.labelSmoothing) = (0.03, 0.1)
        },
        Case(name: "a floor in the place of the labels'", rate: 0.03, floor: 0.2) {
            ($0.learningRate, $0.labelSmoothing, $0.lossFloor) = (0.03, 0.1, 0.2)
        },
        Case(name: "a rate that followed the batch", rate: 0.03) {
            ($0.learningRate, $0.batchSize, $0.scaleRate) = (0.03, "geometric:1.5", .linear)
        },
        Case(name: "all of them", rate: 0.06, floor: 0.3, factor: 2, epsilon: 0.1) {
            ($0.optimizer, $0.learningRate) = ("momentum:0.5", 0.03)
            ($0.lossFloor, $0.factor, $0.epsilon) = (0.3, 2, 0.1)
        },
    ]

    private static func expect(_ found: GradientMeasurement, _ expected: Case) throws {
        let coupling = try #require(found.coupling)
        #expect(isClose(coupling.learningRate, expected.rate, relative: 1e-12))
        #expect(isClose(coupling.lossFloor ?? 0, expected.floor) && (coupling.factor ?? 1) == expected.factor)
        #expect((coupling.epsilon ?? 0) == expected.epsilon)
        let excess = found.loss.value - expected.floor
        let size = expected.factor * expected.rate * found.noise.covarianceTrace.value / (excess + expected.epsilon)
        #expect(isClose(coupling.batchSize.value, size, relative: 1e-9))
        let steps = expected.rate * found.noise.gradientSquaredNorm.value / excess
        #expect(isClose(coupling.polyakSteps.value, steps, relative: 1e-9))
        // The parts of layers add up.
        let parts = found.layers.compactMap { $0.coupling?.batchSize.value }
        #expect(parts.count == 2 && isClose(parts.reduce(0, +), size, relative: 1e-6))
    }

    @Test(arguments: cases.indices) func `CABS is applied as the run has it`(index: Int) async throws {
        let expected = Self.cases[index]
        let run = try await SmallRun {
            $0.steps = 4
            expected.set(&$0)
        }
        let trained = try TrainedNetwork(at: run.directory.url)
        let found = try trained.measurement(exampleCount: 96)
        try Self.expect(found, expected)
        #expect(found.stepCount == 4 && found.exampleCount == 96)
        // A rate that is given is a schedule's, of which momentum makes as much as of the run's own.
        let doubled = try trained.measurement(exampleCount: 96, learningRate: 0.06)
        #expect(isClose(doubled.coupling?.learningRate, 2 * expected.rate, relative: 1e-12))
    }

    @Test func `after the run went back the rate is what was left of it`() async throws {
        let run = try await SmallRun {
            ($0.steps, $0.learningRate, $0.lossBound, $0.batchSize) = (30, 8, 4, "constant:16")
            ($0.onDivergence, $0.rewinds, $0.checkpointEvery, $0.optimizer) = (.rewind, 20, "5", "momentum:0.5")
        }
        let rewinds = try #require(try run.directory.summary()?.rewinds)
        #expect(rewinds >= 1)
        let rate = 2 * 8 / pow(2, Double(rewinds))
        let last = run.directory.checkpointFolder.appending(path: "step-000000030.safetensors")
        for url in [run.directory.url, run.directory.finalParametersFile, last] {
            let found = try TrainedNetwork(at: url).measurement(exampleCount: 64)
            #expect(isClose(found.coupling?.learningRate, rate, relative: 1e-12))
        }
    }

    @Test func `along a cosine the rate is that of the next step`() async throws {
        let run = try await SmallRun {
            ($0.steps, $0.learningRate, $0.learningRateSchedule) = (8, 0.2, "cosine")
            ($0.checkpointEvery, $0.keepCheckpoints) = ("2", 10)
        }
        for step in [0, 2, 6] {
            let file = run.directory.checkpointFolder.appending(path: "step-00000000\(step).safetensors")
            let found = try TrainedNetwork(at: file).measurement(exampleCount: 64)
            let rate = 0.1 * (1 + cos(.pi * Double(step) / 8))
            #expect(found.stepCount == step && isClose(found.coupling?.learningRate, rate, relative: 1e-12))
        }
        let end = try TrainedNetwork(at: run.directory.url).measurement(exampleCount: 64)
        #expect(end.coupling == nil && end.uncoupled == .zeroLearningRate)
    }

    @Test func `losses and moments of classes are those of their examples by hand`() async throws {
        let run = try await SmallRun { $0.steps = 20 }
        let found = try TrainedNetwork(at: run.directory.url).measurement(exampleCount: 150, seed: 5)
        let data = try run.configuration.loadData()
        let network = HandNetwork(try Safetensors.read(run.directory.finalParametersFile))
        let drawn = try MeasurementSample(150, of: data.training, seed: 5).examples
        let labels = try #require(try data.trainingLabels(of: drawn))
        let examples = try drawn.map { try network.example(data.training, $0) }
        let names = (0..<10).map { "\($0)" }
        #expect(found.classes.map(\.name) == names)
        for (label, part) in found.classes.enumerated() {
            let own = labels.indices.filter { labels[$0] == label }.map { examples[$0] }
            #expect(part.exampleCount == own.count && own.count > 1)
            for (estimate, values) in [(part.loss, own.map(\.loss)), (part.secondMoment, own.map(\.squaredNorm))] {
                let count = Double(values.count)
                let mean = values.reduce(0, +) / count
                let deviations = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                let standardError = (deviations / (count * (count - 1))).squareRoot()
                #expect(isClose(estimate?.value, mean, relative: 1e-3))
                #expect(isClose(estimate?.standardError, standardError, relative: 1e-3))
            }
        }
        // Over all classes the moments are those of all examples.
        let sums: [Double] = found.classes.map { Double($0.exampleCount) * ($0.secondMoment?.value ?? .nan) }
        let whole = sums.reduce(0, +) / 150
        let norms = examples.map { $0.squaredNorm.squareRoot() }.sorted()
        #expect(isClose(whole, norms.reduce(0) { $0 + $1 * $1 } / 150, relative: 1e-3))
        let losses = examples.map(\.loss).sorted()
        for (distribution, sorted) in [(found.losses, losses), (found.gradientNorms, norms)] {
            // A quarter of 149 falls between two values.
            let (lower, upper) = (sorted[36]...sorted[38], sorted[111]...sorted[113])
            #expect(lower.contains(distribution.lowerQuartile) && upper.contains(distribution.upperQuartile))
            #expect(isClose(distribution.mean, sorted.reduce(0, +) / 150))
            #expect(isClose(distribution.minimum, sorted[0], relative: 1e-3))
        }
    }
}
