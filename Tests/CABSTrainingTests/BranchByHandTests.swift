import Foundation
import Testing

@testable import CABSTraining

/// Continuations of a run beside the same steps by hand.
@Suite(.timeLimit(.minutes(10))) struct BranchByHandTests {
    /// How a run goes on.
    struct Case: Sendable {
        let name: String
        var decay = 0.0
        var momentum = 0.0
        var bound = Double.infinity
        var scaling: RateScaling?
        var rate = 0.2
        let set: @Sendable (inout TrainingOptions) -> Void
    }

    static let cases = [
        Case(name: "plain") { _ in },
        Case(name: "decay", decay: 0.3) { $0.weightDecay = 0.3 },
        Case(name: "clipped", bound: 0.4) { $0.gradientBound = 0.4 },
        Case(name: "momentum", momentum: 0.7) { $0.optimizer = "momentum:0.7" },
        Case(name: "scaled", scaling: .squareRoot, rate: 0.2 * 2.0.squareRoot()) { _ in },
        Case(name: "scaled in proportion", scaling: .linear, rate: 0.4) { _ in },
        Case(name: "decay, clipped, momentum", decay: 0.1, momentum: 0.5, bound: 0.6) {
            ($0.weightDecay, $0.gradientBound, $0.optimizer) = (0.1, 0.6, "momentum:0.5")
        },
    ]

    private static let (batchSize, steps, evaluated) = (32, 5, 120)

    /// The parameters after the continuation.
    private static func continuation(_ point: BranchPoint, _ expected: Case) throws -> HandNetwork {
        var network = HandNetwork(point.tensors.parameters)
        var velocity = network.values.map { name, values in
            (name, point.tensors.optimizer["velocity.\(name)"]?.values.map(Double.init) ?? values.map { _ in 0 })
        }.reduce(into: [String: [Double]]()) { $0[$1.0] = $1.1 }
        let training = point.data.training
        var order = try ExampleOrder(
            Branching.order(1), exampleCount: training.count, drawnCount: point.progress.exampleCount)
        for _ in 0..<steps {
            var gradient = HandNetwork.mean(try order.next(batchSize).map { try network.example(training, $0) })
            let norm = HandNetwork.squaredNorm(gradient).squareRoot()
            let scale = min(1, expected.bound / norm)
            // Decay is none of what is clipped.
            gradient = gradient.merging(network.values) { zip($0, $1).map { scale * $0 + expected.decay * $1 } }
            velocity = velocity.merging(gradient) { zip($0, $1).map { expected.momentum * $0 + $1 } }
            network.move(along: velocity, by: -expected.rate)
        }
        return network
    }

    @Test(arguments: cases.indices)
    func `a continuation's loss, and what it is worth on the test examples, are those by hand`(index: Int) async throws
    {
        let expected = Self.cases[index]
        let run = try await SmallRun {
            ($0.steps, $0.batchSize, $0.learningRate) = (6, "constant:16", 0.2)
            expected.set(&$0)
        }
        let point = try BranchPoint(at: run.directory.url)
        var request = Branching.Request()
        (request.exampleCount, request.evaluatedCount) = (Self.steps * Self.batchSize, Self.evaluated)
        request.scaling = expected.scaling
        let branching = try Branching(
            point, named: "run", request, in: run.directory.url.appending(path: "branch"))
        let made = try await branching.make(batchSize: Self.batchSize, order: 1).result
        #expect(made.steps == Self.steps && isClose(made.learningRate, expected.rate, relative: 1e-12))
        let network = try Self.continuation(point, expected)
        let sample = try MeasurementSample(Self.evaluated, of: point.data.training, seed: 0).examples
        let (loss, test) = try (network.evaluate(point.data.training, sample).loss, network.evaluate(point.data.test))
        #expect(isClose(made.loss, loss) && isClose(made.testLoss, test.loss))
        #expect(isClose(made.testAccuracy, test.accuracy))
        #expect(!isClose(loss, test.loss, relative: 1e-3), "both losses alike tell nothing")
        // Without what the case is about it comes to something else.
        if index != 0 {
            let plain = try Self.continuation(point, Self.cases[0])
            #expect(try !isClose(plain.evaluate(point.data.test).loss, test.loss, relative: 1e-3), "\(expected.name)")
        }
        let stored = try #require(try branching.results().first)
        #expect(stored == made)
        let file = run.directory.url.appending(path: "branch/branches.csv")
        let rows = CSVText.lines(try String(contentsOf: file, encoding: .utf8))
        let row = Dictionary(uniqueKeysWithValues: zip(rows[0], rows[1]))
        #expect(row["batch_size"] == "32" && row["order"] == "1" && row["steps"] == "5")
        #expect(Double(row["learning_rate"]!) == made.learningRate && Double(row["loss"]!) == made.loss)
        #expect(Double(row["test_loss"]!) == made.testLoss && Double(row["test_accuracy"]!) == made.testAccuracy)
    }

    @Test func `the loss before, and its noise, are of the parameters where it branches off`() async throws {
        let run = try await SmallRun { ($0.steps, $0.batchSize, $0.learningRate) = (6, "constant:16", 0.2) }
        let point = try BranchPoint(at: run.directory.url)
        var request = Branching.Request()
        request.evaluatedCount = Self.evaluated
        let setting = try Branching(
            point, named: "run", request, in: run.directory.url.appending(path: "branch")
        ).setting
        let network = HandNetwork(point.tensors.parameters)
        let sample = try MeasurementSample(Self.evaluated, of: point.data.training, seed: 0).examples
        #expect(try isClose(setting.loss.value, network.evaluate(point.data.training, sample).loss))
        #expect(setting.lossWithoutDropout == nil && setting.stepCount == 6 && setting.batchSize == 16)
        #expect(setting.learningRate == 0.2 && setting.exampleCount == 1438 && setting.evaluatedCount == 120)
        #expect(setting.dataset == "digits" && setting.model == "layers" && setting.scaling == nil)
    }
}
