import CABSExamples
import Foundation
import Testing

@testable import CABSNetwork

/// Blocks as they are written, and what is said of those that cannot be.
@Suite(.timeLimit(.minutes(10))) struct ResidualTests {
    static let image = ExampleShape.image(height: 8, width: 8, channels: 4)

    static func error(_ layers: [any Layer]) -> String {
        let error = #expect(throws: ModelError.self) {
            try Model(input: image, layers: layers + [Flatten(), Dense(units: 2)])
        }
        return error?.description ?? ""
    }

    @Test func `a model file's blocks are read and written`() throws {
        let text = """
            {"layers": [{"residual": {"layers": [
                {"conv2d": {"filters": 8, "kernel-size": 3, "stride": 2, "bias": false}}, {"group-norm": {"groups": 2}}, "gelu",
                {"residual": {"layers": [{"leaky-relu": {"slope": 0.25}}]}}],
                "shortcut": [{"conv2d": {"filters": 8, "kernel-size": 1, "stride": 2}}]}},
                "silu", "global-average-pool2d", {"dense": {"units": 3}}]}
            """
        let read = try JSONDecoder().decode(ModelConfiguration.self, from: Data(text.utf8))
        let again = try JSONDecoder().decode(ModelConfiguration.self, from: JSONEncoder().encode(read))
        for configuration in [read, again] {
            let model = try configuration.model(input: Self.image, outputCount: 3, seed: 0)
            #expect(
                model.layers.map(\.name) == [
                    "conv1", "groupNorm1", "gelu1", "leakyReLU1", "add1", "conv2", "add2", "silu1",
                    "globalAveragePool1",
                    "dense1",
                ])
            #expect(model.layers.map(\.inputs) == [[0], [1], [2], [3], [4, 3], [0], [5, 6], [7], [8], [9]])
            #expect(
                model.parameters.map(\.name) == [
                    "conv1.weight", "groupNorm1.weight", "groupNorm1.bias", "conv2.weight", "conv2.bias",
                    "dense1.weight",
                    "dense1.bias",
                ])
        }
    }

    @Test func `blocks that do not fit are refused with both shapes`() {
        let changing = Self.error([Residual(layers: [Conv2D(filters: 8, kernelSize: 3, stride: 2)])])
        #expect(
            changing.contains("residual1") && changing.contains("4x4x8") && changing.contains("8x8x4"), "\(changing)")
        #expect(changing.contains("kernel of 1"))
        #expect(Self.error([Residual(layers: [])]).contains("holds no layers"))
        #expect(Self.error([Residual(layers: [Flatten(), Dense(units: 256)])]).contains("vector of 256"))
        let nested = Self.error([ReLU(), Residual(layers: [Residual(layers: [Conv2D(filters: 1, kernelSize: 1)])])])
        #expect(nested.contains("residual"), "\(nested)")
        #expect(Self.error([Conv2D(filters: 6, kernelSize: 1, groups: 4)]).contains("4 channels and its 6 filters"))
        #expect(Self.error([Conv2D(filters: 6, kernelSize: 1, groups: 0)]).contains("groups 0"))
        #expect(Self.error([GroupNorm(groups: 3)]).contains("divides its 4 channels"))
        #expect(Self.error([GroupNorm(groups: 0)]).contains("groups 0"))
        #expect(Self.error([GroupNorm(groups: 2, epsilon: 0)]).contains("epsilon"))
        #expect(Self.error([LeakyReLU(slope: 1)]).contains("slope"))
        #expect(Self.error([Flatten(), GroupNorm(groups: 1)]).contains("needs an image"))
        #expect(Self.error([Flatten(), GlobalAveragePool2D()]).contains("needs an image"))
    }

    @Test func `batch normalisation is refused, and what to take in its place named`() {
        let error = #expect(throws: ModelError.self) {
            try JSONDecoder().decode(
                ModelConfiguration.self, from: Data(#"{"layers": [{"batch-norm": {}}, {"dense": {"units": 3}}]}"#.utf8))
        }
        #expect(error?.description.contains("take group-norm in its place") == true)
    }

    @Test(arguments: [
        (ModelName.resnet20, 272_474), (.resnet56, 855_770), (.resnet9, 6_573_130), (.wideResnet16, 2_748_890),
    ])
    func `the residual networks have the sizes of their originals`(name: ModelName, parameterCount: Int) throws {
        let model = try name.model(input: .image(height: 32, width: 32, channels: 3), outputCount: 10)
        #expect(model.parameterCount == parameterCount)
    }
}
