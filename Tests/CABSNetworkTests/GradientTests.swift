import CABS
import CABSExamples
import Testing

@testable import CABSNetwork

/// Analytic gradients and exact statistics against the oracle, for every layer and loss.
@Suite(.timeLimit(.minutes(10))) struct GradientTests {
    struct Setting: Sendable, CustomTestStringConvertible {
        let name: String
        let input: ExampleShape
        let layers: [any Layer]
        var loss = Loss.softmaxCrossEntropy
        var exampleCount = 3
        var testDescription: String { name }
    }

    static let image = ExampleShape.image(height: 6, width: 5, channels: 2)
    static let noisy = Initializer.truncatedNormal(standardDeviation: 0.4)

    static func conv(
        _ filters: Int, _ size: Int, stride: Int = 1, _ padding: Padding = .same
    ) -> Conv2D {
        Conv2D(filters: filters, kernelSize: size, stride: stride, padding: padding, weights: noisy, biases: noisy)
    }

    static func grouped(_ filters: Int, _ size: Int, _ groups: Int, stride: Int = 1) -> Conv2D {
        Conv2D(filters: filters, kernelSize: size, stride: stride, groups: groups, weights: noisy, biases: noisy)
    }

    static func plain(_ filters: Int, _ size: Int) -> Conv2D {
        Conv2D(filters: filters, kernelSize: size, weights: noisy, hasBias: false)
    }

    static func dense(_ units: Int) -> Dense { Dense(units: units, weights: noisy, biases: noisy) }

    static let settings: [Setting] = [
        Setting(name: "dense", input: .vector(7), layers: [dense(3)]),
        Setting(name: "one output", input: .vector(5), layers: [dense(1)], loss: .sigmoidCrossEntropy),
        Setting(name: "wide dense", input: .vector(4), layers: [dense(70), Tanh(), dense(3)]),
        Setting(
            name: "sigmoid cross-entropy", input: .vector(6), layers: [dense(5), ReLU(), dense(4)],
            loss: .sigmoidCrossEntropy),
        Setting(
            name: "mean squared error after an activation", input: .vector(6),
            layers: [dense(5), Sigmoid(), dense(4), Tanh()], loss: .meanSquaredError),
        Setting(name: "Huber's loss", input: .vector(6), layers: [dense(5), Tanh(), dense(4)], loss: .huber),
        Setting(
            name: "activation upon activation", input: .vector(6),
            layers: [dense(8), ReLU(), Tanh(), Sigmoid(), dense(3)]),
        Setting(name: "dropout", input: .vector(9), layers: [dense(40), Tanh(), Dropout(rate: 0.4), dense(3)]),
        Setting(name: "dropout of inputs", input: .vector(9), layers: [Dropout(rate: 0.3), dense(4)]),
        Setting(name: "convolution same", input: image, layers: [conv(3, 3), ReLU(), Flatten(), dense(3)]),
        Setting(
            name: "convolution valid", input: image, layers: [conv(3, 2, .valid), Tanh(), Flatten(), dense(3)]),
        Setting(
            name: "convolution with strides", input: image,
            layers: [conv(4, 3, stride: 2), Sigmoid(), conv(5, 1, stride: 2), Flatten(), dense(3)]),
        Setting(
            name: "convolution valid with strides", input: image,
            layers: [conv(3, 3, stride: 2, .valid), ReLU(), Flatten(), dense(2)]),
        Setting(
            name: "one channel, five by five", input: .image(height: 7, width: 7, channels: 1),
            layers: [conv(2, 5), ReLU(), Flatten(), dense(2)]),
        Setting(
            name: "more channels than a block", input: .image(height: 3, width: 3, channels: 1),
            layers: [conv(18, 2), Sigmoid(), conv(17, 1), ReLU(), Flatten(), dense(2)], exampleCount: 2),
        Setting(
            name: "maximum behind an activation", input: image,
            layers: [conv(3, 3), Tanh(), MaxPool2D(poolSize: 2), conv(2, 2), Flatten(), dense(3)]),
        Setting(
            name: "maximum behind an activation that a shortcut reads too", input: image,
            layers: [
                conv(3, 3), Tanh(), Residual(layers: [MaxPool2D(poolSize: 2, stride: 1, padding: .same), conv(3, 2)]),
                Flatten(), dense(3),
            ]),
        Setting(
            name: "layer normalisation", input: .vector(7),
            layers: [LayerNorm(), dense(5), LayerNorm(epsilon: 0.1), Tanh(), dense(3), LayerNorm()]),
        Setting(
            name: "layer normalisation of images, and wide", input: image,
            layers: [
                LayerNorm(), conv(3, 2), LayerNorm(), ReLU(), conv(17, 2), GlobalAveragePool2D(), LayerNorm(), Tanh(),
                dense(70), Residual(layers: [LayerNorm(), dense(8), GELU(), dense(70)]), LayerNorm(), dense(3),
            ]),
        Setting(
            name: "groups of channels", input: .image(height: 6, width: 5, channels: 4),
            layers: [
                grouped(6, 3, 2), Tanh(), grouped(9, 2, 3, stride: 2), ReLU(), grouped(18, 3, 9), Flatten(), dense(2),
            ]),
        Setting(
            name: "depthwise, and wide groups before a maximum", input: .image(height: 7, width: 6, channels: 3),
            layers: [
                conv(16, 3), ReLU(), grouped(16, 3, 16), SiLU(), grouped(32, 3, 2), ReLU(),
                MaxPool2D(poolSize: 3, stride: 2, padding: .same), grouped(32, 3, 32, stride: 2), conv(5, 1), Flatten(),
                dense(2),
            ]),
        Setting(
            name: "depthwise first, and one image for each channel", input: .image(height: 6, width: 6, channels: 3),
            layers: [
                Residual(layers: [grouped(3, 3, 3), Tanh()]), grouped(12, 3, 3), GroupNorm(groups: 2), Flatten(),
                dense(2),
            ]),
        // Blocks that hold dense layers: the batch stage as a graph.
        Setting(
            name: "a block of dense layers", input: .vector(7),
            layers: [dense(6), Residual(layers: [Tanh(), dense(6)]), ReLU(), Residual(layers: [dense(6)]), dense(3)]),
        Setting(
            name: "blocks of dense layers, nested and wide", input: .vector(5),
            layers: [
                dense(70),
                Residual(layers: [
                    dense(20), GELU(), Residual(layers: [Tanh(), dense(20)]), Dropout(rate: 0.2), dense(70),
                ]),
                Sigmoid(), dense(3),
            ], exampleCount: 4),
        Setting(
            name: "blocks around the input and at the end", input: .vector(6),
            layers: [
                Residual(layers: [dense(6), Tanh()]),
                Residual(layers: [dense(4), ReLU(), dense(3)], shortcut: [dense(3)]),
            ]),
        Setting(
            name: "a block from images to a vector", input: image,
            layers: [
                conv(3, 2), Tanh(),
                Residual(layers: [Flatten(), dense(5)], shortcut: [conv(2, 3), ReLU(), Flatten(), dense(5), Tanh()]),
                dense(3),
            ]),
        Setting(
            name: "images added to a dense layer's output", input: .image(height: 1, width: 2, channels: 1),
            layers: [conv(18, 2), Flatten(), Residual(layers: [dense(36), SiLU()]), dense(2)]),
        Setting(
            name: "one image flattened twice", input: .image(height: 2, width: 3, channels: 2),
            layers: [
                Residual(layers: [Flatten(), Residual(layers: [Tanh(), dense(12)])], shortcut: [Flatten()]), dense(3),
            ]),
        Setting(
            name: "overlapping maximum", input: image,
            layers: [conv(3, 3), ReLU(), MaxPool2D(poolSize: 3, stride: 2, padding: .same), Flatten(), dense(3)]),
        Setting(
            name: "average", input: image,
            layers: [conv(3, 3), ReLU(), AveragePool2D(poolSize: 2, padding: .same), Flatten(), dense(3)]),
        Setting(
            name: "average of overlapping windows", input: image,
            layers: [conv(2, 2), AveragePool2D(poolSize: 3, stride: 1, padding: .same), Flatten(), Tanh(), dense(2)]),
        Setting(
            name: "pooling first", input: image,
            layers: [MaxPool2D(poolSize: 2), conv(3, 3), Flatten(), dense(3)]),
        // Many parameters on few positions: gradients are gathered and norms come from Gram matrices.
        Setting(
            name: "gathered", input: .image(height: 2, width: 3, channels: 5),
            layers: [conv(6, 3), Tanh(), conv(5, 3), Flatten(), dense(2)], exampleCount: 7),
        Setting(
            name: "gathered with strides", input: .image(height: 4, width: 5, channels: 5),
            layers: [conv(6, 3, stride: 2), ReLU(), MaxPool2D(poolSize: 2, padding: .same), Flatten(), dense(2)],
            exampleCount: 5),
        Setting(
            name: "gathered valid behind a single one", input: .image(height: 6, width: 5, channels: 1),
            layers: [
                conv(5, 2), ReLU(), MaxPool2D(poolSize: 2), conv(7, 2, .valid), Dropout(rate: 0.2), Flatten(), dense(2),
            ],
            exampleCount: 4),
        Setting(
            name: "convolution behind Flatten's padding", input: .image(height: 2, width: 2, channels: 1),
            layers: [conv(18, 2), Flatten(), Tanh(), Sigmoid(), dense(2)]),
        // Whole blocks of channels before a maximum: gradients from the values that are not zero.
        Setting(
            name: "sparse", input: .image(height: 7, width: 6, channels: 16),
            layers: [conv(16, 2), ReLU(), MaxPool2D(poolSize: 3, stride: 2, padding: .same), Flatten(), dense(2)],
            exampleCount: 2),
        Setting(
            name: "sparse valid behind a layer with parameters", input: .image(height: 8, width: 7, channels: 1),
            layers: [
                conv(16, 1), Tanh(), conv(16, 1, .valid), MaxPool2D(poolSize: 2), Flatten(), dense(2),
            ], exampleCount: 3),
        Setting(
            name: "activations that read their input", input: image,
            layers: [
                conv(4, 3), SiLU(), GELU(), conv(4, 2), GELU(), MaxPool2D(poolSize: 2, padding: .same),
                LeakyReLU(slope: 0.3),
                Flatten(), SiLU(), dense(5), GELU(), dense(4), SiLU(), Tanh(), dense(3), LeakyReLU(),
            ]),
        Setting(
            name: "activations of inputs, and in a residual", input: image,
            layers: [
                GELU(), Residual(layers: [SiLU(), conv(2, 3), LeakyReLU(slope: 0)]), SiLU(), Residual(layers: [GELU()]),
                Flatten(), dense(3),
            ]),
        Setting(
            name: "convolutions without biases", input: image,
            layers: [
                plain(3, 3), Tanh(), plain(16, 1), LeakyReLU(), MaxPool2D(poolSize: 2), plain(6, 2), Flatten(),
                dense(3),
            ]),
        Setting(
            name: "sparse without biases", input: .image(height: 10, width: 10, channels: 1),
            layers: [
                plain(16, 3), ReLU(), MaxPool2D(poolSize: 2), plain(24, 3), Tanh(), plain(8, 3), MaxPool2D(poolSize: 2),
                Flatten(),
                dense(2),
            ], exampleCount: 5),
        Setting(
            name: "gathered without biases", input: .image(height: 2, width: 3, channels: 5),
            layers: [plain(6, 3), Tanh(), plain(5, 3), Flatten(), dense(2)], exampleCount: 7),
        // Behind dropout channels lie one after the other.
        Setting(
            name: "overlapping maximum of plain images", input: image,
            layers: [
                conv(2, 2), Dropout(rate: 0.1), MaxPool2D(poolSize: 3, stride: 1, padding: .same), Flatten(), dense(2),
            ]),
        Setting(
            name: "group norm", input: image,
            layers: [conv(6, 3), GroupNorm(groups: 2), ReLU(), Flatten(), dense(3)]),
        Setting(
            name: "group norm in blocks with padding", input: image,
            layers: [
                conv(12, 3), GroupNorm(groups: 3), Tanh(), conv(9, 2), GroupNorm(groups: 1), ReLU(),
                GlobalAveragePool2D(), dense(3),
            ]),
        Setting(
            name: "group norm first, channels one by one, and before a maximum", input: image,
            layers: [
                GroupNorm(groups: 2), conv(4, 3), GroupNorm(groups: 4, epsilon: 0.1), ReLU(), MaxPool2D(poolSize: 2),
                Flatten(), dense(2),
            ]),
        Setting(
            name: "residual blocks with group norm and a projection", input: image,
            layers: [
                conv(8, 3), GroupNorm(groups: 1), ReLU(),
                Residual(layers: [
                    conv(8, 3), GroupNorm(groups: 2), ReLU(), conv(8, 3), GroupNorm(groups: 4),
                ]), ReLU(),
                Residual(
                    layers: [conv(16, 3, stride: 2), GroupNorm(groups: 2), ReLU(), conv(16, 3), GroupNorm(groups: 2)],
                    shortcut: [conv(16, 1, stride: 2), GroupNorm(groups: 2)]), ReLU(),
                GlobalAveragePool2D(), dense(3),
            ], exampleCount: 4),
        Setting(
            name: "global average at the end", input: image, layers: [conv(4, 3), Tanh(), GlobalAveragePool2D()]),
        Setting(
            name: "residual", input: image,
            layers: [
                conv(3, 3), Tanh(), Residual(layers: [conv(3, 3), ReLU(), conv(3, 2)]), ReLU(), Flatten(), dense(2),
            ]),
        Setting(
            name: "residual first and last", input: image,
            layers: [
                Residual(layers: [conv(2, 3), Tanh()]), Residual(layers: [Sigmoid(), conv(2, 1)]), Flatten(),
            ], loss: .meanSquaredError),
        Setting(
            name: "residual of activations alone, behind a convolution", input: image,
            layers: [
                conv(3, 2), Residual(layers: [ReLU()]), Residual(layers: [Tanh(), Sigmoid()]), Flatten(), dense(2),
            ]),
        Setting(
            name: "residual with a projection and a maximum", input: image,
            layers: [
                conv(4, 3), ReLU(),
                Residual(
                    layers: [conv(6, 3, stride: 2), Tanh(), conv(6, 3)], shortcut: [conv(6, 1, stride: 2)]),
                Residual(
                    layers: [conv(5, 3), ReLU(), MaxPool2D(poolSize: 2)],
                    shortcut: [
                        conv(5, 1, stride: 2), Tanh(),
                        MaxPool2D(poolSize: 2),
                    ]),
                Flatten(), dense(2),
            ]),
        Setting(
            name: "residual in a residual", input: image,
            layers: [
                conv(3, 3), Tanh(),
                Residual(layers: [
                    conv(3, 2), Residual(layers: [conv(3, 3), Tanh()]), Residual(layers: [ReLU(), conv(3, 1)]),
                ]),
                AveragePool2D(poolSize: 2, padding: .same), Flatten(), dense(2),
            ]),
        Setting(
            name: "residual whose layers are gathered", input: .image(height: 5, width: 5, channels: 3),
            layers: [
                conv(8, 2), ReLU(), Residual(layers: [conv(8, 3), Tanh(), conv(8, 3)]), Dropout(rate: 0.2), Flatten(),
                dense(2),
            ], exampleCount: 5),
        Setting(
            name: "residual across the first gathered layer", input: .image(height: 8, width: 8, channels: 2),
            layers: [
                conv(16, 1), Tanh(), MaxPool2D(poolSize: 2),
                Residual(layers: [conv(16, 1), ReLU(), conv(16, 3), ReLU()]), Flatten(), dense(2),
            ], exampleCount: 5),
        Setting(
            name: "convolutions alone", input: image,
            layers: [conv(4, 3), ReLU(), conv(3, 1), AveragePool2D(poolSize: 6, stride: 6, padding: .same), Flatten()],
            loss: .meanSquaredError),
    ]

    @Test(arguments: settings)
    func `gradients and statistics are those of the formulas`(setting: Setting) throws {
        let model = try Model(input: setting.input, seed: 3, layers: setting.layers)
        let batch = ArrayBatch.random(model, count: setting.exampleCount)
        let oracle = Oracle(model, setting.loss, model.initialParameters())
        let losses = (0..<batch.count).map { oracle.loss(batch.inputs[$0], batch.targets[$0], draw: UInt64($0)) }
        let gradients = (0..<batch.count).map {
            Backpropagation(oracle, batch.inputs[$0], batch.targets[$0], draw: UInt64($0)).gradients
        }
        for workers in 1...3 {
            let network = try Network(model, loss: setting.loss, workerCount: workers, dividesAlways: true)
            try Self.expect(network.gradient(of: batch), losses, gradients, "\(workers) workers")
        }
    }

    @Test(arguments: settings)
    func `the chain rule agrees with central differences`(setting: Setting) throws {
        let model = try Model(input: setting.input, seed: 3, layers: setting.layers)
        let batch = ArrayBatch.random(model, count: 2)
        let oracle = Oracle(model, setting.loss, model.initialParameters())
        let found = Backpropagation(oracle, batch.inputs[1], batch.targets[1], draw: 7).gradients
        for (name, values) in found {
            // Every one of a small tensor, some of a large one.
            for index in stride(from: 0, to: values.count, by: max(1, values.count / 60)) {
                let expected = oracle.difference(name, index, batch.inputs[1], batch.targets[1], draw: 7)
                #expect(agree(values[index], expected, absolute: 1e-7), "\(name)[\(index)]")
            }
        }
    }

    static func expect(
        _ found: (report: StepReport, gradient: ParameterSet), _ losses: [Double], _ gradients: [[String: [Double]]],
        _ workers: String
    ) {
        let (report, m) = (found.report, Double(losses.count))
        for (position, expected) in losses.enumerated() {
            #expect(agree(report.exampleLosses[position], expected), "loss of example \(position), \(workers)")
        }
        #expect(agree(report.statistics.meanLoss, losses.reduce(0, +) / m), "\(workers)")

        var squaredNorms = [Double](repeating: 0, count: losses.count)
        var gradientSquaredNorm = 0.0
        for (index, (name, tensor)) in found.gradient.elements.enumerated() {
            let parts = gradients.map { $0[name]! }
            for value in tensor.values.indices {
                let expected = parts.reduce(0) { $0 + $1[value] } / m
                #expect(
                    agree(Double(tensor.values[value]), expected, absolute: 2e-6), "\(name)[\(value)], \(workers)")
                gradientSquaredNorm += expected * expected
            }
            let partNorms = parts.map { $0.reduce(0) { $0 + $1 * $1 } }
            squaredNorms = zip(squaredNorms, partNorms).map(+)
            #expect(
                agree(report.parameters[index].secondMoment, partNorms.reduce(0, +) / m),
                "second moment of \(name), \(workers)")
        }
        for (position, expected) in squaredNorms.enumerated() {
            #expect(agree(report.exampleSquaredNorms[position], expected), "norm of example \(position), \(workers)")
        }
        #expect(agree(report.statistics.secondMoment, squaredNorms.reduce(0, +) / m), "\(workers)")
        #expect(agree(report.statistics.gradientSquaredNorm, gradientSquaredNorm), "\(workers)")
        #expect(report.statistics.exampleCount == losses.count)
        guard losses.count > 1 else {
            #expect(report.statistics.secondMomentStandardError == nil)
            return
        }
        let mean = squaredNorms.reduce(0, +) / m
        let deviations = squaredNorms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        #expect(
            agree(
                report.statistics.secondMomentStandardError ?? .nan, (deviations / (m * (m - 1))).squareRoot(),
                absolute: 1e-5 * mean), "\(workers)")
    }
}
