import CABS
import CABSExamples
import CABSPrimitives
import Testing

@testable import CABSNetwork

/// That each way of a convolution's gradient is taken where it is meant to be, and gives what the formulas say. `make test` runs
/// this suite once for each instruction set.
@Suite(.timeLimit(.minutes(10))) struct WayTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let input: ExampleShape
        let layers: [any Layer]
        let layer: String
        /// The beginning of the way's name where oneDNN has compiled convolutions of all kinds (AVX2 and later), and where it has
        /// not.
        let way: String
        let wayWithoutAVX2: String
        var exampleCount = 11

        var testDescription: String { "\(way) on \(input)" }
        func model() throws -> Model {
            try Model(input: input, seed: 5, layers: layers + [Flatten(), Dense(units: 3)])
        }
        var expectedWay: String { [.sse41, .avx].contains(InstructionSet.effective) ? wayWithoutAVX2 : way }
    }

    static func conv(_ filters: Int, _ size: Int = 3, padding: Padding = .same) -> Conv2D {
        Conv2D(filters: filters, kernelSize: size, padding: padding)
    }

    static let cases = [
        Case(
            input: .image(height: 9, width: 8, channels: 3), layers: [conv(16), Tanh()], layer: "conv1",
            way: "formed", wayWithoutAVX2: "formed in loops over few channels"),
        Case(
            input: .image(height: 8, width: 8, channels: 2), layers: [conv(16), ReLU(), conv(24), Tanh()],
            layer: "conv2", way: "formed", wayWithoutAVX2: "formed by patches and matrix product"),
        Case(
            input: .image(height: 8, width: 8, channels: 1), layers: [conv(16), ReLU(), MaxPool2D(poolSize: 2)],
            layer: "conv1", way: "sparse, channels side by side", wayWithoutAVX2: "sparse, channels side by side"),
        Case(
            input: .image(height: 8, width: 9, channels: 2),
            layers: [conv(16), Tanh(), conv(32), ReLU(), MaxPool2D(poolSize: 2, padding: .same)],
            layer: "conv2", way: "sparse, blocks of", wayWithoutAVX2: "sparse, blocks of 8"),
        // More parameters than positions: of many examples at once. 25 positions are too many for the product alone.
        Case(
            input: .image(height: 5, width: 5, channels: 2), layers: [conv(48, 1), ReLU(), conv(64), Tanh()],
            layer: "conv2", way: "gathered", wayWithoutAVX2: "multiplied", exampleCount: 13),
        Case(
            input: .image(height: 4, width: 4, channels: 2), layers: [conv(48, 1), ReLU(), conv(64), Tanh()],
            layer: "conv2", way: "multiplied", wayWithoutAVX2: "multiplied", exampleCount: 13),
    ]

    @Test(arguments: cases)
    func `a gradient takes its way, and is that of the formulas`(of testCase: Case) throws {
        let model = try testCase.model()
        let way = try ShapeTests.way(model, testCase.layer)
        #expect(way.hasPrefix(testCase.expectedWay), "\(way)")
        try ShapeTests.expectFormulas(of: model, exampleCount: testCase.exampleCount)
    }

    /// Whatever the exact way, the approximation has but one, and its own formula.
    @Test(arguments: cases)
    func `the reference estimator is the authors' approximation`(of testCase: Case) throws {
        try ShapeTests.expectFormulas(of: testCase.model(), exampleCount: 3, estimator: .reference)
    }

    /// The largest number of examples that pass through oneDNN's primitives at once is below that of a chunk, and this is above both.
    @Test func `a gathered gradient adds up over the parts of a batch`() throws {
        let gathered = try #require(Self.cases.first { $0.way == "gathered" })
        let model = try gathered.model()
        let batch = ArrayBatch.random(model, count: 150)
        let network = try Network(model, workerCount: 1)
        let (report, gradient) = try network.gradient(of: batch)
        var sums: [String: [Double]] = [:]
        for position in 0..<batch.count {
            let single = ArrayBatch(inputs: [batch.inputs[position]], targets: [batch.targets[position]])
            let (alone, part) = try network.gradient(of: single)
            #expect(agree(report.exampleSquaredNorms[position], alone.statistics.gradientSquaredNorm, relative: 1e-5))
            for (name, tensor) in part.elements {
                sums[name] = zip(sums[name] ?? [Double](repeating: 0, count: tensor.values.count), tensor.values)
                    .map { $0 + Double($1) / Double(batch.count) }
            }
        }
        for (name, tensor) in gradient.elements {
            let differing = zip(tensor.values, sums[name]!).contains { !agree(Double($0), $1, absolute: 1e-6) }
            #expect(!differing, "\(name)")
        }
    }
}
