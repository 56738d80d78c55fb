import CABSPrimitives
import Foundation
import Testing

@testable import CABSNetwork

/// The updates against PyTorch's own optimisers on the same network and examples; Resources/optimizers.py has the formulas.
@Suite(.timeLimit(.minutes(10))) struct OptimizerTests {
    struct Found: Decodable {
        let norm: Double
        let values: [Double]
    }

    struct Method: Sendable, CustomTestStringConvertible {
        let name: String
        let update: UpdateMethod
        let learningRate: Double
        let weightDecay: Double
        var testDescription: String { name }
    }

    static let methods = [
        Method(name: "sgd", update: .gradientDescent, learningRate: 0.05, weightDecay: 0.01),
        Method(name: "momentum", update: .momentum(0.9), learningRate: 0.01, weightDecay: 0.01),
        Method(name: "nesterov", update: .momentum(0.9, isNesterov: true), learningRate: 0.01, weightDecay: 0.01),
        Method(name: "adam", update: .adam(), learningRate: 0.0005, weightDecay: 0.01),
        Method(
            name: "adamw", update: .adam(decouplesWeightDecay: true), learningRate: 0.0005, weightDecay: 0.05),
    ]

    static func model() throws -> Model {
        try Model(input: .image(height: 9, width: 9, channels: 1)) {
            Conv2D(filters: 4, kernelSize: 3)
            Tanh()
            Flatten()
            Dense(units: 400)
            Tanh()
            Dense(units: 3)
        }
    }

    static func parameters(_ model: Model) -> ParameterSet {
        ParameterSet(
            model.parameters.enumerated().map { k, parameter in
                let shape = parameter.specification.shape
                let count = shape.reduce(1, *)
                let scale = 1 / Double(max(count / shape[0], 4)).squareRoot()
                let values = (0..<count).map { Float(sin(0.7 * Double($0) + Double(k)) * scale) }
                return (parameter.name, Tensor(shape: shape, values: values))
            })
    }

    static func batch(_ step: Int) -> ArrayBatch {
        let examples = (0..<8).map { (8 * step + $0) % 40 }
        return ArrayBatch(
            inputs: examples.map { i in
                (0..<81).map { j in Float(sin(0.3 * Double(i) + 0.11 * Double(j) + 0.01 * Double(i * j))) }
            },
            targets: examples.map { i in (0..<3).map { i % 3 == $0 ? 1 : 0 } })
    }

    static func network(_ method: Method, estimator: GradientEstimator = .exact, workers: Int = 1) throws -> Network {
        let model = try model()
        return try Network(
            model, estimator: estimator, update: method.update, workerCount: workers, parameters: parameters(model),
            dividesAlways: true)
    }

    static func train(_ network: Network, _ method: Method, _ steps: Range<Int>) throws {
        for step in steps {
            let report = try network.step(
                on: batch(step),
                UpdateStep(
                    learningRate: method.learningRate, weightDecay: method.weightDecay, updateCount: step))
            #expect(report.isSound)
        }
    }

    @Test(arguments: methods, [1, 2])
    func `200 steps are those of PyTorch`(method: Method, workers: Int) throws {
        let file = try #require(Bundle.module.url(forResource: "Resources/optimizers", withExtension: "json"))
        let all = try JSONDecoder().decode([String: [String: Found]].self, from: Data(contentsOf: file))
        let network = try Self.network(method, workers: workers)
        try Self.train(network, method, 0..<200)
        for (name, tensor) in try network.parameters().elements {
            let expected = try #require(all[method.name]?[name])
            let norm = tensor.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(norm - expected.norm) < 1e-5 * max(norm, 1), "\(name)")
            let step = max(1, tensor.values.count / 40)
            for (index, value) in zip(stride(from: 0, to: tensor.values.count, by: step), expected.values) {
                #expect(abs(Double(tensor.values[index]) - value) < 1e-5, "\(name)[\(index)]")
            }
        }
    }

    /// A batch of several chunks is summed before the update; the dense layer's product takes it in one.
    @Test(arguments: methods)
    func `an update is the same whether it is fused into a product or not`(method: Method) throws {
        let model = try Self.model()
        let twice = ArrayBatch.random(model, count: 6)
        let often = ArrayBatch(
            inputs: (0..<30).flatMap { _ in twice.inputs }, targets: (0..<30).flatMap { _ in twice.targets })
        let networks = try (0..<2).map { _ in try Self.network(method) }
        for step in 0..<3 {
            for (network, batch) in zip(networks, [twice, often]) {
                _ = try network.step(
                    on: batch, UpdateStep(learningRate: 0.01, weightDecay: 0.1, updateCount: step))
            }
        }
        let (fused, summed) = (try networks[0].parameters(), try networks[1].parameters())
        for (name, tensor) in summed.elements {
            let differing = zip(tensor.values, fused[name]!.values).contains { abs($0 - $1) > 2e-5 }
            #expect(!differing, "\(name)")
        }
    }

    /// A longer gradient is shortened to its bound: then the step is that of the rate times the part that is left. In products of the whole
    /// batch and in sums, with one worker and two.
    @Test(arguments: [6, 150], [1, 2])
    func `a bound shortens the gradient, and nothing that is reported`(count: Int, workers: Int) throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: count)
        for estimator in [GradientEstimator.exact, .unmeasured] {
            func network() throws -> Network {
                try Self.network(Self.methods[0], estimator: estimator, workers: workers)
            }
            let (plain, bounded, loose) = (try network(), try network(), try network())
            let measured = try plain.gradient(of: batch).report
            let norm = measured.statistics.gradientSquaredNorm.squareRoot()
            _ = try plain.step(on: batch, UpdateStep(learningRate: 0.1 * 0.25))
            let report = try bounded.step(on: batch, UpdateStep(learningRate: 0.1, gradientBound: 0.25 * norm))
            #expect(agree(report.statistics.gradientSquaredNorm, norm * norm, relative: 1e-5))
            _ = try loose.step(on: batch, UpdateStep(learningRate: 0.025, gradientBound: 2 * norm))
            for (name, tensor) in try plain.parameters().elements {
                for other in [bounded, loose] {
                    let values = try #require(other.parameters()[name]).values
                    let differing = zip(tensor.values, values).contains { abs($0 - $1) > 1e-6 }
                    #expect(!differing, "\(name)")
                }
            }
        }
    }

    @Test(arguments: methods)
    func `a network goes on from its optimiser's state to the bit`(method: Method) throws {
        let whole = try Self.network(method)
        try Self.train(whole, method, 0..<9)
        let first = try Self.network(method)
        try Self.train(first, method, 0..<5)
        let second = try Self.network(method)
        try second.load(first.parameters())
        try second.loadOptimizerState(first.optimizerState())
        try Self.train(second, method, 5..<9)
        #expect(try second.parameters() == whole.parameters())
        #expect(try second.optimizerState() == whole.optimizerState())
        #expect(try first.optimizerState().names.count == 6 * method.update.rule.slotNames.count)
        // Without the state another network comes out, unless there is none.
        try second.load(first.parameters())
        try second.loadOptimizerState(ParameterSet([]))
        try Self.train(second, method, 5..<9)
        #expect(try (second.parameters() == whole.parameters()) == (method.name == "sgd"))
    }

    @Test func `states of another update, and constants out of range, are refused`() throws {
        let model = try Self.model()
        let network = try Network(model, update: .adam(), workerCount: 1)
        let other = try Network(model, update: .momentum(0.5), workerCount: 1)
        #expect(throws: ModelError.self) { try network.loadOptimizerState(other.optimizerState()) }
        for update in [
            UpdateMethod.momentum(1), .momentum(-0.1), .adam(firstDecay: 1), .adam(secondDecay: .nan),
            .adam(epsilon: 0),
        ] {
            #expect(throws: EngineError.self) { try Network(model, update: update, workerCount: 1) }
        }
    }

    @Test func `a step that is not sound leaves the state as it was`() throws {
        let network = try Self.network(Self.methods[1])
        try Self.train(network, Self.methods[1], 0..<3)
        let before = try network.optimizerState()
        let report = try network.step(on: Self.batch(3), UpdateStep(learningRate: 0.1, lossBound: 1e-9))
        #expect(try !report.isSound && network.optimizerState() == before)
    }
}
