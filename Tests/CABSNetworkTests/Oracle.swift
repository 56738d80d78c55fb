import CABSExamples
import CABSRanks
import Foundation

@testable import CABSNetwork

/// The slow and obvious way: every layer as its formula says, in Double, one example at a time, and derivatives by
/// central differences. It shares no code with the engine but the model's description.
struct Oracle {
    let model: Model
    let loss: Loss
    var parameters: [String: [Double]]

    init(_ model: Model, _ loss: Loss, _ parameters: ParameterSet) {
        self.init(
            model, loss,
            parameters: Dictionary(
                uniqueKeysWithValues: parameters.elements.map { ($0.name, $0.tensor.values.map(Double.init)) }))
    }

    init(_ model: Model, _ loss: Loss, parameters: [String: [Double]]) {
        (self.model, self.loss, self.parameters) = (model, loss, parameters)
    }

    /// The loss of one example in training; `draw` sets what dropout drops.
    func loss(_ input: [Float], _ target: [Float], draw: UInt64 = 0) -> Double {
        lossValue(tensors(input, draw: draw).last!, target.map(Double.init))
    }

    /// The model's input, and what each layer gives.
    func tensors(_ input: [Float], draw: UInt64 = 0) -> [[Double]] {
        var tensors = [input.map(Double.init)]
        for stage in model.layers { tensors.append(output(of: stage, stage.inputs.map { tensors[$0] }, draw: draw)) }
        return tensors
    }

    /// What a layer makes of its inputs.
    func output(of stage: Model.PlacedLayer, _ inputs: [[Double]], draw: UInt64 = 0) -> [Double] {
        let values = inputs[0]
        switch stage.layer {
        case is Addition: return zip(inputs[0], inputs[1]).map(+)
        case let layer as Conv2D: return convolution(layer, stage, values)
        case let layer as MaxPool2D:
            return pooling(stage, values, layer.poolSize, layer.stride, layer.padding) { $0.max()! }
        case let layer as AveragePool2D:
            return pooling(stage, values, layer.poolSize, layer.stride, layer.padding) {
                $0.reduce(0, +) / Double($0.count)
            }
        case is GlobalAveragePool2D:
            let size = stage.input.count / stage.output.count
            return (0..<stage.output.count).map { c in values[c * size..<(c + 1) * size].reduce(0, +) / Double(size) }
        case is GroupNorm, is LayerNorm:
            let (weight, bias) = (parameters["\(stage.name).weight"]!, parameters["\(stage.name).bias"]!)
            let size = values.count / weight.count
            return normalized(stage.layer, values).enumerated().map { weight[$0 / size] * $1 + bias[$0 / size] }
        case is ReLU: return values.map { max($0, 0) }
        case let layer as LeakyReLU: return values.map { $0 > 0 ? $0 : Double(layer.slope) * $0 }
        case is SiLU: return values.map { $0 / (1 + exp(-$0)) }
        case is GELU: return values.map { $0 * 0.5 * erfc(-$0 / 2.0.squareRoot()) }
        case is Tanh: return values.map(tanh)
        case is Sigmoid: return values.map { 1 / (1 + exp(-$0)) }
        case is Flatten: return values
        case let layer as Dense:
            let weight = parameters["\(stage.name).weight"]!
            let bias = parameters["\(stage.name).bias"]!
            return (0..<layer.units).map { unit -> Double in
                let row = weight[unit * values.count..<(unit + 1) * values.count]
                return zip(row, values).reduce(bias[unit]) { $0 + $1.0 * $1.1 }
            }
        case let layer as Dropout:
            let position = model.layers.firstIndex { $0.name == stage.name }!
            var ownStream = RandomStream(seed: model.seed, purpose: .dropoutLayer, index: UInt64(position))
            var random = RandomStream(seed: ownStream.next(), purpose: .dropout, index: draw)
            return values.map { Float(random.nextUniform()) < layer.rate ? 0 : $0 / (1 - Double(layer.rate)) }
        default: fatalError("no oracle for \(stage.name)")
        }
    }

    /// The values of each group less their mean, divided by their deviation.
    func normalized(_ layer: any Layer, _ values: [Double]) -> [Double] {
        let (groups, epsilon) = Self.groupsAndEpsilon(of: layer)
        let size = values.count / groups
        return (0..<groups).flatMap { group in
            let part = values[group * size..<(group + 1) * size]
            let mean = part.reduce(0, +) / Double(size)
            let variance = part.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(size)
            return part.map { ($0 - mean) / (variance + epsilon).squareRoot() }
        }
    }

    /// How many groups a normalisation has, and what it adds to their variance.
    static func groupsAndEpsilon(of layer: any Layer) -> (groups: Int, epsilon: Double) {
        switch layer {
        case let layer as GroupNorm: (layer.groups, Double(layer.epsilon))
        case let layer as LayerNorm: (1, Double(layer.epsilon))
        default: fatalError("\(layer) is no normalisation")
        }
    }

    private func lossValue(_ z: [Double], _ t: [Double]) -> Double {
        switch loss {
        case .softmaxCrossEntropy:
            let total = log(z.reduce(0) { $0 + exp($1) })
            return zip(z, t).reduce(0) { $0 - $1.1 * ($1.0 - total) }
        case .sigmoidCrossEntropy:
            return zip(z, t).reduce(0) {
                let p = 1 / (1 + exp(-$1.0))
                return $0 - $1.1 * log(p) - (1 - $1.1) * log(1 - p)
            } / Double(z.count)
        case .meanSquaredError:
            return zip(z, t).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(z.count)
        case .huber:
            return zip(z, t).reduce(0) { sum, pair in
                let distance = abs(pair.0 - pair.1)
                return sum + (distance <= 1 ? distance * distance / 2 : distance - 0.5)
            } / Double(z.count)
        }
    }

    /// Calls `body` with every position of the window that lies inside the image.
    func forEachWindow(
        _ stage: Model.PlacedLayer, _ size: Int, _ stride: Int, _ padding: Padding,
        _ body: (_ row: Int, _ column: Int, _ inside: [(kernelRow: Int, kernelColumn: Int, row: Int, column: Int)]) ->
            Void
    ) {
        guard case .image(let height, let width, _) = stage.input,
            case .image(let outputHeight, let outputWidth, _) = stage.output
        else { fatalError() }
        func before(_ length: Int) -> Int {
            let output = (length + stride - 1) / stride
            return padding == .valid ? 0 : max((output - 1) * stride + size - length, 0) / 2
        }
        for row in 0..<outputHeight {
            for column in 0..<outputWidth {
                var inside: [(Int, Int, Int, Int)] = []
                for r in 0..<size {
                    for s in 0..<size {
                        let y = row * stride + r - before(height)
                        let x = column * stride + s - before(width)
                        if (0..<height).contains(y), (0..<width).contains(x) { inside.append((r, s, y, x)) }
                    }
                }
                body(row, column, inside)
            }
        }
    }

    private func convolution(_ layer: Conv2D, _ stage: Model.PlacedLayer, _ input: [Double]) -> [Double] {
        guard case .image(let height, let width, let channels) = stage.input,
            case .image(let outputHeight, let outputWidth, let filters) = stage.output
        else { fatalError() }
        let weight = parameters["\(stage.name).weight"]!
        let bias = parameters["\(stage.name).bias"] ?? [Double](repeating: 0, count: filters)
        let k = layer.kernelSize
        var output = [Double](repeating: 0, count: stage.output.count)
        forEachWindow(stage, k, layer.stride, layer.padding) { row, column, inside in
            // Finite differences call this more than anything else, without the optimiser: hence plain numbers here.
            let inKernel = inside.map { $0.kernelRow * k + $0.kernelColumn }
            let inImage = inside.map { $0.row * width + $0.column }
            for o in 0..<filters {
                var sum = bias[o]
                let perGroup = channels / layer.groups
                for c in 0..<perGroup {
                    let source = (o / (filters / layer.groups) * perGroup + c) * height * width
                    let kernel = (o * perGroup + c) * k * k
                    var place = 0
                    while place < inKernel.count {
                        sum += weight[kernel + inKernel[place]] * input[source + inImage[place]]
                        place += 1
                    }
                }
                output[(o * outputHeight + row) * outputWidth + column] = sum
            }
        }
        return output
    }

    private func pooling(
        _ stage: Model.PlacedLayer, _ input: [Double], _ size: Int, _ stride: Int, _ padding: Padding,
        _ combine: ([Double]) -> Double
    ) -> [Double] {
        guard case .image(let height, let width, let channels) = stage.input,
            case .image(let outputHeight, let outputWidth, _) = stage.output
        else { fatalError() }
        var output = [Double](repeating: 0, count: stage.output.count)
        forEachWindow(stage, size, stride, padding) { row, column, inside in
            for c in 0..<channels {
                output[(c * outputHeight + row) * outputWidth + column] = combine(
                    inside.map { input[(c * height + $0.row) * width + $0.column] })
            }
        }
        return output
    }

    /// The derivative of one example's loss by one value of a parameter, by central differences.
    func difference(_ name: String, _ index: Int, _ input: [Float], _ target: [Float], draw: UInt64) -> Double {
        let step = 1e-5
        func loss(_ shift: Double) -> Double {
            var copy = self
            copy.parameters[name]![index] += shift
            return copy.loss(input, target, draw: draw)
        }
        return (loss(step) - loss(-step)) / (2 * step)
    }
}

/// Examples held in arrays.
struct ArrayBatch: ExampleBatch {
    var inputs: [[Float]]
    let targets: [[Float]]
    var firstDraw: UInt64 = 0

    var count: Int { inputs.count }
    var target: TargetSpecification { .values(targets.first?.count ?? 0) }

    func write(_ position: Int, into slot: inout ExampleSlot) throws {
        try slot.setInput(inputs[position])
        try slot.setValues(targets[position])
    }

    /// Random examples: inputs from −1 to 1, classes as targets.
    static func random(_ model: Model, count: Int, seed: UInt64 = 7, firstDraw: UInt64 = 0) -> ArrayBatch {
        var random = RandomStream(seed: seed, purpose: .shuffling, index: 0)
        let inputs = (0..<count).map { _ in
            (0..<model.inputShape.count).map { _ in Float(2 * random.nextUniform() - 1) }
        }
        let targets = (0..<count).map { _ in
            var target = [Float](repeating: 0, count: model.outputCount)
            target[random.nextInteger(below: model.outputCount)] = 1
            return target
        }
        return ArrayBatch(inputs: inputs, targets: targets, firstDraw: firstDraw)
    }
}

/// Whether two numbers agree: an absolute and a relative part, as Float32 sums leave both.
func agree(_ a: Double, _ b: Double, absolute: Double = 1e-6, relative: Double = 1e-4) -> Bool {
    abs(a - b) <= absolute + relative * max(abs(a), abs(b))
}

extension Network {
    /// - Parameter dividesAlways: Whether even the smallest batch is divided between the workers.
    convenience init(
        _ model: Model, loss: Loss = .softmaxCrossEntropy, estimator: GradientEstimator = .exact,
        update: UpdateMethod = .gradientDescent, averagesParameters: Bool = false, workerCount: Int? = nil,
        parameters: ParameterSet? = nil, ranks: Communicator? = nil, exchange: GradientExchange = .automatic,
        dividesAlways: Bool
    ) throws {
        try self.init(
            EngineSetup(
                model, loss: loss, estimator: estimator, update: update, averagesParameters: averagesParameters,
                workerCount: workerCount, parameters: parameters, ranks: ranks, exchange: exchange),
            dividesAlways: dividesAlways)
    }
}
