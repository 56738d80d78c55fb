import Foundation

@testable import CABSNetwork

/// Gradients of one example in Double by the chain rule, layer by layer as the formulas say: a thousand times faster than the oracle's
/// central differences, with which `GradientTests` compares it.
struct Backpropagation {
    let oracle: Oracle
    private(set) var gradients: [String: [Double]] = [:]
    /// What the authors' code takes for the squares of each gradient's values: for a convolution the gradient that squared inputs
    /// and squared output gradients have, which leaves out the products of different positions; elsewhere the squares themselves.
    private(set) var referenceSquares: [String: [Double]] = [:]

    private let draw: UInt64

    init(_ oracle: Oracle, _ input: [Float], _ target: [Float], draw: UInt64 = 0) {
        self.oracle = oracle
        self.draw = draw
        let tensors = oracle.tensors(input, draw: draw)
        var tensorGradients = tensors.map { $0.map { _ in 0.0 } }
        tensorGradients[tensors.count - 1] = Self.lossGradient(
            oracle.loss, tensors.last!, target.map(Double.init))
        for (index, stage) in oracle.model.layers.enumerated().reversed() {
            let gradient = tensorGradients[index + 1]
            // A sum hands its gradient to both; every tensor collects those of all that read it.
            for tensor in stage.inputs {
                let part =
                    stage.layer is Addition
                    ? gradient : backward(stage, tensors[tensor], tensors[index + 1], gradient)
                tensorGradients[tensor] = zip(tensorGradients[tensor], part).map(+)
            }
        }
    }

    private static func lossGradient(_ loss: Loss, _ outputs: [Double], _ target: [Double]) -> [Double] {
        let count = Double(outputs.count)
        switch loss {
        case .softmaxCrossEntropy:
            let total = outputs.reduce(0) { $0 + exp($1) }
            let targetSum = target.reduce(0, +)
            return zip(outputs, target).map { targetSum * exp($0) / total - $1 }
        case .sigmoidCrossEntropy: return zip(outputs, target).map { (1 / (1 + exp(-$0)) - $1) / count }
        case .meanSquaredError: return zip(outputs, target).map { 2 * ($0 - $1) / count }
        case .huber: return zip(outputs, target).map { (abs($0 - $1) <= 1 ? $0 - $1 : ($0 > $1 ? 1 : -1)) / count }
        }
    }

    /// The squared norm of one parameter's gradient, as an estimator has it.
    func squaredNorm(of name: String, by estimator: GradientEstimator) -> Double {
        switch estimator {
        case .exact: gradients[name]!.reduce(0) { $0 + $1 * $1 }
        case .reference: referenceSquares[name]!.reduce(0, +)
        case .unmeasured: .nan
        }
    }

    private mutating func backward(
        _ stage: Model.PlacedLayer, _ input: [Double], _ output: [Double], _ gradient: [Double]
    ) -> [Double] {
        switch stage.layer {
        case let layer as Conv2D: convolution(layer, stage, input, gradient)
        case let layer as MaxPool2D: maximum(layer, stage, input, output, gradient)
        case let layer as AveragePool2D: average(layer, stage, input, gradient)
        case is GlobalAveragePool2D:
            input.indices.map { gradient[$0 / (input.count / gradient.count)] / Double(input.count / gradient.count) }
        case is GroupNorm, is LayerNorm: normalization(stage, input, gradient)
        case is Tanh: zip(gradient, output).map { $0 * (1 - $1 * $1) }
        case let layer as LeakyReLU: zip(gradient, input).map { $1 > 0 ? $0 : Double(layer.slope) * $0 }
        case is SiLU:
            zip(gradient, input).map { g, x in
                let s = 1 / (1 + exp(-x))
                return g * (s + x * s * (1 - s))
            }
        case is GELU:
            zip(gradient, input).map { g, x in
                g * (0.5 * erfc(-x / 2.0.squareRoot()) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
            }
        case is ReLU: zip(gradient, output).map { $1 > 0 ? $0 : 0 }
        case is Sigmoid: zip(gradient, output).map { $0 * $1 * (1 - $1) }
        case is Dropout: zip(gradient, oracle.output(of: stage, [input.map { _ in 1 }], draw: draw)).map { $0 * $1 }
        case is Flatten: gradient
        case is Dense: dense(stage, input, gradient)
        default: fatalError("no chain rule for \(stage.name)")
        }
    }

    private mutating func dense(_ stage: Model.PlacedLayer, _ input: [Double], _ gradient: [Double]) -> [Double] {
        let weight = oracle.parameters["\(stage.name).weight"]!
        gradients["\(stage.name).weight"] = gradient.flatMap { g in input.map { g * $0 } }
        gradients["\(stage.name).bias"] = gradient
        referenceSquares["\(stage.name).weight"] = gradient.flatMap { g in input.map { g * g * $0 * $0 } }
        referenceSquares["\(stage.name).bias"] = gradient.map { $0 * $0 }
        return input.indices.map { index in
            gradient.indices.reduce(0) { $0 + gradient[$1] * weight[$1 * input.count + index] }
        }
    }

    /// By the chain rule through mean and variance, one value at a time: ∂x̂ⱼ/∂xᵢ = (δᵢⱼ − 1/n − x̂ᵢ x̂ⱼ / n) / s.
    private mutating func normalization(
        _ stage: Model.PlacedLayer, _ input: [Double], _ gradient: [Double]
    ) -> [Double] {
        let (groups, epsilon) = Oracle.groupsAndEpsilon(of: stage.layer)
        let weight = oracle.parameters["\(stage.name).weight"]!
        let x = oracle.normalized(stage.layer, input)
        let (pixels, size) = (input.count / weight.count, input.count / groups)
        var (weightGradient, biasGradient) = (weight.map { _ in 0.0 }, weight.map { _ in 0.0 })
        for (index, g) in gradient.enumerated() {
            weightGradient[index / pixels] += g * x[index]
            biasGradient[index / pixels] += g
        }
        gradients["\(stage.name).weight"] = weightGradient
        gradients["\(stage.name).bias"] = biasGradient
        referenceSquares["\(stage.name).weight"] = weightGradient.map { $0 * $0 }
        referenceSquares["\(stage.name).bias"] = biasGradient.map { $0 * $0 }
        return input.indices.map { i in
            let group = i / size * size..<(i / size + 1) * size
            let mean = group.reduce(0) { $0 + input[$1] } / Double(size)
            let variance = group.reduce(0) { $0 + (input[$1] - mean) * (input[$1] - mean) } / Double(size)
            let deviation = (variance + epsilon).squareRoot()
            return group.reduce(0) { sum, j in
                let slope = ((i == j ? 1 : 0) - (1 + x[i] * x[j]) / Double(size)) / deviation
                return sum + gradient[j] * weight[j / pixels] * slope
            }
        }
    }

    private mutating func convolution(
        _ layer: Conv2D, _ stage: Model.PlacedLayer, _ input: [Double], _ gradient: [Double]
    ) -> [Double] {
        guard case .image(let height, let width, let channels) = stage.input,
            case .image(let outputHeight, let outputWidth, let filters) = stage.output
        else { fatalError() }
        let weight = oracle.parameters["\(stage.name).weight"]!
        let k = layer.kernelSize
        var weightGradient = [Double](repeating: 0, count: weight.count)
        var biasGradient = [Double](repeating: 0, count: filters)
        var (weightSquares, biasSquares) = (weightGradient, biasGradient)
        var inputGradient = [Double](repeating: 0, count: input.count)
        oracle.forEachWindow(stage, k, layer.stride, layer.padding) { row, column, inside in
            let (perGroup, own) = (channels / layer.groups, filters / layer.groups)
            for o in 0..<filters {
                let g = gradient[(o * outputHeight + row) * outputWidth + column]
                biasGradient[o] += g
                biasSquares[o] += g * g
                if g == 0 { continue }
                for c in 0..<perGroup {
                    let source = o / own * perGroup + c
                    for (r, s, y, x) in inside {
                        let (place, pixel) = (
                            ((o * perGroup + c) * k + r) * k + s, (source * height + y) * width + x
                        )
                        weightGradient[place] += g * input[pixel]
                        weightSquares[place] += g * g * input[pixel] * input[pixel]
                        inputGradient[pixel] += g * weight[place]
                    }
                }
            }
        }
        gradients["\(stage.name).weight"] = weightGradient
        referenceSquares["\(stage.name).weight"] = weightSquares
        guard layer.hasBias else { return inputGradient }
        gradients["\(stage.name).bias"] = biasGradient
        referenceSquares["\(stage.name).bias"] = biasSquares
        return inputGradient
    }

    /// A window's gradient goes to the first of its largest values.
    private func maximum(
        _ layer: MaxPool2D, _ stage: Model.PlacedLayer, _ input: [Double], _ output: [Double], _ gradient: [Double]
    ) -> [Double] {
        forEachPooledWindow(stage, layer.poolSize, layer.stride, layer.padding, input.count) { place, pixels, result in
            // Of a maximum that is not a number none is the one.
            result[pixels.first { input[$0] == output[place] } ?? pixels.first!] += gradient[place]
        }
    }

    private func average(
        _ layer: AveragePool2D, _ stage: Model.PlacedLayer, _ input: [Double], _ gradient: [Double]
    ) -> [Double] {
        forEachPooledWindow(stage, layer.poolSize, layer.stride, layer.padding, input.count) { place, pixels, result in
            for pixel in pixels { result[pixel] += gradient[place] / Double(pixels.count) }
        }
    }

    private func forEachPooledWindow(
        _ stage: Model.PlacedLayer, _ size: Int, _ stride: Int, _ padding: Padding, _ count: Int,
        _ body: (_ place: Int, _ pixels: [Int], _ result: inout [Double]) -> Void
    ) -> [Double] {
        guard case .image(let height, let width, let channels) = stage.input,
            case .image(let outputHeight, let outputWidth, _) = stage.output
        else { fatalError() }
        var result = [Double](repeating: 0, count: count)
        oracle.forEachWindow(stage, size, stride, padding) { row, column, inside in
            for c in 0..<channels {
                body(
                    (c * outputHeight + row) * outputWidth + column,
                    inside.map { (c * height + $0.row) * width + $0.column }, &result)
            }
        }
        return result
    }
}
