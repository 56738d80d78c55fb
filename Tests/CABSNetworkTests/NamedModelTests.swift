import CABSExamples
import Foundation
import Testing

@testable import CABSNetwork

/// The networks by name, layer by layer as their sources have them, and what they begin with.
@Suite(.timeLimit(.minutes(10))) struct NamedModelTests {
    private static func model(_ name: ModelName, seed: UInt64 = 5) throws -> Model {
        let (shape, outputCount) = BuiltInModelTests.input(of: name)
        return try name.model(input: shape, outputCount: outputCount, seed: seed)
    }

    /// A layer in a few words.
    private static func words(_ layer: any Layer) -> String {
        switch layer {
        case let layer as Conv2D:
            "conv \(layer.kernelSize)x\(layer.filters)/\(layer.stride) \(layer.padding)\(layer.hasBias ? "" : " plain")"
                + (layer.groups == 1 ? "" : " groups \(layer.groups)")
        case let layer as MaxPool2D: "pool \(layer.poolSize)/\(layer.stride) \(layer.padding)"
        case let layer as Dense: "dense \(layer.units)"
        case let layer as GroupNorm: "norm \(layer.groups)"
        default: type(of: layer).kind
        }
    }

    private static let layers: [ModelName: [String]] = [
        .mlp: ["flatten", "dense 128", "relu", "dense 10"],
        .logisticRegression: ["flatten", "dense 10"],
        .mnistTwoConvTwoDense: [
            "conv 5x32/1 same", "relu", "pool 2/2 same", "conv 5x64/1 same", "relu", "pool 2/2 same", "flatten",
            "dense 1024", "relu", "dense 10",
        ],
        .cifar10TwoConvThreeDense: [
            "conv 5x64/1 same", "relu", "pool 3/2 same", "conv 5x64/1 same", "relu", "pool 3/2 same", "flatten",
            "dense 384", "relu", "dense 192", "relu", "dense 10",
        ],
        .cifar10EightConvTwoDense: [
            "conv 3x64/1 same", "relu", "pool 2/2 same", "conv 3x128/1 same", "relu", "pool 2/2 same",
            "conv 3x256/1 same", "relu", "conv 3x256/1 same", "relu", "pool 2/2 same",
            "conv 3x512/1 same", "relu", "conv 3x512/1 same", "relu", "pool 2/2 same",
            "conv 3x512/1 same", "relu", "conv 3x512/1 same", "relu", "pool 2/2 same",
            "flatten", "dense 512", "relu", "dense 10",
        ],
        .svhnThreeConvTwoDense: [
            "conv 5x32/1 same", "relu", "pool 3/2 same", "conv 5x64/1 same", "relu", "pool 3/2 same",
            "conv 5x64/1 same", "relu", "pool 3/2 same", "flatten", "dense 256", "relu", "dense 10",
        ],
        .cifar100FourConvTwoDense: [
            "conv 3x64/1 same", "relu", "conv 3x64/1 same", "relu", "pool 2/2 same", "conv 3x128/1 same", "relu",
            "conv 3x128/1 same", "relu", "pool 2/2 same", "flatten", "dense 512", "relu", "dense 100",
        ],
    ]

    @Test(arguments: Array(layers.keys).sorted { $0.rawValue < $1.rawValue })
    func `its layers are those of its source`(name: ModelName) throws {
        #expect(try Self.model(name).layers.map { Self.words($0.layer) } == Self.layers[name])
    }

    /// By stage: the channels of each convolution, in order, and the strides other than 1.
    @Test(arguments: [(ModelName.resnet20, 3), (.resnet56, 9)])
    func `a residual network has three stages, normalised by groups of eight channels`(name: ModelName, blocks: Int)
        throws
    {
        let layers = try Self.model(name).layers
        let all = layers.compactMap { $0.layer as? Conv2D }
        let convolutions = all.filter { $0.kernelSize == 3 }
        let filters = [16] + [16, 32, 64].flatMap { Array(repeating: $0, count: 2 * blocks) }
        #expect(convolutions.map(\.filters) == filters)
        #expect(convolutions.indices.filter { convolutions[$0].stride == 2 } == [1 + 2 * blocks, 1 + 4 * blocks])
        let shortcuts = all.filter { $0.kernelSize == 1 }
        #expect(shortcuts.map(\.filters) == [32, 64] && shortcuts.allSatisfy { $0.stride == 2 })
        try Self.expectNormalized(layers)
        // As many layers with weights as its name says, shortcuts left out.
        #expect(convolutions.count + 1 == 6 * blocks + 2)
        #expect(layers.suffix(2).map { Self.words($0.layer) } == ["global-average-pool2d", "dense 10"])
    }

    @Test func `the wide network has four times the channels, and sixteen layers`() throws {
        let layers = try Self.model(.wideResnet16).layers
        let all = layers.compactMap { $0.layer as? Conv2D }
        let filters = [16] + [64, 128, 256].flatMap { Array(repeating: $0, count: 4) }
        #expect(all.filter { $0.kernelSize == 3 }.map(\.filters) == filters)
        #expect(all.filter { $0.kernelSize == 1 }.map { "\($0.filters)/\($0.stride)" } == ["64/1", "128/2", "256/2"])
        #expect(all.filter { $0.kernelSize == 3 && $0.stride == 2 }.map(\.filters) == [128, 256])
        try Self.expectNormalized(layers)
    }

    @Test func `the small residual network is that of its design`() throws {
        let layers = try Self.model(.resnet9).layers
        #expect(
            layers.compactMap { $0.layer as? Conv2D }.map(\.filters) == [64, 128, 128, 128, 256, 512, 512, 512])
        #expect(
            layers.compactMap { $0.layer as? MaxPool2D }.map { Self.words($0) }
                == Array(repeating: "pool 2/2 same", count: 3))
        #expect(layers.count { $0.layer is Addition } == 2)
        try Self.expectNormalized(layers)
    }

    /// Groups of eight channels, and convolutions without biases.
    private static func expectNormalized(_ layers: [Model.PlacedLayer]) throws {
        let norms = layers.filter { $0.layer is GroupNorm }
        #expect(!norms.isEmpty)
        for placed in norms {
            let norm = try #require(placed.layer as? GroupNorm)
            #expect(norm.groups * 8 == placed.input.channelCount && norm.epsilon == 1e-5, "\(placed.name)")
        }
        for case let layer as Conv2D in layers.map(\.layer) { #expect(!layer.hasBias && layer.groups == 1) }
    }

    /// What a network begins with, by layer: the standard deviation of its weights, and the value of its biases.
    struct Beginning: Sendable {
        let name: ModelName
        let deviations: [String: Double]
        var biases: [String: Float] = [:]
    }

    /// A normal distribution cut at two standard deviations keeps 0.8796 of its own.
    private static func cut(_ deviation: Double) -> Double { 0.8796 * deviation }
    private static func he(_ fanIn: Double) -> Double { (2 / fanIn).squareRoot() }
    private static func glorot(_ fanIn: Double, _ fanOut: Double) -> Double { (2 / (fanIn + fanOut)).squareRoot() }

    static let beginnings = [
        Beginning(
            name: .mnistTwoConvTwoDense,
            deviations: ["conv1": cut(0.01), "conv2": cut(0.01), "dense1": cut(0.01), "dense2": cut(0.01)],
            biases: ["conv1": 0.05, "conv2": 0.05, "dense1": 0.05, "dense2": 0.05]),
        Beginning(
            name: .cifar10TwoConvThreeDense,
            deviations: [
                "conv1": cut(0.05), "conv2": cut(0.05), "dense1": cut(0.04), "dense2": cut(0.04),
                "dense3": cut(1.0 / 192),
            ], biases: ["conv2": 0.1, "dense1": 0.1, "dense2": 0.1]),
        Beginning(name: .mlp, deviations: ["dense1": he(784), "dense2": glorot(128, 10)]),
        Beginning(name: .logisticRegression, deviations: ["dense1": 0]),
        Beginning(
            name: .svhnThreeConvTwoDense,
            deviations: [
                "conv1": he(75), "conv2": he(800), "conv3": he(1600), "dense1": he(1024), "dense2": glorot(256, 10),
            ]),
    ]

    @Test(arguments: beginnings.indices) func `first values are spread as its source says`(index: Int) throws {
        let beginning = Self.beginnings[index]
        let parameters = try Self.model(beginning.name).initialParameters()
        #expect(parameters.names.count == 2 * beginning.deviations.count)
        for (layer, deviation) in beginning.deviations {
            let values = try #require(parameters["\(layer).weight"]).values.map(Double.init)
            let count = Double(values.count)
            let mean = values.reduce(0, +) / count
            let squares: Double = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let spread = (squares / count).squareRoot()
            // Five standard errors.
            let (spreadError, meanError) = (deviation / (2 * count).squareRoot(), deviation / count.squareRoot())
            #expect(abs(spread - deviation) <= 5 * spreadError, "\(layer): \(spread)")
            #expect(abs(mean) <= 5 * meanError, "\(layer): \(mean)")
            let bias = try #require(parameters["\(layer).bias"]).values
            #expect(Set(bias) == [beginning.biases[layer] ?? 0], "\(layer)")
        }
    }
}
