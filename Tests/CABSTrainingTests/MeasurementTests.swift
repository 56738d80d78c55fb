import CABS
import Foundation
import Testing

@testable import CABSTraining

/// What a network's gradients were measured to be, beside the chain rule in Float64 and beside repetitions.
@Suite(.timeLimit(.minutes(10))) struct MeasurementTests {
    /// Examples of three classes that overlap.
    private struct Points {
        var inputs: [[Double]] = []
        var labels: [Int] = []

        init(_ count: Int, seed: UInt64) {
            var random = RandomStream(seed: seed, purpose: .shuffling, index: 0)
            func uniform() -> Double { Double(random.nextInteger(below: 1 << 30)) / Double(1 << 30) }
            for _ in 0..<count {
                let label = Int(uniform() * 3)
                labels.append(label)
                inputs.append((0..<4).map { Double(Float(($0 == label ? 1 : 0) + 3 * (uniform() - 0.5))) })
            }
        }

        init(_ points: Points, drawing indices: [Int]) {
            inputs = indices.map { points.inputs[$0] }
            labels = indices.map { points.labels[$0] }
        }

        func data() throws -> TrainingData {
            let set = try ArrayDataset(
                inputs: inputs.flatMap { $0.map(Float.init) }, inputShape: .vector(4), labels: labels, classCount: 3)
            return try TrainingData(name: "points", training: set, test: set)
        }
    }

    /// Has points by the draw, whichever example is asked for: what random changes of examples go by.
    private struct PointsByDraw: Dataset {
        let points: Points
        let inputShape = ExampleShape.vector(4)
        let target = TargetSpecification.classes(3)
        var count: Int { points.inputs.count }

        func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws {
            let place = place(ofDraw: draw)
            try slot.setInput(points.inputs[place].map(Float.init))
            try slot.setClass(points.labels[place])
        }

        func place(ofDraw draw: UInt64) -> Int { Int(draw % UInt64(count)) }
    }

    /// Four inputs, five hidden values, three classes.
    private static func model() throws -> Model {
        try Model(input: .vector(4), seed: 3) {
            Dense(units: 5)
            Tanh()
            Dense(units: 3)
        }
    }

    private static func network() throws -> Network { try Network(model(), workerCount: 1) }

    /// One example's loss and gradient, by parameter, by the chain rule.
    private struct Example {
        let loss: Double
        let gradients: [String: [Double]]

        init(_ parameters: ParameterSet, input: [Double], label: Int) {
            func values(_ name: String) -> [Double] { parameters[name]!.values.map(Double.init) }
            func product(_ weight: [Double], _ vector: [Double], _ bias: [Double]) -> [Double] {
                bias.indices.map { row in
                    bias[row] + vector.indices.reduce(0) { $0 + weight[row * vector.count + $1] * vector[$1] }
                }
            }
            let (first, second) = (values("dense1.weight"), values("dense2.weight"))
            let hidden = product(first, input, values("dense1.bias")).map { tanh($0) }
            let output = product(second, hidden, values("dense2.bias"))
            let total = output.reduce(0) { $0 + exp($1) }
            loss = log(total) - output[label]
            let error = output.indices.map { exp(output[$0]) / total - ($0 == label ? 1 : 0) }
            let back = hidden.indices.map { place in
                (1 - hidden[place] * hidden[place])
                    * error.indices.reduce(0) { $0 + error[$1] * second[$1 * hidden.count + place] }
            }
            gradients = [
                "dense1.weight": back.flatMap { value in input.map { value * $0 } }, "dense1.bias": back,
                "dense2.weight": error.flatMap { value in hidden.map { value * $0 } }, "dense2.bias": error,
            ]
        }

        /// The gradient by the parameters whose names begin so.
        func gradient(_ prefix: String) -> [Double] {
            gradients.keys.sorted().filter { $0.hasPrefix(prefix) }.flatMap { gradients[$0]! }
        }
    }

    /// Loss, trace and squared norm of some examples, by their definitions.
    private static func quantities(
        _ examples: [Example], _ prefix: String = ""
    ) -> (loss: Double, trace: Double, norm: Double) {
        let (count, gradients) = (Double(examples.count), examples.map { $0.gradient(prefix) })
        let mean = gradients[0].indices.map { index in gradients.reduce(0) { $0 + $1[index] } / count }
        func squares(_ vector: [Double]) -> Double { vector.reduce(0) { $0 + $1 * $1 } }
        let trace = gradients.reduce(0) { $0 + squares(zip($1, mean).map { $0 - $1 }) } / (count - 1)
        return (examples.reduce(0) { $0 + $1.loss } / count, trace, squares(mean) - trace / count)
    }

    private static func examples(_ points: Points, _ parameters: ParameterSet) -> [Example] {
        points.inputs.indices.map { Example(parameters, input: points.inputs[$0], label: points.labels[$0]) }
    }

    private static let rule = GradientMeasurement.Rule(learningRate: 0.5, lossFloor: 0.1, factor: 2, epsilon: 0.01)

    private static func expect(
        _ estimate: Estimate?, _ groups: [[Example]], _ name: String, _ quantity: ([Example]) -> Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let parts = groups.indices.map { left in
            quantity(groups.indices.filter { $0 != left }.flatMap { groups[$0] })
        }
        let count = Double(parts.count)
        let mean = parts.reduce(0, +) / count
        let error = ((count - 1) / count * parts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }).squareRoot()
        let value = quantity(groups.flatMap(\.self))
        func isClose(_ a: Double?, _ b: Double, _ scale: Double) -> Bool {
            a.map { abs($0 - b) < 1e-4 * scale } ?? false
        }
        #expect(isClose(estimate?.value, value, abs(value)), "\(name)", sourceLocation: sourceLocation)
        #expect(isClose(estimate?.standardError, error, error), "error of \(name)", sourceLocation: sourceLocation)
    }

    @Test func `each example is changed by a draw of its own, counted over all groups`() throws {
        let points = Points(150, seed: 1)
        let set = PointsByDraw(points: points)
        let network = try Self.network()
        let found = try GradientMeasurement(
            of: network, on: try TrainingData(name: "points by draw", training: set, test: set), exampleCount: 100,
            seed: 9, stepCount: nil, rule: nil)
        let first = try MeasurementSample(100, of: set, seed: 9).firstDraw
        let draws = (0..<100).map { set.place(ofDraw: first + UInt64($0)) }
        let examples = Self.examples(Points(points, drawing: draws), try network.parameters())
        let groups = (0..<32).map { Array(examples[($0 * 100 / 32)..<(($0 + 1) * 100 / 32)]) }
        Self.expect(found.loss, groups, "loss") { Self.quantities($0).loss }
        Self.expect(found.noise.covarianceTrace, groups, "trace") { Self.quantities($0).trace }
    }

    @Test func `examples and draws follow from the seed, and are none that a run begins with`() throws {
        let set = try Points(4000, seed: 1).data().training
        let samples = try (0..<3).map { try MeasurementSample(100, of: set, seed: $0) }
        for (seed, sample) in samples.enumerated() {
            #expect(Set(sample.examples).count == 100 && sample.batch.indices == sample.examples)
            #expect(sample.batch(40..<60).firstDraw == sample.firstDraw + 40)
            // Far beyond what any run draws, and far from counting over.
            #expect(sample.firstDraw > 1 << 50 && sample.firstDraw < UInt64.max - 1 << 50)
            var order = try ExampleOrder(.shuffled(seed: UInt64(seed)), exampleCount: 4000)
            #expect(Set(order.next(100)).intersection(sample.examples).count < 20)
        }
        #expect(Set(samples.map(\.firstDraw)).count == 3 && Set(samples.map(\.examples)).count == 3)
        #expect(try MeasurementSample(5000, of: set, seed: 0).examples.sorted() == Array(0..<4000))
    }

    @Test func `all that is measured is what the chain rule in Float64 gives`() throws {
        let points = Points(150, seed: 1)
        let (network, data) = (try Self.network(), try points.data())
        let found = try GradientMeasurement(
            of: network, on: data, exampleCount: 100, seed: 9, stepCount: 7, rule: .success(Self.rule))
        #expect(found.exampleCount == 100 && found.groupCount == 32 && found.stepCount == 7)
        let drawn = try MeasurementSample(100, of: data.training, seed: 9).examples
        let examples = Self.examples(Points(points, drawing: drawn), try network.parameters())
        let groups = (0..<32).map { Array(examples[($0 * 100 / 32)..<(($0 + 1) * 100 / 32)]) }
        Self.expect(found.loss, groups, "loss") { Self.quantities($0).loss }
        Self.expect(found.coupling?.batchSize, groups, "batch size") {
            let (loss, trace, _) = Self.quantities($0)
            return 2 * 0.5 * trace / (loss - 0.1 + 0.01)
        }
        Self.expect(found.coupling?.polyakSteps, groups, "Polyak steps") {
            let (loss, _, norm) = Self.quantities($0)
            return 0.5 * norm / (loss - 0.1)
        }
        for layer in found.layers {
            Self.expect(layer.coupling?.batchSize, groups, "part of the batch size, \(layer.name)") {
                2 * 0.5 * Self.quantities($0, layer.name).trace / (Self.quantities($0).loss - 0.1 + 0.01)
            }
        }
        let noises = [("", found.noise)] + found.layers.map { ($0.name, $0.noise) }
        #expect(noises.map(\.0) == ["", "dense1", "dense2"])
        for (prefix, noise) in noises {
            Self.expect(noise.covarianceTrace, groups, "trace \(prefix)") { Self.quantities($0, prefix).trace }
            Self.expect(noise.gradientSquaredNorm, groups, "norm \(prefix)") { Self.quantities($0, prefix).norm }
            Self.expect(noise.noiseScale, groups, "noise scale \(prefix)") {
                let (_, trace, norm) = Self.quantities($0, prefix)
                return trace / norm
            }
        }
        try expectExamples(found, drawn, examples, points)
    }

    /// Distributions, classes and the largest.
    private func expectExamples(
        _ found: GradientMeasurement, _ drawn: [Int], _ examples: [Example], _ points: Points
    ) throws {
        let norms = examples.map { $0.gradient("").reduce(0) { $0 + $1 * $1 }.squareRoot() }
        let losses = examples.map(\.loss)
        for (distribution, values) in [(found.losses, losses), (found.gradientNorms, norms)] {
            let sorted = values.sorted()
            #expect(abs(distribution.median - sorted[50]) < 1e-5 && abs(distribution.maximum - sorted[99]) < 1e-5)
            #expect(distribution.counts.reduce(0, +) == 100)
            let upper = values.filter { $0 > distribution.edges[distribution.edges.count - 2] * (1 + 1e-6) }.count
            #expect(distribution.counts.last == upper)
        }
        let byNorm = norms.indices.sorted { norms[$0] > norms[$1] }.prefix(20)
        #expect(found.largestGradients.map(\.example) == byNorm.map { drawn[$0] })
        let byLoss = losses.indices.sorted { losses[$0] > losses[$1] }.prefix(20)
        #expect(found.largestLosses.map(\.example) == byLoss.map { drawn[$0] })
        let total = norms.reduce(0) { $0 + $1 * $1 }
        for (example, place) in zip(found.largestLosses, byLoss) {
            let (loss, norm) = (try #require(example.loss), try #require(example.gradientNorm))
            #expect(abs(loss - losses[place]) < 1e-5 && abs(norm - norms[place]) < 1e-5)
            #expect(abs(try #require(example.partOfSecondMoment) - norms[place] * norms[place] / total) < 1e-6)
            #expect(example.label == "\(points.labels[example.example])" && example.predicted != nil)
        }
        for label in 0..<3 {
            let own = drawn.indices.filter { points.labels[drawn[$0]] == label }.map { losses[$0] }
            let mean = own.reduce(0, +) / Double(own.count)
            let variance = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(own.count - 1)
            let part = found.classes[label]
            #expect(part.name == "\(label)" && part.exampleCount == own.count)
            #expect(abs((part.loss?.value ?? 0) - mean) < 1e-5)
            #expect(abs((part.loss?.standardError ?? 0) - (variance / Double(own.count)).squareRoot()) < 1e-5)
        }
    }

    /// Some two standard errors around what is measured are to hold the true value in 95 of 100 repetitions. The truth is that of the
    /// points that the examples are drawn from, with replacement.
    @Test func `error bars hold the true value as often as they should`() throws {
        let population = Points(400, seed: 2)
        let network = try Self.network()
        // Some way into training.
        for start in stride(from: 0, to: 400, by: 40) {
            let batch = DatasetBatch(try population.data().training, indices: (start..<(start + 40)).map { $0 % 400 })
            _ = try network.step(on: batch, UpdateStep(learningRate: 0.2))
        }
        let (loss, _, _) = Self.quantities(Self.examples(population, try network.parameters()))
        let examples = Self.examples(population, try network.parameters())
        let mean = examples[0].gradient("").indices.map { index in
            examples.reduce(0) { $0 + $1.gradient("")[index] } / 400
        }
        let norm = mean.reduce(0) { $0 + $1 * $1 }
        let trace = examples.reduce(0) { $0 + $1.gradient("").reduce(0) { $0 + $1 * $1 } } / 400 - norm
        let truths: [(String, Double, (GradientMeasurement) -> Estimate?)] = [
            ("loss", loss, { $0.loss }), ("trace", trace, { $0.noise.covarianceTrace }),
            ("norm", norm, { $0.noise.gradientSquaredNorm }),
            ("batch size", 2 * 0.5 * trace / (loss - 0.09), { $0.coupling?.batchSize }),
            ("Polyak steps", 0.5 * norm / (loss - 0.1), { $0.coupling?.polyakSteps }),
            ("noise scale", trace / norm, { $0.noise.noiseScale }),
        ]
        var random = RandomStream(seed: 4, purpose: .shuffling, index: 0)
        var held = [Int](repeating: 0, count: truths.count)
        for seed in 0..<200 {
            let drawn = (0..<1024).map { _ in random.nextInteger(below: 400) }
            let found = try GradientMeasurement(
                of: network, on: Points(population, drawing: drawn).data(), exampleCount: 1024, seed: UInt64(seed),
                stepCount: nil, rule: .success(Self.rule))
            for (index, (_, truth, estimate)) in truths.enumerated() {
                let estimate = try #require(estimate(found))
                // As many of Student's distribution as 32 groups leave room for.
                if abs(estimate.value - truth) <= 2.04 * estimate.standardError { held[index] += 1 }
            }
        }
        for (index, (name, _, _)) in truths.enumerated() {
            #expect((180...198).contains(held[index]), "\(name): \(held[index]) of 200")
        }
    }

    @Test func `where the gradient cannot be told from nothing there is no noise scale`() throws {
        let points = Points(200, seed: 6)
        let network = try Self.network()
        let data = try points.data()
        for _ in 0..<2000 { _ = try network.step(on: DatasetBatch(all: data.training), UpdateStep(learningRate: 0.5)) }
        let found = try GradientMeasurement(
            of: network, on: data, exampleCount: 200, seed: 0, stepCount: nil, rule: nil)
        #expect(found.noise.noiseScale == nil && !found.noise.gradientSquaredNorm.isClearlyPositive)
        #expect(found.noise.covarianceTrace.isClearlyPositive && found.coupling == nil)
    }

    @Test func `where nothing of CABS follows it says why, and where constants are not the paper's, which`() throws {
        let (network, data) = (try Self.network(), try Points(50, seed: 1).data())
        func found(_ rule: Result<GradientMeasurement.Rule, GradientMeasurement.Uncoupled>) throws
            -> GradientMeasurement
        {
            try GradientMeasurement(of: network, on: data, exampleCount: 50, seed: 0, stepCount: nil, rule: rule)
        }
        let own = try found(.success(Self.rule))
        #expect(own.uncoupled == nil && own.coupling?.lossFloor == 0.1 && own.coupling?.factor == 2)
        #expect(own.coupling?.constants == "F* = 0.1, c = 2, ε = 0.01")
        let paper = try found(.success(.init(learningRate: 0.5)))
        #expect(paper.coupling != nil && paper.coupling?.constants == nil)
        // The loss is above such a floor without each group, but by less than two standard errors.
        let near = own.loss.value - own.loss.standardError
        for (rule, reason) in [
            (.success(.init(learningRate: 0.5, lossFloor: near)), .lossAtFloor),
            (.failure(.optimizer), .optimizer), (.success(.init(learningRate: 0.5, lossFloor: 50)), .lossAtFloor),
            (.success(.init(learningRate: 1e300, factor: 1e300)), .overflow),
        ] as [(Result<GradientMeasurement.Rule, GradientMeasurement.Uncoupled>, GradientMeasurement.Uncoupled)] {
            let measured = try found(rule)
            #expect(measured.coupling == nil && measured.uncoupled == reason)
            #expect(measured.layers.allSatisfy { $0.coupling == nil })
            // No number in it is one that JSON does not have.
            #expect(try JSONFile.decode(GradientMeasurement.self, from: JSONFile.data(of: measured)) == measured)
        }
    }

    @Test func `what cannot be measured is refused`() throws {
        let network = try Self.network()
        #expect(throws: TrainingError.self) {
            _ = try GradientMeasurement(
                of: network, on: Points(15, seed: 1).data(), exampleCount: 100, seed: 0, stepCount: nil, rule: nil)
        }
        var parameters = try network.parameters().elements
        parameters[0].tensor.values[0] = .nan
        try network.load(ParameterSet(parameters))
        #expect(throws: TrainingError.self) {
            _ = try GradientMeasurement(
                of: network, on: Points(50, seed: 1).data(), exampleCount: 50, seed: 0, stepCount: nil, rule: nil)
        }
    }

    @Test(arguments: [
        (1558.2, 410.1, "1560 ± 410"), (0.0233, 0.0063, "0.0233 ± 0.0063"), (53.151, 0.92, "53.15 ± 0.92"),
        (36.31, 2.49, "36.3 ± 2.5"), (-1.4, 12.3, "-1 ± 12"), (0.0035, 5.3e-5, "0.003500 ± 0.000053"),
        (0.261, 0.00996, "0.261 ± 0.010"), (1e-9, 2e-10, "1.00e-09 ± 2.0e-10"), (3, 0, "3.0 ± 0.0"),
    ])
    func `a value goes as far as its error`(value: Double, error: Double, text: String) {
        #expect(Estimate(value: value, standardError: error).text == text)
    }
}
