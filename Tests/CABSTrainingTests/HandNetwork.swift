import Foundation

@testable import CABSTraining

/// One hidden layer with ReLU under the softmax cross-entropy, in Double as its formulas say. It shares no code with the engine.
struct HandNetwork {
    /// The values of each parameter.
    private(set) var values: [String: [Double]]

    static let model = ModelConfiguration.layers([
        LayerConfiguration(Flatten()), LayerConfiguration(Dense(units: 6, weights: .he)), LayerConfiguration(ReLU()),
        LayerConfiguration(Dense(units: 10)),
    ])

    init(_ parameters: ParameterSet) {
        values = Dictionary(
            uniqueKeysWithValues: parameters.elements.map { ($0.name, $0.tensor.values.map(Double.init)) })
    }

    /// What one example gives.
    struct Example {
        let loss: Double
        let isCorrect: Bool
        var gradient: [String: [Double]] = [:]

        var squaredNorm: Double { HandNetwork.squaredNorm(gradient) }
    }

    static func squaredNorm(_ gradient: [String: [Double]]) -> Double {
        gradient.values.reduce(0) { $0 + $1.reduce(0) { $0 + $1 * $1 } }
    }

    private func product(_ layer: String, _ vector: [Double]) -> [Double] {
        let (weight, bias) = (values["\(layer).weight"]!, values["\(layer).bias"]!)
        return bias.indices.map { row in
            var sum = bias[row]
            for column in vector.indices { sum += weight[row * vector.count + column] * vector[column] }
            return sum
        }
    }

    /// The outputs for an input.
    func outputs(_ input: [Float]) -> [Double] {
        product("dense2", product("dense1", input.map(Double.init)).map { max($0, 0) })
    }

    /// A target as values: a class as a one among zeros, smoothed.
    static func values(_ target: Target, _ specification: TargetSpecification) -> [Double] {
        switch (target, specification) {
        case (.class(let label), .classes(let count, let smoothing)):
            (0..<count).map { ($0 == label ? 1 - smoothing : 0) + smoothing / Double(count) }
        case (.values(let values), _): values.map(Double.init)
        case (.class, .values): preconditionFailure("values were announced")
        }
    }

    /// An example's loss, and its gradient where that is asked for.
    func example(_ dataset: any Dataset, _ index: Int, withGradient: Bool = true) throws -> Example {
        let (input, target) = try dataset.example(at: index)
        let (x, t) = (input.map(Double.init), Self.values(target, dataset.target))
        let hidden = product("dense1", x).map { max($0, 0) }
        let output = product("dense2", hidden)
        let total = output.reduce(0) { $0 + exp($1) }
        let loss = zip(output, t).reduce(0) { $0 - $1.1 * ($1.0 - log(total)) }
        let isCorrect = output.firstIndex(of: output.max()!) == t.firstIndex(of: t.max()!)
        guard withGradient else { return Example(loss: loss, isCorrect: isCorrect) }
        let error = zip(output, t).map { exp($0) / total - $1 }
        let weight = values["dense2.weight"]!
        let back = hidden.indices.map { place in
            var sum = 0.0
            for row in error.indices { sum += error[row] * weight[row * hidden.count + place] }
            return hidden[place] > 0 ? sum : 0
        }
        return Example(
            loss: loss, isCorrect: isCorrect,
            gradient: [
                "dense1.weight": back.flatMap { value in x.map { value * $0 } }, "dense1.bias": back,
                "dense2.weight": error.flatMap { value in hidden.map { value * $0 } }, "dense2.bias": error,
            ])
    }

    /// Loss and accuracy on all examples.
    func evaluate(_ dataset: any Dataset, _ indices: [Int]? = nil) throws -> (loss: Double, accuracy: Double) {
        let found = try (indices ?? Array(0..<dataset.count)).map { try example(dataset, $0, withGradient: false) }
        let count = Double(found.count)
        return (found.reduce(0) { $0 + $1.loss } / count, Double(found.count(where: \.isCorrect)) / count)
    }

    /// The mean of the examples' gradients.
    static func mean(_ examples: [Example]) -> [String: [Double]] {
        var sum = examples[0].gradient
        for example in examples.dropFirst() {
            sum = sum.merging(example.gradient) { zip($0, $1).map { $0 + $1 } }
        }
        return sum.mapValues { $0.map { $0 / Double(examples.count) } }
    }

    /// Adds a multiple of a direction.
    mutating func move(along direction: [String: [Double]], by factor: Double) {
        values = values.merging(direction) { zip($0, $1).map { $0 + factor * $1 } }
    }
}

/// Whether two numbers agree up to what Float32 sums leave.
func isClose(_ a: Double?, _ b: Double?, relative: Double = 1e-4) -> Bool {
    guard let a, let b else { return false }
    return abs(a - b) <= 1e-6 + relative * max(abs(a), abs(b))
}
