import CABSExamples
import CABSRanks
import Foundation
import Testing

@testable import CABSNetwork

/// Layers of one's own: the same layers as the engine's, written in plain Swift, in their place.
@Suite(.timeLimit(.minutes(10))) struct OwnLayerTests {
    /// A dense layer: W [out, in], b [out].
    struct OwnDense: ExampleLayer {
        let units: Int

        func outputShape(for input: ExampleShape) -> ExampleShape { .vector(units) }

        func parameters(for input: ExampleShape) -> [ParameterSpecification] {
            [
                ParameterSpecification(
                    name: "weight", shape: [units, input.count], initializer: .glorot, fanIn: input.count, fanOut: units
                ),
                ParameterSpecification(name: "bias", shape: [units], initializer: .constant(0.1)),
            ]
        }

        func forward(
            _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>,
            _ context: LayerContext
        ) {
            for unit in 0..<units {
                var sum = parameters[units * input.count + unit]
                for index in input.indices { sum += parameters[unit * input.count + index] * input[index] }
                output[unit] = sum
            }
        }

        func backward(
            _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
            to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>,
            _ context: LayerContext
        ) {
            for index in inputGradient.indices { inputGradient[index] = 0 }
            for unit in 0..<units {
                parameterGradient[units * input.count + unit] = outputGradient[unit]
                for index in input.indices {
                    parameterGradient[unit * input.count + index] = outputGradient[unit] * input[index]
                    inputGradient[index] += outputGradient[unit] * parameters[unit * input.count + index]
                }
            }
        }
    }

    /// A convolution of 3x3 with its padding, without biases: W [out, in, 3, 3].
    struct OwnConv: ExampleLayer {
        let filters: Int

        func outputShape(for input: ExampleShape) -> ExampleShape { input.withChannelCount(filters) }

        func parameters(for input: ExampleShape) -> [ParameterSpecification] {
            let channels = input.channelCount
            return [
                ParameterSpecification(
                    name: "weight", shape: [filters, channels, 3, 3], initializer: .he, fanIn: channels * 9,
                    fanOut: filters * 9)
            ]
        }

        /// Calls `body` with each product's places: of an output, a weight and an input.
        private func forEach(_ shape: ExampleShape, _ body: (_ output: Int, _ weight: Int, _ input: Int) -> Void) {
            guard case .image(let height, let width, let channels) = shape else { return }
            for filter in 0..<filters {
                for channel in 0..<channels {
                    for place in 0..<(height * width * 9) {
                        let (kernel, row, column) = (place % 9, place / 9 / width, place / 9 % width)
                        let (y, x) = (row + kernel / 3 - 1, column + kernel % 3 - 1)
                        guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
                        body(
                            (filter * height + row) * width + column, (filter * channels + channel) * 9 + kernel,
                            (channel * height + y) * width + x)
                    }
                }
            }
        }

        func forward(
            _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>,
            _ context: LayerContext
        ) {
            var sums = [Float](repeating: 0, count: output.count)
            let (x, w) = (input.map(\.self), parameters.map(\.self))
            forEach(context.input) { sums[$0] += w[$1] * x[$2] }
            for index in output.indices { output[index] = sums[index] }
        }

        func backward(
            _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
            to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>,
            _ context: LayerContext
        ) {
            let (x, w, g) = (input.map(\.self), parameters.map(\.self), outputGradient.map(\.self))
            var (ofInput, ofWeights) = ([Float](repeating: 0, count: x.count), [Float](repeating: 0, count: w.count))
            forEach(context.input) {
                ofInput[$2] += w[$1] * g[$0]
                ofWeights[$1] += x[$2] * g[$0]
            }
            for index in x.indices { inputGradient[index] = ofInput[index] }
            for index in w.indices { parameterGradient[index] = ofWeights[index] }
        }
    }

    /// The same network twice: with the engine's layers, and with two of one's own in each stage.
    private static let layers: [(theirs: [any Layer], own: [any Layer])] = {
        let end: [any Layer] = [Flatten(), Dense(units: 7), Tanh()]
        return [
            (
                [
                    Conv2D(filters: 4, kernelSize: 3, hasBias: false), ReLU(),
                    Conv2D(filters: 6, kernelSize: 3, hasBias: false),
                ]
                    + end + [Dense(units: 3, biases: .constant(0.1))],
                [OwnConv(filters: 4), ReLU(), OwnConv(filters: 6)] + end + [OwnDense(units: 3)]
            ),
            // Behind an operation with a layout of its own, and where a tensor has several readers.
            (
                [
                    Conv2D(filters: 16, kernelSize: 3), MaxPool2D(poolSize: 2),
                    Residual { Conv2D(filters: 16, kernelSize: 3, hasBias: false) },
                ] + end + [Residual { Dense(units: 7, biases: .constant(0.1)) }, Dense(units: 3)],
                [Conv2D(filters: 16, kernelSize: 3), MaxPool2D(poolSize: 2), Residual { OwnConv(filters: 16) }] + end
                    + [Residual { OwnDense(units: 7) }, Dense(units: 3)]
            ),
            // Before any parameters, and the first of all.
            (
                [Flatten(), Dense(units: 5, biases: .constant(0.1)), Dense(units: 3)],
                [Flatten(), OwnDense(units: 5), Dense(units: 3)]
            ),
        ]
    }()

    private static func models(_ index: Int) throws -> (Model, Model, (ParameterSet) -> ParameterSet) {
        let input = ExampleShape.image(height: 5, width: 6, channels: 2)
        let theirs = try Model(input: input, seed: 4, layers: layers[index].theirs)
        let own = try Model(input: input, seed: 4, layers: layers[index].own)
        let names = zip(theirs.parameters, own.parameters).map { ($0.name, $1.name) }
        return (theirs, own, { set in ParameterSet(names.map { ($1, set[$0]!) }) })
    }

    private static func agree(_ a: StepReport, _ b: StepReport, _ what: String) {
        #expect(isClose(a.statistics.meanLoss, b.statistics.meanLoss), "\(what)")
        #expect(isClose(a.statistics.secondMoment, b.statistics.secondMoment), "\(what)")
        #expect(isClose(a.statistics.gradientSquaredNorm, b.statistics.gradientSquaredNorm), "\(what)")
        #expect(zip(a.exampleSquaredNorms, b.exampleSquaredNorms).allSatisfy { isClose($0, $1) }, "\(what)")
        for (x, y) in zip(a.parameters, b.parameters) {
            #expect(isClose(x.secondMoment, y.secondMoment), "\(what): \(x.name)")
            #expect(isClose(x.gradientSquaredNorm, y.gradientSquaredNorm), "\(what): \(x.name)")
        }
    }

    private static func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 + 1e-4 * abs(b) }

    @Test(arguments: [0, 1, 2], [1, 2])
    func `gradients, norms and updates are those of the engine's layers`(index: Int, workers: Int) throws {
        let (theirs, own, renamed) = try Self.models(index)
        for update in [UpdateMethod.momentum(0.9), .adam()] {
            let a = try Network(
                theirs, update: update, averagesParameters: true, workerCount: workers, dividesAlways: true)
            let b = try Network(
                own, update: update, averagesParameters: true, workerCount: workers, dividesAlways: true)
            try b.load(renamed(a.parameters()))
            // A chunk, and several.
            for (step, count) in [9, 300, 9].enumerated() {
                let batch = ArrayBatch.random(theirs, count: count, seed: UInt64(step))
                let options = UpdateStep(learningRate: 0.01, weightDecay: 0.01, updateCount: step)
                Self.agree(try a.step(on: batch, options), try b.step(on: batch, options), "step \(step)")
                for network in [a, b] { network.addToAverage(weight: 0.5) }
            }
            for (x, y) in [
                (try a.parameters(), try b.parameters()),
                (try #require(try a.average()), try #require(try b.average())),
            ] {
                for (one, other) in zip(renamed(x).elements, y.elements) {
                    #expect(one.name == other.name)
                    #expect(
                        zip(one.tensor.values, other.tensor.values).allSatisfy { Self.isClose(Double($0), Double($1)) })
                }
            }
            #expect(try b.optimizerState().names.count == b.model.parameters.count * (update == .adam() ? 2 : 1))
        }
    }

    @Test func `several ranks train them`() async throws {
        let (_, own, _) = try Self.models(0)
        let batch = ArrayBatch.random(own, count: 20)
        @Sendable func course(_ ranks: Communicator?) throws -> (StepReport, ParameterSet) {
            let network = try Network(own, workerCount: 1, ranks: ranks)
            let report = try network.step(on: batch, UpdateStep(learningRate: 0.1))
            return (report, try network.parameters())
        }
        let alone = try course(nil)
        for result in await ThreadRanks.run(3, { try course($0) }) {
            let (report, parameters) = try result.get()
            Self.agree(report, alone.0, "ranks")
            for (x, y) in zip(parameters.elements, alone.1.elements) {
                #expect(zip(x.tensor.values, y.tensor.values).allSatisfy { Self.isClose(Double($0), Double($1)) })
            }
        }
    }

    @Test func `model files have them once they are registered, under a kind that is free`() throws {
        struct Taken: ExampleLayer {
            static let kind = "relu"
            func outputShape(for input: ExampleShape) -> ExampleShape { input }
            func forward(
                _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>,
                _ context: LayerContext
            ) {}
            func backward(
                _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
                to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>,
                _ context: LayerContext
            ) {}
        }
        let text = try JSONEncoder().encode(LayerConfiguration(OwnDense(units: 4)))
        #expect(throws: ModelError.unknownLayer("OwnDense")) {
            try JSONDecoder().decode(LayerConfiguration.self, from: text)
        }
        try LayerConfiguration.register(OwnDense.self)
        try LayerConfiguration.register(OwnDense.self)
        let read = try JSONDecoder().decode(LayerConfiguration.self, from: text).layer
        #expect((read as? OwnDense)?.units == 4)
        #expect(throws: ModelError.layerKindTaken("relu")) { try LayerConfiguration.register(Taken.self) }
    }

    @Test func `their parameters have names of their own`() throws {
        struct Nameless: ExampleLayer {
            let names: [String]
            func outputShape(for input: ExampleShape) -> ExampleShape { input }
            func parameters(for input: ExampleShape) -> [ParameterSpecification] {
                names.map { ParameterSpecification(name: $0, shape: [1], initializer: .constant(0)) }
            }
            func forward(
                _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>,
                _ context: LayerContext
            ) {}
            func backward(
                _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
                to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>,
                _ context: LayerContext
            ) {}
        }
        for (names, wrong) in [(["a", "a"], "a"), ([""], ""), (["a.b"], "a.b")] {
            #expect(throws: ModelError.parameterName(layer: "nameless1", name: wrong)) {
                try Model(input: .vector(3), layers: [Nameless(names: names)])
            }
        }
    }
}

extension Span where Element == Float {
    /// The values as an array.
    fileprivate func map(_ transform: (Float) -> Float) -> [Float] { indices.map { transform(self[$0]) } }
}
