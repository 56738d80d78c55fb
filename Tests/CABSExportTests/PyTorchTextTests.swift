import CABSTraining
import Foundation
import Testing

@testable import CABSExport
@testable import CABSNetwork

/// The numbers that each layer and normalisation is written down with for PyTorch; scripts/check-export has PyTorch compute with them.
@Suite(.timeLimit(.minutes(10))) struct PyTorchTextTests {
    private static func lines(
        _ layers: [any Layer], normalization: Normalization = .unit(), cropSize: Int? = nil,
        loss: Loss = .softmaxCrossEntropy
    ) throws -> [String] {
        let input = InputDescription(
            shape: .image(height: 9, width: 10, channels: 3), normalization: normalization, cropSize: cropSize,
            targetCount: 3)
        let model = try Model(input: input.networkShape, layers: layers + [Flatten(), Dense(units: 3)])
        return try PyTorchModule(model, input, loss: loss).text.split(separator: "\n").map(String.init)
    }

    /// The numbers of the line that has a text.
    private static func numbers(_ text: String, in lines: [String]) throws -> [Double] {
        let line = try #require(lines.first { $0.contains(text) }, "\(lines)")
        // Those in names, as of conv1 and Conv2d, are none of a layer's.
        return line.matches(of: /(?:^|[^A-Za-z0-9_.])(-?[0-9]+(?:\.[0-9]+)?)/).compactMap { Double($0.output.1) }
    }

    @Test(
        arguments: [
            // Channels, filters, side, stride, what is padded, groups.
            (Conv2D(filters: 6, kernelSize: 3, groups: 3), "nn.Conv2d", [3, 6, 3, 1, 1, 1, 3]),
            (Conv2D(filters: 5, kernelSize: 2, stride: 3, padding: .valid), "nn.Conv2d", [3, 5, 2, 3, 0, 1]),
            // A window of 4 by twos covers 9 rows and 10 columns with 3 and 2 more: left, right, top, bottom.
            (Conv2D(filters: 2, kernelSize: 4, stride: 2), "F.pad", [1, 1, 1, 2]),
            (GroupNorm(groups: 3, epsilon: 0.25), "nn.GroupNorm", [3, 3, 0.25]),
            (LayerNorm(epsilon: 0.5), "nn.LayerNorm", [3, 9, 10, 0.5]), (Dropout(rate: 0.25), "nn.Dropout", [0.25]),
            (LeakyReLU(slope: 0.75), "F.leaky_relu", [0.75]),
            (MaxPool2D(poolSize: 3, stride: 2), "F.max_pool2d", [3, 2]),
            (AveragePool2D(poolSize: 2, stride: 1), "F.avg_pool2d", [2, 1, 0]), (ReLU(), "nn.Linear", [270, 3]),
        ] as [(any Layer, String, [Double])])
    func `a layer has its own numbers`(layer: any Layer, text: String, wanted: [Double]) throws {
        #expect(try Self.numbers(text, in: Self.lines([layer])) == wanted)
    }

    @Test func `inputs are cropped and normalised by the description's numbers, and scores are the loss's`() throws {
        #expect(try Self.numbers("return x / ", in: Self.lines([], normalization: .unit(maximum: 15))) == [15])
        let channels = try Self.lines(
            [], normalization: .channel(means: [1.5, 2.5, 3.5], deviations: [4.5, 5.5, 6.5]))
        #expect(try Self.numbers("means = ", in: channels).prefix(3) == [1.5, 2.5, 3.5])
        #expect(try Self.numbers("deviations = ", in: channels).prefix(3) == [4.5, 5.5, 6.5])
        // Of 9 rows and 10 columns the middle six; the least deviation is that of one over the root of 108 values.
        let crop = try Self.lines([], normalization: .image, cropSize: 6)
        #expect(try Self.numbers("x = x[", in: crop) == [1, 7, 2, 8])
        #expect(crop.contains { $0.contains("108 ** -0.5") })
        for (loss, function) in [(Loss.softmaxCrossEntropy, "F.softmax("), (.sigmoidCrossEntropy, "torch.sigmoid(")] {
            #expect(try Self.lines([], loss: loss).contains { $0.contains("return \(function)self(images)") })
        }
    }
}
