import CABS
import Testing

@testable import CABSNetwork

/// Gradients from the values of the output gradient that are not zero, against the engine's own dense computation: the one
/// that the reference estimator, which squares whole output gradients, always takes.
@Suite(.timeLimit(.minutes(10))) struct SparseGradientTests {
    struct Setting: Sendable, CustomTestStringConvertible {
        let kernelSize: Int
        var stride = 1
        var padding = Padding.same
        var poolSize = 2
        var height = 12
        var width = 11
        var channels = (first: 16, second: 32)
        /// Whether the layer is the first, whose input has the first number of channels.
        var isFirst = false
        var testDescription: String {
            "\(kernelSize)x\(kernelSize) by \(stride) \(padding) on \(height)x\(width), \(channels.first) to \(channels.second)"
        }

        /// The layer's name.
        var name: String { isFirst ? "conv1" : "conv2" }

        func model() throws -> Model {
            try Model(input: .image(height: height, width: width, channels: isFirst ? channels.first : 2), seed: 8) {
                if !isFirst {
                    Conv2D(filters: channels.first, kernelSize: 3)
                    ReLU()
                }
                Conv2D(filters: channels.second, kernelSize: kernelSize, stride: stride, padding: padding)
                ReLU()
                MaxPool2D(poolSize: poolSize, stride: 2, padding: .same)
                Flatten()
                Dense(units: 5)
            }
        }
    }

    static let settings = [
        Setting(kernelSize: 1), Setting(kernelSize: 2), Setting(kernelSize: 3, poolSize: 3), Setting(kernelSize: 4),
        Setting(kernelSize: 5), Setting(kernelSize: 5, padding: .valid, height: 13),
        Setting(kernelSize: 3, stride: 2, height: 17, width: 18),
        Setting(kernelSize: 2, stride: 3, padding: .valid, height: 24, width: 20),
        // Channels side by side: a row of the kernel fills one to four vectors.
        Setting(kernelSize: 1, channels: (1, 8), isFirst: true),
        Setting(kernelSize: 3, channels: (4, 10), isFirst: true),
        Setting(kernelSize: 5, channels: (1, 32), isFirst: true),
        Setting(kernelSize: 5, channels: (3, 24), isFirst: true),
        Setting(kernelSize: 5, padding: .valid, height: 13, channels: (2, 6), isFirst: true),
        Setting(kernelSize: 7, stride: 2, poolSize: 3, height: 31, width: 28, channels: (3, 17), isFirst: true),
        Setting(kernelSize: 7, height: 16, width: 15, channels: (4, 9), isFirst: true),
        // More weights than a core's cache: examples pass in groups.
        Setting(kernelSize: 3, height: 8, width: 8, channels: (128, 128)),
    ]

    @Test(arguments: settings, [1, 2])
    func `gradients are those of dense computation`(setting: Setting, workers: Int) throws {
        let model = try setting.model()
        try #require(ShapeTests.way(model, setting.name).hasPrefix("sparse"))
        let batch = ArrayBatch.random(model, count: 21)
        func network(_ estimator: GradientEstimator) throws -> Network {
            try Network(model, estimator: estimator, workerCount: workers, dividesAlways: true)
        }
        let (sparse, dense) = (try network(.exact), try network(.reference))
        let (report, gradient) = try sparse.gradient(of: batch)
        let (_, expected) = try dense.gradient(of: batch)
        for (name, tensor) in expected.elements {
            for (index, value) in tensor.values.enumerated() {
                #expect(
                    agree(Double(gradient[name]!.values[index]), Double(value), relative: 1e-5), "\(name)[\(index)]")
            }
        }
        for position in [0, 8, 20] {
            let single = ArrayBatch(inputs: [batch.inputs[position]], targets: [batch.targets[position]])
            let squaredNorm = try dense.gradient(of: single).report.statistics.gradientSquaredNorm
            #expect(agree(report.exampleSquaredNorms[position], squaredNorm, relative: 1e-5))
        }
    }

    @Test func `descent renews what the input gradient reads`() throws {
        let model = try Self.settings[4].model()
        let batch = ArrayBatch.random(model, count: 9)
        let networks = try [GradientEstimator.exact, .reference].map {
            try Network(model, estimator: $0, workerCount: 2, dividesAlways: true)
        }
        for _ in 0..<4 {
            for network in networks { _ = try network.step(on: batch, UpdateStep(learningRate: 0.1)) }
        }
        let (sparse, dense) = (try networks[0].parameters(), try networks[1].parameters())
        for (name, tensor) in dense.elements {
            for (index, value) in tensor.values.enumerated() {
                #expect(agree(Double(sparse[name]!.values[index]), Double(value), absolute: 1e-5))
            }
        }
    }
}
