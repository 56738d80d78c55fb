import CABS
import CABSRanks
import Foundation
import Testing

@testable import CABSNetwork

/// Adam on several ranks beside Adam in Double on all examples.
@Suite(.timeLimit(.minutes(10))) struct AdamRankTests {
    /// So large that rounding of tiny gradients is not divided by their like.
    private static let (first, second, epsilon, rate, decay) = (0.8, 0.95, 0.01, 0.02, 0.1)

    /// Parameters, and both slots, after some steps by the formulas.
    private static func course(_ model: Model, steps: Int, decouples: Bool) -> [String: [Double]] {
        var oracle = Oracle(model, .softmaxCrossEntropy, model.initialParameters())
        var (m, v) = (oracle.parameters.mapValues { $0.map { _ in 0.0 } }, [String: [Double]]())
        v = m
        for step in 0..<steps {
            let batch = ArrayBatch.random(model, count: 9, seed: UInt64(step))
            let gradients = (0..<9).map { Backpropagation(oracle, batch.inputs[$0], batch.targets[$0]).gradients }
            let (a, b) = (1 - pow(first, Double(step + 1)), 1 - pow(second, Double(step + 1)))
            for name in oracle.parameters.keys {
                for index in oracle.parameters[name]!.indices {
                    let value = oracle.parameters[name]![index]
                    var g = gradients.reduce(0) { $0 + $1[name]![index] } / 9
                    if !decouples { g += decay * value }
                    m[name]![index] = first * m[name]![index] + (1 - first) * g
                    v[name]![index] = second * v[name]![index] + (1 - second) * g * g
                    let kept = decouples ? value * (1 - rate * decay) : value
                    oracle.parameters[name]![index] =
                        kept - rate * (m[name]![index] / a) / ((v[name]![index] / b).squareRoot() + epsilon)
                }
            }
        }
        var all = oracle.parameters
        for (name, values) in m { all["first-moment.\(name)"] = values }
        for (name, values) in v { all["second-moment.\(name)"] = values }
        return all
    }

    @Test(arguments: [1, 2, 3], [false, true])
    func `parameters and what is kept for them are those of one process`(ranks: Int, decouples: Bool) async throws {
        let model = try Model(input: .vector(7), seed: 3, layers: [Dense(units: 9), Tanh(), Dense(units: 4)])
        let update = UpdateMethod.adam(
            firstDecay: Self.first, secondDecay: Self.second, epsilon: Self.epsilon, decouplesWeightDecay: decouples)
        let expected = Self.course(model, steps: 6, decouples: decouples)
        for exchange in [GradientExchange.rows, .gradients] {
            let found = await ThreadRanks.run(ranks) { communicator in
                let network = try Network(
                    model, update: update, workerCount: 1, ranks: communicator, exchange: exchange, dividesAlways: true)
                for step in 0..<6 {
                    _ = try network.step(
                        on: ArrayBatch.random(model, count: 9, seed: UInt64(step)),
                        UpdateStep(learningRate: Self.rate, weightDecay: Self.decay, updateCount: step))
                }
                return (try network.parameters(), try network.optimizerState())
            }
            for result in found {
                let (parameters, state) = try result.get()
                let elements = parameters.elements + state.elements
                #expect(Set(elements.map(\.name)) == Set(expected.keys))
                for (name, tensor) in elements {
                    let values = try #require(expected[name])
                    #expect(
                        zip(tensor.values, values).allSatisfy {
                            agree(Double($0), $1, absolute: name.hasPrefix("second") ? 1e-8 : 1e-5, relative: 1e-3)
                        }, "\(name), \(exchange)")
                }
            }
        }
    }
}
