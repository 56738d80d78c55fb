import CABS
import CABSExamples
import Testing

@testable import CABSNetwork

/// Convolutions of many shapes: that none is left to a reference implementation, and that gradients are right whatever way they
/// take. `make test` runs this suite once for each instruction set: which ways there are depends on it.
@Suite(.timeLimit(.minutes(10))) struct ShapeTests {
    /// What stands around the convolution.
    enum Place: CaseIterable {
        case first, firstBeforeMaximum, firstBeforeAverage, later, laterBeforeMaximum, laterBeforeAverage

        var isLater: Bool { [.later, .laterBeforeMaximum, .laterBeforeAverage].contains(self) }
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        let channels: Int
        let filters: Int
        let kernelSize: Int
        let stride: Int
        let padding: Padding
        let size: Int
        let place: Place

        var testDescription: String {
            "\(kernelSize)x\(kernelSize) by \(stride) \(padding) from \(channels) to \(filters) on \(size)x\(size), \(place)"
        }

        func model() throws -> Model {
            var layers: [any Layer] = []
            if place.isLater { layers += [Conv2D(filters: channels, kernelSize: 1), Tanh()] }
            layers.append(Conv2D(filters: filters, kernelSize: kernelSize, stride: stride, padding: padding))
            layers.append(Tanh())
            switch place {
            case .firstBeforeMaximum, .laterBeforeMaximum: layers.append(MaxPool2D(poolSize: 2, padding: .same))
            case .firstBeforeAverage, .laterBeforeAverage: layers.append(AveragePool2D(poolSize: 2, padding: .same))
            case .first, .later: break
            }
            layers += [Flatten(), Dense(units: 3)]
            return try Model(
                input: .image(height: size, width: size, channels: place.isLater ? 2 : channels), seed: 5,
                layers: layers)
        }
    }

    static let channelCounts = [1, 2, 3, 4, 6, 8, 10, 16, 20, 33, 64]
    static let sizes = [5, 6, 7, 8, 9, 11, 13, 14, 16, 18, 20, 24, 28, 33]

    /// 300 shapes in which each two values of different options meet.
    static let shapes: [Shape] = {
        let counts = [channelCounts.count, channelCounts.count, 7, 3, 2, sizes.count, Place.allCases.count]
        func shape(_ choice: [Int]) -> Shape? {
            let shape = Shape(
                channels: channelCounts[choice[0]], filters: channelCounts[choice[1]], kernelSize: choice[2] + 1,
                stride: choice[3] + 1, padding: Padding.allCases[choice[4]], size: sizes[choice[5]],
                place: Place.allCases[choice[6]])
            return shape.padding == .valid && shape.size < shape.kernelSize ? nil : shape
        }
        func pairs(_ choice: [Int]) -> [[Int]] {
            choice.indices.flatMap { a in (a + 1..<choice.count).map { b in [a, choice[a], b, choice[b]] } }
        }
        var random = RandomStream(seed: 0, purpose: .shuffling, index: 0)
        var covered: Set<[Int]> = []
        return (0..<300).map { _ in
            let candidates = (0..<30).map { _ in counts.map { random.nextInteger(below: $0) } }
                .filter { shape($0) != nil }
            let best = candidates.max { a, b in
                pairs(a).count { !covered.contains($0) } < pairs(b).count { !covered.contains($0) }
            }!
            covered.formUnion(pairs(best))
            return shape(best)!
        }
    }()

    @Test func `each two values of different options meet`() {
        func count<A: Hashable, B: Hashable>(_ a: (Shape) -> A, _ b: (Shape) -> B) -> Int {
            Set(Self.shapes.map { [AnyHashable(a($0)), AnyHashable(b($0))] }).count
        }
        #expect(count(\.channels, \.filters) == 121)
        #expect(count(\.channels, \.size) == 11 * Self.sizes.count)
        #expect(count(\.filters, \.size) == 11 * Self.sizes.count)
        #expect(count(\.channels, \.kernelSize) == 77)
        #expect(count(\.filters, \.kernelSize) == 77)
        #expect(count(\.kernelSize, \.size) == 7 * Self.sizes.count)
        #expect(count(\.kernelSize, \.place) == 42)
        #expect(count(\.channels, \.place) == 66)
        #expect(count(\.stride, \.padding) == 6)
    }

    @Test(arguments: [GradientEstimator.exact, .reference])
    func `no shape is left to a reference implementation`(estimator: GradientEstimator) throws {
        for shape in Self.shapes {
            for layer in try Network.plan(of: shape.model(), estimator: estimator) {
                for computation in layer.computations {
                    #expect(
                        !computation.implementations.contains { $0.split(separator: ":").contains("ref") },
                        "\(shape.testDescription): \(layer.name), \(computation)")
                }
            }
        }
    }

    /// Every fifth shape; large ones in smaller images, as the formulas are slow.
    static let checkedShapes = stride(from: 0, to: 300, by: 5).map { index in
        let shape = shapes[index]
        let work = shape.channels * shape.filters * shape.kernelSize * shape.kernelSize
        let size = work > 20_000 ? max(5, shape.kernelSize) : work > 2_000 ? min(shape.size, 9) : shape.size
        return Shape(
            channels: shape.channels, filters: shape.filters, kernelSize: shape.kernelSize, stride: shape.stride,
            padding: shape.padding, size: size, place: shape.place)
    }

    @Test(arguments: checkedShapes)
    func `gradients and norms are those of the formulas`(shape: Shape) throws {
        try Self.expectFormulas(of: shape.model(), exampleCount: 3)
    }

    /// Compares gradient, second moments and norms of a random batch with the chain rule in Float64.
    static func expectFormulas(of model: Model, exampleCount: Int, estimator: GradientEstimator = .exact) throws {
        let batch = ArrayBatch.random(model, count: exampleCount)
        let network = try Network(model, estimator: estimator, workerCount: 2, dividesAlways: true)
        let oracle = Oracle(model, .softmaxCrossEntropy, try network.parameters())
        let (report, gradient) = try network.gradient(of: batch)
        let expected = (0..<exampleCount).map { Backpropagation(oracle, batch.inputs[$0], batch.targets[$0]) }
        let count = Double(exampleCount)
        for (index, (name, tensor)) in gradient.elements.enumerated() {
            let parts = expected.map { $0.gradients[name]! }
            let differing = tensor.values.indices.first { value in
                !agree(Double(tensor.values[value]), parts.reduce(0) { $0 + $1[value] } / count, absolute: 2e-6)
            }
            #expect(differing == nil, "\(name)")
            let secondMoments = expected.map { $0.squaredNorm(of: name, by: estimator) }
            #expect(
                agree(report.parameters[index].secondMoment, secondMoments.reduce(0, +) / count),
                "second moment of \(name)")
        }
        guard estimator == .exact else { return }
        for (position, squaredNorm) in report.exampleSquaredNorms.enumerated() {
            let sum = expected[position].gradients.keys.reduce(0) {
                $0 + expected[position].squaredNorm(of: $1, by: .exact)
            }
            #expect(agree(squaredNorm, sum), "norm of example \(position)")
        }
    }

    /// The way of a layer's weight gradient.
    static func way(_ model: Model, _ layer: String) throws -> String {
        let planned = try Network.plan(of: model).first { $0.name == layer }!
        return planned.computations.first { $0.purpose == .weightGradient }!.way
    }

    /// The layers before a maximum of the networks by name that are large enough.
    static let sparseLayers: [(ModelName, ExampleShape, [String])] = [
        (.mnistTwoConvTwoDense, .image(height: 28, width: 28, channels: 1), ["conv1", "conv2"]),
        (.cifar10TwoConvThreeDense, .image(height: 24, width: 24, channels: 3), ["conv1", "conv2"]),
        (.cifar10EightConvTwoDense, .image(height: 32, width: 32, channels: 3), ["conv1", "conv2", "conv4"]),
        (.svhnThreeConvTwoDense, .image(height: 32, width: 32, channels: 3), ["conv1", "conv2", "conv3"]),
    ]

    @Test(arguments: sparseLayers)
    func `gradients before a maximum are sparse on every instruction set`(
        name: ModelName, input: ExampleShape, layers: [String]
    ) throws {
        let model = try name.model(input: input, outputCount: 10)
        for layer in layers { #expect(try Self.way(model, layer).hasPrefix("sparse"), "\(layer)") }
    }
}
