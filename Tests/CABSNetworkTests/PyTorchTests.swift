import Foundation
import Testing

@testable import CABSNetwork

/// A network of residual blocks against PyTorch; Resources/layers.py has the formulas.
@Suite(.timeLimit(.minutes(10))) struct PyTorchTests {
    struct Found: Decodable {
        struct Example: Decodable {
            let loss: Double
            let squared_norm: Double
        }
        let examples: [Example]
        let gradient: [[Double]]
        let gradient_squared_norms: [Double]
    }

    static func conv(_ filters: Int, _ size: Int, stride: Int = 1, groups: Int = 1) -> Conv2D {
        Conv2D(filters: filters, kernelSize: size, stride: stride, groups: groups, hasBias: false)
    }

    static func model() throws -> Model {
        try Model(input: .image(height: 9, width: 9, channels: 3)) {
            conv(8, 3)
            GroupNorm(groups: 2)
            SiLU()
            Residual {
                conv(8, 3)
                GroupNorm(groups: 4)
                GELU()
                conv(8, 3)
                GroupNorm(groups: 1)
            }
            LeakyReLU(slope: 0.1)
            Residual {
                conv(16, 3, stride: 2)
                GroupNorm(groups: 2)
                ReLU()
                Residual { conv(16, 3) }
            } shortcut: {
                conv(16, 1, stride: 2)
                GroupNorm(groups: 4)
            }
            ReLU()
            conv(16, 3, groups: 16)
            conv(16, 3, groups: 4)
            LayerNorm()
            GlobalAveragePool2D()
            Dense(units: 12)
            LayerNorm()
            Residual {
                Dense(units: 12)
                GELU()
            }
            Dense(units: 3)
        }
    }

    static func parameters(_ model: Model) -> ParameterSet {
        ParameterSet(
            model.parameters.enumerated().map { k, parameter in
                let shape = parameter.specification.shape
                let count = shape.reduce(1, *)
                let scale = 1 / Double(max(count / shape[0], 4)).squareRoot()
                let isScale = parameter.name.contains("Norm") && parameter.name.hasSuffix("weight")
                let values = (0..<count).map { index -> Float in
                    let wave: Double = sin(0.7 * Double(index) + Double(k))
                    return Float(wave * scale + (isScale ? 1 : 0))
                }
                return (parameter.name, Tensor(shape: shape, values: values))
            })
    }

    @Test(arguments: [1, 2, 3])
    func `losses, gradients and norms are PyTorch's`(workers: Int) throws {
        let file = try #require(Bundle.module.url(forResource: "Resources/layers", withExtension: "json"))
        let expected = try JSONDecoder().decode(Found.self, from: Data(contentsOf: file))
        let model = try Self.model()
        let network = try Network(
            model, workerCount: workers, parameters: Self.parameters(model), dividesAlways: true)
        let batch = ArrayBatch(
            inputs: (0..<10).map { i in
                (0..<243).map { j -> Float in
                    let angle: Double = 0.3 * Double(i) + 0.11 * Double(j) + 0.01 * Double(i * j)
                    return Float(sin(angle))
                }
            },
            targets: (0..<10).map { i in (0..<3).map { i % 3 == $0 ? 1 : 0 as Float } })
        let (report, gradient) = try network.gradient(of: batch)
        for (index, example) in expected.examples.enumerated() {
            #expect(agree(report.exampleLosses[index], example.loss, relative: 1e-5))
            #expect(agree(report.exampleSquaredNorms[index], example.squared_norm, relative: 1e-5))
        }
        for (index, (name, tensor)) in gradient.elements.enumerated() {
            let step = max(1, tensor.values.count / 30)
            for (place, value) in zip(stride(from: 0, to: tensor.values.count, by: step), expected.gradient[index]) {
                #expect(agree(Double(tensor.values[place]), value, absolute: 1e-6), "\(name)[\(place)]")
            }
            #expect(
                agree(
                    report.parameters[index].gradientSquaredNorm, expected.gradient_squared_norms[index], relative: 1e-5
                ),
                "\(name)")
        }
    }
}
