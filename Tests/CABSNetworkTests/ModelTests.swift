import CABSExamples
import CABSNetwork
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct ModelTests {
    static let image = ExampleShape.image(height: 28, width: 28, channels: 1)

    @Test func `the paper's networks have the shapes of its code`() throws {
        let mnist = try ModelName.mnistTwoConvTwoDense.model(input: Self.image, outputCount: 10)
        #expect(
            mnist.parameters.map { "\($0.name) \($0.specification.shape)" } == [
                "conv1.weight [32, 1, 5, 5]", "conv1.bias [32]", "conv2.weight [64, 32, 5, 5]", "conv2.bias [64]",
                "dense1.weight [1024, 3136]", "dense1.bias [1024]", "dense2.weight [10, 1024]", "dense2.bias [10]",
            ])
        let cifar = try ModelName.cifar10TwoConvThreeDense.model(
            input: .image(height: 24, width: 24, channels: 3), outputCount: 10)
        #expect(cifar.parameterCount == 4864 + 102_464 + 885_120 + 73_920 + 1930)
    }

    @Test func `layers that do not fit name themselves and both shapes`() {
        #expect(
            throws: ModelError.layer(
                "dense1", .shapeMismatch(needed: "a vector", given: Self.image, advice: "put Flatten before it"))
        ) {
            try Model(input: Self.image) { Dense(units: 10) }
        }
        #expect(
            throws: ModelError.layer(
                "conv2",
                .shapeMismatch(
                    needed: "an image", given: .vector(10), advice: "put it before Flatten and Dense layers"))
        ) {
            try Model(input: Self.image) {
                Conv2D(filters: 2, kernelSize: 3)
                Flatten()
                Dense(units: 10)
                Conv2D(filters: 2, kernelSize: 3)
            }
        }
        #expect(throws: ModelError.self) {
            try Model(input: .image(height: 2, width: 2, channels: 1)) {
                MaxPool2D(poolSize: 3)
                Flatten()
            }
        }
        #expect(throws: ModelError.outputIsNotAVector(layer: "conv1", .image(height: 28, width: 28, channels: 2))) {
            try Model(input: Self.image) { Conv2D(filters: 2, kernelSize: 3) }
        }
        #expect(throws: ModelError.noLayers) { try Model(input: Self.image, layers: []) }
        #expect(throws: ModelError.emptyInput(.vector(0))) { try Model(input: .vector(0), layers: [Dense(units: 1)]) }
    }

    @Test(arguments: [
        Conv2D(filters: 0, kernelSize: 3), Conv2D(filters: 1, kernelSize: 0),
        Conv2D(filters: 1, kernelSize: 1, stride: 0),
    ])
    func `sizes below one are refused`(layer: Conv2D) {
        #expect(throws: ModelError.self) { try Model(input: Self.image, layers: [layer, Flatten()]) }
    }

    @Test(
        arguments: [
            [Dense(units: .max)], [Dense(units: 100_000), Dense(units: 100_000)],
            [MaxPool2D(poolSize: .max, padding: .same)], [Conv2D(filters: 8, kernelSize: .max)],
            [Conv2D(filters: 100_000, kernelSize: 100_000)], [AveragePool2D(poolSize: 1, stride: .max)],
        ] as [[any Layer]])
    func `sizes beyond any memory are refused`(layers: [any Layer]) {
        let input: ExampleShape = layers[0] is Dense ? .vector(4) : Self.image
        #expect(throws: ModelError.self) { try Model(input: input, layers: layers + [Flatten()]) }
    }

    @Test func `the networks for SVHN and CIFAR-100 have the sizes that their documentation names`() throws {
        let svhn = try ModelName.svhnThreeConvTwoDense.model(
            input: .image(height: 32, width: 32, channels: 3), outputCount: 10)
        #expect(svhn.parameterCount == 2432 + 51_264 + 102_464 + 262_400 + 2570)
        let cifar = try ModelName.cifar100FourConvTwoDense.model(
            input: .image(height: 24, width: 24, channels: 3), outputCount: 100)
        #expect(cifar.parameterCount == 1792 + 36_928 + 73_856 + 147_584 + 2_359_808 + 51_300)
    }

    @Test func `the deep network takes whole images and crops`() throws {
        for size in [24, 32] {
            let model = try ModelName.cifar10EightConvTwoDense.model(
                input: .image(height: size, width: size, channels: 3), outputCount: 10)
            #expect(model.parameters[16].specification.shape == [512, 512])
        }
    }

    @Test(arguments: [Float(-0.1), 1, .nan])
    func `a dropout rate is a probability below one`(rate: Float) {
        #expect(throws: ModelError.self) {
            try Model(input: .vector(3), layers: [Dropout(rate: rate), Dense(units: 1)])
        }
    }

    @Test func `a group's weights see its own channels alone`() throws {
        let layer = Conv2D(filters: 8, kernelSize: 3, groups: 4)
        let image = ExampleShape.image(height: 5, width: 6, channels: 12)
        let weight = layer.parameters(for: image)[0]
        #expect(weight.shape == [8, 3, 3, 3] && weight.fanIn == 27 && weight.fanOut == 18)
        #expect(layer.operationCount(for: image) == 2 * 27 * 8 * 30)
    }

    @Test func `the first parameters follow from the seed`() throws {
        func parameters(_ seed: UInt64) throws -> ParameterSet {
            try ModelName.mlp.model(input: .vector(20), outputCount: 3, seed: seed).initialParameters()
        }
        #expect(try parameters(1) == parameters(1))
        #expect(try parameters(1) != parameters(2))
    }

    @Test func `initializers have their distributions`() throws {
        func values(_ initializer: Initializer) throws -> [Double] {
            let model = try Model(input: .vector(400), seed: 3, layers: [Dense(units: 100, weights: initializer)])
            return model.initialParameters()["dense1.weight"]!.values.map(Double.init)
        }
        func deviation(_ x: [Double]) -> Double { (x.reduce(0) { $0 + $1 * $1 } / Double(x.count)).squareRoot() }
        let truncated = try values(.truncatedNormal(standardDeviation: 0.05))
        #expect(truncated.allSatisfy { abs($0) <= 0.1 })
        // A normal distribution cut at two standard deviations keeps 0.8796 of its standard deviation.
        #expect(abs(deviation(truncated) / 0.05 - 0.8796) < 0.01)
        let he = try values(.he)
        #expect(abs(deviation(he) / (2.0 / 400).squareRoot() - 1) < 0.02)
        let glorot = try values(.glorot)
        let bound = (6.0 / 500).squareRoot()
        #expect(glorot.allSatisfy { abs($0) <= bound + 1e-6 })
        #expect(abs(deviation(glorot) / (bound / 3.0.squareRoot()) - 1) < 0.02)
        #expect(try values(.constant(0.25)).allSatisfy { $0 == 0.25 })
    }

    @Test func `parameters that are not the model's are refused by name`() throws {
        let model = try ModelName.logisticRegression.model(input: .vector(4), outputCount: 2)
        let network = try Network(model, workerCount: 1)
        func parameters(_ elements: [(String, [Int])]) -> ParameterSet {
            ParameterSet(
                elements.map {
                    ($0.0, Tensor(shape: $0.1, values: Array(repeating: 0, count: $0.1.reduce(1, *))))
                })
        }
        #expect(throws: ModelError.missingParameter("dense1.bias", found: ["dense1.weight"])) {
            try network.load(parameters([("dense1.weight", [2, 4])]))
        }
        #expect(throws: ModelError.parameterShape(name: "dense1.weight", expected: [2, 4], given: [4, 2])) {
            try network.load(parameters([("dense1.weight", [4, 2]), ("dense1.bias", [2])]))
        }
        #expect(throws: ModelError.unknownParameter("extra", known: ["dense1.weight", "dense1.bias"])) {
            try network.load(parameters([("dense1.weight", [2, 4]), ("dense1.bias", [2]), ("extra", [1])]))
        }
    }

    @Test func `random streams are uniform and apart`() {
        var draws: Set<UInt64> = []
        for seed in 0..<5 as Range<UInt64> {
            for index in 0..<20 as Range<UInt64> {
                for purpose in [RandomStream.Purpose.shuffling, .augmentation, .dropout, .initialization] {
                    var random = RandomStream(seed: seed, purpose: purpose, index: index)
                    draws.insert(random.next())
                }
            }
        }
        #expect(draws.count == 400)
        var random = RandomStream(seed: 1, purpose: .shuffling, index: 0)
        var counts = [Int](repeating: 0, count: 7)
        for _ in 0..<70_000 { counts[random.nextInteger(below: 7)] += 1 }
        // Six standard deviations of a count of 10,000.
        #expect(counts.allSatisfy { abs($0 - 10_000) < 6 * 93 })
        let normals = (0..<20_000).map { _ in random.nextNormal() }
        let (mean, square) = (normals.reduce(0, +) / 20_000, normals.reduce(0) { $0 + $1 * $1 } / 20_000)
        #expect(abs(mean) < 0.04)
        #expect(abs(square - 1) < 0.06)
    }
}
