import CABSExamples
import Foundation
import Testing

@testable import CABSNetwork

/// Networks of random layers: what a batch gives is what its examples give by themselves.
///
/// 40 of them; as many as `CABS_RANDOM_GRAPHS` says where it is set.
@Suite(.timeLimit(.minutes(10))) struct RandomGraphTests {
    static let seeds = 0..<(ProcessInfo.processInfo.environment["CABS_RANDOM_GRAPHS"].flatMap(Int.init) ?? 40)

    /// Draws layers that fit what came before.
    struct Drawing {
        var random: RandomStream

        init(seed: Int) { random = RandomStream(seed: UInt64(seed), purpose: .shuffling, index: 99) }

        mutating func pick<Element>(_ elements: [Element]) -> Element {
            elements[random.nextInteger(below: elements.count)]
        }

        mutating func activation() -> any Layer {
            pick([ReLU(), Tanh(), Sigmoid(), LeakyReLU(slope: 0.2), SiLU(), GELU(), Dropout(rate: 0.3)])
        }

        /// A layer for images of so many channels; of those that keep the shape where that is asked for.
        mutating func imageLayer(_ channels: Int, keepsShape: Bool, depth: Int) -> any Layer {
            switch random.nextInteger(below: 9) {
            case 0, 1:
                let filters = keepsShape ? channels : pick([1, 3, 4, 8, 12, 16, 24])
                let divisors = (1...channels).filter { channels % $0 == 0 && filters % $0 == 0 }
                return Conv2D(
                    filters: filters, kernelSize: pick([1, 2, 3]), stride: keepsShape ? 1 : pick([1, 1, 2]),
                    groups: pick([1, 1, pick(divisors)]), hasBias: pick([true, false]))
            case 2: return GroupNorm(groups: pick((1...channels).filter { channels % $0 == 0 }))
            case 7: return LayerNorm()
            case 3 where !keepsShape: return MaxPool2D(poolSize: pick([2, 3]), stride: pick([1, 2]), padding: .same)
            case 4 where !keepsShape: return AveragePool2D(poolSize: 2, stride: pick([1, 2]), padding: .same)
            case 5,
                6 where depth < 2:
                return residual(channels, keepsShape: keepsShape, depth: depth + 1)
            default: return activation()
            }
        }

        private mutating func residual(_ channels: Int, keepsShape: Bool, depth: Int) -> any Layer {
            var layers = (0..<pick([1, 2, 3])).map { _ in imageLayer(channels, keepsShape: true, depth: depth) }
            guard !keepsShape, pick([true, false]) else { return Residual(layers: layers) }
            let (filters, stride) = (pick([2, 8, 16]), pick([1, 2]))
            layers.append(Conv2D(filters: filters, kernelSize: 3, stride: stride))
            var shortcut: [any Layer] = [Conv2D(filters: filters, kernelSize: 1, stride: stride)]
            if pick([true, false]) { shortcut.append(activation()) }
            return Residual(layers: layers, shortcut: shortcut)
        }

        private func shapeAfter(_ layers: [any Layer], _ input: ExampleShape) throws -> ExampleShape {
            try layers.reduce(input) { shape, layer in try layer.outputShape(for: shape) }
        }

        /// Layers that keep a vector's shape.
        mutating func vectorLayers(_ count: Int, depth: Int) -> [any Layer] {
            switch random.nextInteger(below: depth < 2 ? 4 : 3) {
            case 0: [Dense(units: count)]
            case 1: [activation()]
            case 2: [LayerNorm()]
            default:
                [
                    Residual(
                        layers: (0..<pick([1, 2, 3])).flatMap { _ in vectorLayers(count, depth: depth + 1) },
                        shortcut: pick([true, false]) ? [] : [Dense(units: count)])
                ]
            }
        }

        mutating func model() throws -> Model {
            let input = ExampleShape.image(
                height: pick([5, 8, 9]), width: pick([6, 8]), channels: pick([1, 2, 3, 8]))
            var (layers, shape): ([any Layer], ExampleShape) = ([], input)
            for _ in 0..<pick([1, 2, 4, 6, 8]) {
                let layer = imageLayer(shape.channelCount, keepsShape: false, depth: 0)
                shape = try layer.outputShape(for: shape)
                layers.append(layer)
            }
            layers.append(pick([Flatten(), GlobalAveragePool2D()]))
            if pick([true, false, false]) { layers += vectorLayers(try shapeAfter(layers, input).count, depth: 0) }
            for _ in 0..<pick([0, 1, 2]) {
                let units = pick([3, 17, 40])
                layers.append(Dense(units: units))
                for _ in 0..<pick([1, 2]) { layers += vectorLayers(units, depth: 0) }
            }
            layers.append(Dense(units: 4))
            return try Model(input: input, seed: random.next(), layers: layers)
        }
    }

    @Test(arguments: seeds)
    func `a batch is the sum of its examples`(seed: Int) throws {
        var drawing = Drawing(seed: seed)
        let model = try drawing.model()
        let batch = ArrayBatch.random(model, count: drawing.pick([2, 5, 70]))
        let network = try Network(model, workerCount: drawing.pick([1, 2, 3]), dividesAlways: true)
        let single = try Network(model, workerCount: 1)
        let (report, gradient) = try network.gradient(of: batch)
        let description = model.layers.map(\.name).joined(separator: " ")
        var sums: [String: [Double]] = [:]
        for position in 0..<batch.count {
            let example = ArrayBatch(
                inputs: [batch.inputs[position]], targets: [batch.targets[position]], firstDraw: UInt64(position))
            let (alone, part) = try single.gradient(of: example)
            #expect(agree(report.exampleLosses[position], alone.statistics.meanLoss, relative: 1e-4), "\(description)")
            #expect(
                agree(report.exampleSquaredNorms[position], alone.statistics.gradientSquaredNorm, relative: 1e-3),
                "example \(position): \(description)")
            for (name, tensor) in part.elements {
                sums[name] = zip(sums[name] ?? tensor.values.map { _ in 0 }, tensor.values)
                    .map { $0 + Double($1) / Double(batch.count) }
            }
        }
        // Where a normalisation undoes what a parameter does, its gradient is nothing but rounding errors of the others'.
        let largest = sums.values.joined().reduce(0) { max($0, abs($1)) }
        for (name, tensor) in gradient.elements {
            let scale = sums[name]!.reduce(0) { max($0, abs($1)) }
            let differing = zip(tensor.values, sums[name]!).contains {
                abs(Double($0) - $1) > 1e-4 * scale + 1e-6 * largest + 1e-7
            }
            #expect(!differing, "\(name): \(description)")
        }
        // A step along the gradient that is so small that the loss falls as its norm says.
        let before = report.statistics
        let rate = 1e-3 * before.meanLoss / before.gradientSquaredNorm
        guard rate.isFinite, before.gradientSquaredNorm > 1e-6 else { return }
        _ = try network.step(on: batch, UpdateStep(learningRate: rate))
        let fall = try before.meanLoss - network.gradient(of: batch).report.statistics.meanLoss
        #expect(abs(fall / before.meanLoss - 1e-3) < 4e-4, "\(fall / before.meanLoss): \(description)")
    }
}
