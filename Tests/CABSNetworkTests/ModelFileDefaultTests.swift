import CABSExamples
import Foundation
import Testing

@testable import CABSNetwork

/// What layers of model files are where options are left out.
@Suite(.timeLimit(.minutes(10))) struct ModelFileDefaultTests {
    private static func layer<Kind: Layer>(_ text: String, _ kind: Kind.Type = Kind.self) throws -> Kind {
        let found = try JSONDecoder().decode(LayerConfiguration.self, from: Data(text.utf8)).layer
        return try #require(found as? Kind)
    }

    @Test func `a convolution keeps the size, sees all channels, and has biases`() throws {
        let layer: Conv2D = try Self.layer(#"{"conv2d": {"filters": 6, "kernel-size": 3}}"#)
        #expect(layer.stride == 1 && layer.padding == .same && layer.groups == 1 && layer.hasBias)
        #expect(layer.weightInitializer == .he && layer.biasInitializer == .constant(0))
        let input = ExampleShape.image(height: 7, width: 9, channels: 4)
        #expect(try layer.outputShape(for: input) == .image(height: 7, width: 9, channels: 6))
        #expect(layer.parameters(for: input).map(\.shape) == [[6, 4, 3, 3], [6]])
    }

    @Test func `a convolution's options are read each for itself`() throws {
        let text = """
            {"conv2d": {"filters": 6, "kernel-size": 5, "stride": 2, "padding": "valid", "groups": 2, "bias": false,
            "weights": "glorot", "biases": 0.5}}
            """
        let layer: Conv2D = try Self.layer(text)
        #expect(layer.filters == 6 && layer.kernelSize == 5 && layer.stride == 2 && layer.padding == .valid)
        #expect(layer.groups == 2 && !layer.hasBias && layer.weightInitializer == .glorot)
        #expect(layer.biasInitializer == .constant(0.5))
        let input = ExampleShape.image(height: 9, width: 11, channels: 4)
        #expect(try layer.outputShape(for: input) == .image(height: 3, width: 4, channels: 6))
        #expect(layer.parameters(for: input).map(\.shape) == [[6, 2, 5, 5]])
    }

    @Test func `pooling goes by its own size, without padding`() throws {
        let input = ExampleShape.image(height: 8, width: 11, channels: 2)
        let largest: MaxPool2D = try Self.layer(#"{"max-pool2d": {"pool-size": 3}}"#)
        #expect(largest.stride == 3 && largest.padding == .valid)
        #expect(try largest.outputShape(for: input) == .image(height: 2, width: 3, channels: 2))
        let mean: AveragePool2D = try Self.layer(#"{"average-pool2d": {"pool-size": 2}}"#)
        #expect(mean.stride == 2 && mean.padding == .valid)
        let given: MaxPool2D = try Self.layer(#"{"max-pool2d": {"pool-size": 3, "stride": 2, "padding": "same"}}"#)
        #expect(given.poolSize == 3 && given.stride == 2 && given.padding == .same)
        #expect(try given.outputShape(for: input) == .image(height: 4, width: 6, channels: 2))
    }

    @Test func `a dense layer is drawn as Glorot has it, with biases of 0`() throws {
        let layer: Dense = try Self.layer(#"{"dense": {"units": 4}}"#)
        #expect(layer.weightInitializer == .glorot && layer.biasInitializer == .constant(0))
        let given: Dense = try Self.layer(
            #"{"dense": {"units": 4, "weights": {"truncated-normal": 0.03}, "biases": 1}}"#)
        #expect(given.weightInitializer == .truncatedNormal(standardDeviation: 0.03))
        #expect(given.biasInitializer == .constant(1))
    }

    @Test func `small numbers of normalisations and activations`() throws {
        #expect(try Self.layer(#"{"group-norm": {"groups": 2}}"#, GroupNorm.self).epsilon == 1e-5)
        #expect(try Self.layer(#"{"layer-norm": {}}"#, LayerNorm.self).epsilon == 1e-5)
        #expect(try Self.layer(#""leaky-relu""#, LeakyReLU.self).slope == 0.01)
        #expect(try Self.layer(#"{"leaky-relu": {"slope": 0.2}}"#, LeakyReLU.self).slope == 0.2)
        #expect(try Self.layer(#"{"group-norm": {"groups": 2, "epsilon": 0.1}}"#, GroupNorm.self).epsilon == 0.1)
        #expect(try Self.layer(#"{"dropout": {"rate": 0.25}}"#, Dropout.self).rate == 0.25)
    }

    /// A run keeps its model as such a text. Each number is unlike its default and unlike the others.
    @Test(
        arguments: [
            Conv2D(
                filters: 6, kernelSize: 5, stride: 2, padding: .valid, groups: 3, weights: .glorot,
                biases: .constant(0.5),
                hasBias: false),
            MaxPool2D(poolSize: 5, stride: 2, padding: .same), AveragePool2D(poolSize: 5, stride: 2, padding: .same),
            Dense(units: 4, weights: .truncatedNormal(standardDeviation: 0.03), biases: .constant(1)),
            Dropout(rate: 0.375), GroupNorm(groups: 3, epsilon: 0.5), LayerNorm(epsilon: 0.25), LeakyReLU(slope: 0.125),
        ] as [any Layer])
    func `what is written of a layer is read as it was`(layer: any Layer) throws {
        let text = try JSONEncoder().encode(LayerConfiguration(layer))
        let read = try JSONDecoder().decode(LayerConfiguration.self, from: text).layer
        #expect("\(read)" == "\(layer)")
    }

    @Test(arguments: [#""dropout""#, #""dense""#, #""group-norm""#, #"{"conv2d": {"filters": 3}}"#])
    func `what has no default must be given`(text: String) {
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode(LayerConfiguration.self, from: Data(text.utf8))
        }
    }

    /// A rate of dropout leaves as many values as it says, scaled so that their mean stays.
    @Test func `dropout drops the part that its rate says`() throws {
        let model = try Model(input: .vector(2000), seed: 3) {
            Dropout(rate: 0.25)
            Dense(units: 1, weights: .constant(1))
        }
        let network = try Network(model, loss: .meanSquaredError, workerCount: 1)
        let batch = ArrayBatch(inputs: [[Float](repeating: 1, count: 2000)], targets: [[0]])
        // The gradient by the weights is 2 z x, with x the values that are left, 4/3 each.
        let weight = try #require(network.gradient(of: batch).gradient["dense1.weight"]).values
        let left = weight.filter { $0 != 0 }
        // Five standard errors of 2,000 draws.
        let part = Double(left.count) / 2000
        #expect(part > 0.70 && part < 0.80)
        let output = Double(left.count) * 4 / 3
        let expected = 2 * output * 4 / 3
        #expect(left.allSatisfy { agree(Double($0), expected) })
    }
}
