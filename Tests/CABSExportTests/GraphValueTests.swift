import CABSExamples
import CABSTraining
import Foundation
import Testing

@testable import CABSExport
@testable import CABSNetwork

/// What an exported graph computes, by `GraphInterpreter`, beside what the network itself does; scripts/check-export has onnxruntime and
/// PyTorch compute it.
@Suite(.timeLimit(.minutes(10))) struct GraphValueTests {
    /// Inputs that are ready for a network.
    private struct Inputs: ExampleBatch {
        let values: [[Float]]
        let target: TargetSpecification
        let firstDraw: UInt64 = 0
        var count: Int { values.count }

        func write(_ position: Int, into slot: inout ExampleSlot) throws {
            try slot.setInput(values[position])
            try slot.setClass(0)
        }
    }

    /// Numbers that differ everywhere, so that no two of a kind can be exchanged.
    private static func draws(_ count: Int, _ range: ClosedRange<Float>, seed: UInt64) -> [Float] {
        var random = RandomStream(seed: seed, purpose: .shuffling, index: 0)
        return (0..<count).map { _ in
            range.lowerBound + (range.upperBound - range.lowerBound) * Float(random.nextUniform())
        }
    }

    /// The graph's outputs and scores, and the network's own outputs, for a few inputs.
    private static func outputs(
        of layers: [any Layer], _ input: InputDescription, loss: Loss = .softmaxCrossEntropy, given: [[Float]],
        normalized: [[Float]]
    ) throws -> (graph: [Double], scores: [Double], network: [Double]) {
        var options = TrainingOptions()
        (options.dataset, options.loss) = (.digits, loss)
        options.model = .layers(layers.map { LayerConfiguration($0) })
        let model = try Model(input: input.networkShape, layers: layers)
        let parameters = ParameterSet(
            model.initialParameters().elements.enumerated().map { index, element in
                let tensor = element.tensor
                return (
                    element.name,
                    Tensor(shape: tensor.shape, values: draws(tensor.values.count, -0.9...1.1, seed: UInt64(index)))
                )
            })
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (file, graph) = (folder.appending(path: "a.safetensors"), folder.appending(path: "a.onnx"))
        try Safetensors.write(parameters, to: file)
        try ONNXFile(TrainedNetwork(at: file, with: options), model, input, parameters).write(to: graph)

        let written = try ONNXModel(serializedBytes: Data(contentsOf: graph))
        let declared = written.graph.input[0].type.tensorType.shape.dim.dropFirst().map { Int($0.dimValue) }
        #expect(declared.reduce(1, *) == given[0].count)
        let found = GraphInterpreter(written).outputs(
            for: .init(shape: [given.count] + declared, values: given.joined().map(Double.init)))
        let network = try Network(model, loss: loss, parameters: parameters)
        let own = try network.outputs(for: Inputs(values: normalized, target: .classes(model.outputCount))).outputs
        return (found["outputs"]!.values, found["scores"]!.values, own.map(Double.init))
    }

    private static func expectNear(_ found: [Double], _ wanted: [Double], _ what: String) {
        let size = wanted.map(abs).max() ?? 1
        #expect(
            found.count == wanted.count && zip(found, wanted).allSatisfy { abs($0 - $1) < 2e-5 * max(size, 1) },
            "\(what): \(found.prefix(4)), \(wanted.prefix(4))")
    }

    private static let images = (0..<2 as Range<UInt64>).map {
        draws(3 * 9 * 10, 0...255, seed: 40 + $0).map { $0.rounded() }
    }

    /// Floats of images as the network takes them without crop, by hand.
    private static func standardized(_ image: [Float], means: [Double], deviations: [Double]) -> [Float] {
        image.enumerated().map { index, value in
            let channel = index / (image.count / means.count)
            return Float((Double(value) - means[channel]) / deviations[channel])
        }
    }

    /// One layer after another, each with what it has to be told other than its defaults.
    static let layers: [(name: String, layers: [any Layer])] = [
        ("conv same", [Conv2D(filters: 4, kernelSize: 3, padding: .same)]),
        ("conv even", [Conv2D(filters: 2, kernelSize: 4, stride: 2, padding: .same)]),
        ("conv valid", [Conv2D(filters: 2, kernelSize: 2, stride: 3, padding: .valid, hasBias: false)]),
        ("conv groups", [Conv2D(filters: 6, kernelSize: 3, groups: 3)]),
        ("group norm", [Conv2D(filters: 4, kernelSize: 1), GroupNorm(groups: 2, epsilon: 0.5)]),
        ("layer norm", [LayerNorm(epsilon: 0.5)]),
        ("max pool", [MaxPool2D(poolSize: 3, stride: 2, padding: .same)]),
        ("max pool valid", [MaxPool2D(poolSize: 2)]),
        ("average pool", [AveragePool2D(poolSize: 3, stride: 2, padding: .same)]),
        ("global", [Conv2D(filters: 5, kernelSize: 1), GlobalAveragePool2D()]),
        (
            "residual",
            [Residual(layers: [Conv2D(filters: 4, kernelSize: 3)], shortcut: [Conv2D(filters: 4, kernelSize: 1)])]
        ),
        ("leaky", [LeakyReLU(slope: 0.3)]), ("relu", [ReLU()]), ("silu", [SiLU()]), ("gelu", [GELU()]),
        ("tanh", [Tanh()]),
        ("sigmoid", [Sigmoid()]), ("dropout", [Dropout(rate: 0.5)]),
    ]

    @Test(arguments: 0..<layers.count) func `each layer's operators compute what the layer does`(index: Int) throws {
        let (name, layers) = Self.layers[index]
        let (means, deviations) = ([100.0, 120, 140], [60.0, 70, 80])
        let input = InputDescription(
            shape: .image(height: 9, width: 10, channels: 3),
            normalization: .channel(means: means, deviations: deviations), targetCount: 3)
        let last: [any Layer] = layers.contains { $0 is GlobalAveragePool2D } ? [] : [Flatten()]
        let found = try Self.outputs(
            of: layers + last + [Dense(units: 3)], input, given: Self.images,
            normalized: Self.images.map { Self.standardized($0, means: means, deviations: deviations) })
        Self.expectNear(found.graph, found.network, name)
    }

    @Test func `each normalisation is in the graph, and each crop`() throws {
        let shape = ExampleShape.image(height: 9, width: 10, channels: 3)
        let cases: [(Normalization, Int?)] = [
            (.unit(), nil), (.unit(maximum: 15), nil),
            (.channel(means: [90, 110, 130], deviations: [50, 60, 70]), nil),
            (.image, nil), (.image, 6),
        ]
        for (normalization, cropSize) in cases {
            let input = InputDescription(
                shape: shape, normalization: normalization, cropSize: cropSize, targetCount: 3)
            let normalized = Self.images.map { image -> [Float] in
                switch normalization {
                case .unit(let maximum): return image.map { $0 / Float(maximum) }
                case .channel(let means, let deviations):
                    return Self.standardized(image, means: means, deviations: deviations)
                case .image:
                    // Of 9 rows and 10 columns the middle six begin at 1 and at 2.
                    let kept = image.enumerated().filter { index, _ in
                        let (row, column) = (index % 90 / 10, index % 10)
                        return cropSize == nil || (1..<7).contains(row) && (2..<8).contains(column)
                    }.map { Double($0.element) }
                    let mean = kept.reduce(0, +) / Double(kept.count)
                    let variance = kept.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(kept.count)
                    return kept.map { Float(($0 - mean) / variance.squareRoot()) }
                }
            }
            let found = try Self.outputs(
                of: [Flatten(), Dense(units: 3)], input, given: Self.images, normalized: normalized)
            Self.expectNear(found.graph, found.network, "\(normalization), \(cropSize ?? 0)")
        }
        // Where all pixels are nearly one value, the deviation counts as 1/√n.
        let flat = (0..<2).map { _ in (0..<270).map { Float($0 == 5 ? 78 : 77) } }
        let (mean, least) = (77 + 1 / 270.0, 1 / 270.0.squareRoot())
        let input = InputDescription(shape: shape, normalization: .image, targetCount: 3)
        let found = try Self.outputs(
            of: [Flatten(), Dense(units: 3)], input, given: flat,
            normalized: flat.map { $0.map { Float((Double($0) - mean) / least) } })
        Self.expectNear(found.graph, found.network, "flat")
    }

    @Test func `vectors are normalised, and each loss has its scores`() throws {
        let vectors = (0..<3 as Range<UInt64>).map { Self.draws(5, -3...3, seed: 60 + $0) }
        let input = InputDescription(
            shape: .vector(5), hasBytes: false, normalization: .channel(means: [0.5], deviations: [2]), targetCount: 3)
        for loss in Loss.allCases {
            let found = try Self.outputs(
                of: [Dense(units: 4), Tanh(), Dense(units: 3)], input, loss: loss, given: vectors,
                normalized: vectors.map { $0.map { ($0 - 0.5) / 2 } })
            Self.expectNear(found.graph, found.network, "\(loss)")
            let scores = (0..<3).flatMap { row -> [Double] in
                let outputs = found.network[(3 * row)..<(3 * row + 3)]
                return switch loss {
                case .softmaxCrossEntropy: outputs.map { exp($0) / outputs.map { exp($0) }.reduce(0, +) }
                case .sigmoidCrossEntropy: outputs.map { 1 / (1 + exp(-$0)) }
                case .meanSquaredError, .huber: Array(outputs)
                }
            }
            Self.expectNear(found.scores, scores, "scores of \(loss)")
        }
    }
}
