import CABSExamples
import CABSPrimitives
import Foundation
import Testing

@testable import CABSNetwork

/// What every engine must do alike: the package's own, and one that computes an example at a time in Double.
@Suite(.timeLimit(.minutes(10))) struct EngineConformanceTests {
    /// An engine by its type, as a test's argument.
    struct Kind: Sendable, CustomTestStringConvertible {
        let type: any TrainingEngine.Type
        var testDescription: String { "\(type)" }

        func engine(
            _ model: Model, loss: Loss = .softmaxCrossEntropy, estimator: GradientEstimator = .exact,
            update: UpdateMethod = .gradientDescent, averages: Bool = false
        ) throws -> any TrainingEngine {
            try type.init(
                EngineSetup(
                    model, loss: loss, estimator: estimator, update: update, averagesParameters: averages,
                    workerCount: 1))
        }
    }

    static let engines = [Kind(type: Network.self), Kind(type: ReferenceEngine.self)]
    static let updates: [UpdateMethod] = [
        .gradientDescent, .momentum(0.9), .momentum(0.8, isNesterov: true), .adam(),
        .adam(decouplesWeightDecay: true),
    ]

    private static func model() throws -> Model {
        try Model(input: .image(height: 6, width: 5, channels: 2), seed: 9) {
            Conv2D(filters: 4, kernelSize: 3)
            GroupNorm(groups: 2)
            ReLU()
            MaxPool2D(poolSize: 2)
            Residual { Conv2D(filters: 4, kernelSize: 3) }
            Flatten()
            Dropout(rate: 0.25)
            Dense(units: 6)
            LayerNorm()
            Tanh()
            Dense(units: 3)
        }
    }

    private static func expect(_ found: ParameterSet, _ expected: ParameterSet, _ what: String) {
        #expect(found.names == expected.names, "\(what)")
        for (x, y) in zip(found.elements, expected.elements) {
            let isSame = zip(x.tensor.values, y.tensor.values).allSatisfy {
                agree(Double($0), Double($1), relative: 1e-3)
            }
            #expect(isSame && x.tensor.shape == y.tensor.shape, "\(what): \(x.name)")
        }
    }

    @Test(arguments: engines, Loss.allCases)
    func `gradients, norms and losses are those of the formulas`(kind: Kind, loss: Loss) throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: 7, firstDraw: 90)
        let oracle = Oracle(model, loss, model.initialParameters())
        let examples = (0..<7).map {
            Backpropagation(oracle, batch.inputs[$0], batch.targets[$0], draw: 90 + UInt64($0)).gradients
        }
        let losses = (0..<7).map { oracle.loss(batch.inputs[$0], batch.targets[$0], draw: 90 + UInt64($0)) }
        GradientTests.expect(try kind.engine(model, loss: loss).gradient(of: batch), losses, examples, "\(loss)")
    }

    /// Each example as a batch of its own, drawn as it was.
    @Test(arguments: engines)
    func `a batch is the mean of its examples`(kind: Kind) throws {
        let engine = try kind.engine(Self.model())
        let batch = ArrayBatch.random(engine.model, count: 5, firstDraw: 3)
        let whole = try engine.gradient(of: batch)
        var sums = whole.gradient.elements.map { [Double](repeating: 0, count: $0.tensor.values.count) }
        for index in 0..<5 {
            let one = ArrayBatch(
                inputs: [batch.inputs[index]], targets: [batch.targets[index]], firstDraw: 3 + UInt64(index))
            let (report, gradient) = try engine.gradient(of: one)
            #expect(agree(report.exampleLosses[0], whole.report.exampleLosses[index]))
            #expect(agree(report.exampleSquaredNorms[0], whole.report.exampleSquaredNorms[index]))
            #expect(agree(report.statistics.gradientSquaredNorm, report.exampleSquaredNorms[0]))
            for (place, element) in gradient.elements.enumerated() {
                sums[place] = zip(sums[place], element.tensor.values).map { $0 + Double($1) / 5 }
            }
        }
        for (sum, element) in zip(sums, whole.gradient.elements) {
            #expect(zip(sum, element.tensor.values).allSatisfy { agree($0, Double($1)) }, "\(element.name)")
        }
        let all = whole.report
        #expect(agree(all.statistics.secondMoment, all.exampleSquaredNorms.reduce(0, +) / 5))
        #expect(agree(all.statistics.secondMoment, all.parameters.reduce(0) { $0 + $1.secondMoment }))
        #expect(agree(all.statistics.meanLoss, all.exampleLosses.reduce(0, +) / 5))
        let mean = all.exampleSquaredNorms.reduce(0, +) / 5
        let spread = all.exampleSquaredNorms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        #expect(agree(try #require(all.statistics.secondMomentStandardError), (spread / 20).squareRoot()))
    }

    /// With weight decay, a bound that some steps' gradients exceed, and an average.
    @Test(arguments: engines, updates)
    func `steps, states and averages are those of the formulas`(kind: Kind, update: UpdateMethod) throws {
        let model = try Self.model()
        let engine = try kind.engine(model, update: update, averages: true)
        let expected = try Kind(type: ReferenceEngine.self).engine(model, update: update, averages: true)
        for index in 0..<4 {
            let batch = ArrayBatch.random(model, count: 5 + index, seed: UInt64(index), firstDraw: UInt64(10 * index))
            let step = UpdateStep(
                learningRate: 0.01, weightDecay: 0.1, gradientBound: index % 2 == 0 ? 0.3 : 1e3, updateCount: index)
            let (a, b) = (try engine.step(on: batch, step), try expected.step(on: batch, step))
            #expect(a.isSound && b.isSound && a.correctCount == b.correctCount)
            #expect(agree(a.statistics.gradientSquaredNorm, b.statistics.gradientSquaredNorm, relative: 1e-3))
            #expect(agree(a.statistics.secondMoment, b.statistics.secondMoment, relative: 1e-3))
            // Between the bounds: one of them shortens the gradient.
            #expect(a.statistics.gradientSquaredNorm > 0.09 && a.statistics.gradientSquaredNorm < 1e6)
            for engine in [engine, expected] { engine.addToAverage(weight: 1 / Double(index + 1)) }
        }
        Self.expect(try engine.parameters(), try expected.parameters(), "parameters")
        Self.expect(try engine.optimizerState(), try expected.optimizerState(), "state")
        Self.expect(try #require(try engine.average()), try #require(try expected.average()), "average")
        let batch = ArrayBatch.random(model, count: 20, seed: 50)
        let (a, b) = (try engine.evaluateAverage(batch), try expected.evaluateAverage(batch))
        #expect(agree(a.meanLoss, b.meanLoss) && a.accuracy == b.accuracy)
        #expect(try engine.evaluate(batch).meanLoss != a.meanLoss)
        // Another engine with the same state goes the same way.
        let other = try kind.engine(model, update: update, averages: true)
        try other.load(engine.parameters())
        try other.loadOptimizerState(engine.optimizerState())
        try other.loadAverage(engine.average())
        let step = UpdateStep(learningRate: 0.01, updateCount: 4)
        for engine in [engine, other] {
            _ = try engine.step(on: batch, step)
            engine.addToAverage(weight: 0.5)
        }
        Self.expect(try other.parameters(), try engine.parameters(), "resumed")
        Self.expect(try #require(try other.average()), try #require(try engine.average()), "resumed average")
    }

    @Test(arguments: engines)
    func `a step that is not sound, or cannot be read, changes nothing`(kind: Kind) throws {
        struct Unreadable: ExampleBatch {
            struct Failure: Error {}
            let count = 3
            let firstDraw: UInt64 = 0
            let target = TargetSpecification.classes(3)
            func write(_ position: Int, into slot: inout ExampleSlot) throws { throw Failure() }
        }
        let engine = try kind.engine(Self.model(), update: .momentum(0.9))
        let good = ArrayBatch.random(engine.model, count: 4)
        var broken = good
        broken.inputs[2][1] = .nan
        let before = (try engine.parameters(), try engine.optimizerState())
        #expect(try !engine.step(on: broken, UpdateStep(learningRate: 0.1)).isSound)
        #expect(try !engine.step(on: good, UpdateStep(learningRate: 0.1, lossBound: 1e-9)).isSound)
        #expect(throws: Unreadable.Failure.self) { try engine.step(on: Unreadable(), UpdateStep(learningRate: 0.1)) }
        #expect(throws: Unreadable.Failure.self) { try engine.evaluate(Unreadable()) }
        let empty = ArrayBatch(inputs: [], targets: [])
        #expect(throws: EngineError.emptyBatch) { try engine.step(on: empty, UpdateStep(learningRate: 0.1)) }
        #expect(throws: EngineError.emptyBatch) { try engine.outputs(for: empty) }
        let wide = ArrayBatch(inputs: good.inputs, targets: good.targets.map { $0 + [0] })
        #expect(throws: EngineError.self) { try engine.evaluate(wide) }
        #expect(try engine.parameters() == before.0 && engine.optimizerState() == before.1)
        #expect(try engine.step(on: good, UpdateStep(learningRate: 0.1)).isSound)
        #expect(try engine.parameters() != before.0)
    }

    @Test(arguments: engines)
    func `evaluations leave dropout out, and name what is not finite`(kind: Kind) throws {
        let engine = try kind.engine(Self.model())
        var batch = ArrayBatch.random(engine.model, count: 6)
        let (outputs, losses) = try engine.outputs(for: batch)
        #expect(try engine.outputs(for: batch).outputs == outputs && outputs.count == 18)
        var later = batch
        later.firstDraw = 70
        #expect(try engine.outputs(for: later).outputs == outputs)
        #expect(agree(try engine.evaluate(batch).meanLoss, losses.reduce(0, +) / 6))
        #expect(try engine.gradient(of: batch).report.exampleLosses != engine.gradient(of: later).report.exampleLosses)
        batch.inputs[4][0] = .infinity
        let evaluation = try engine.evaluate(batch)
        #expect(evaluation.unsoundExamples == [4])
        #expect(agree(evaluation.meanLoss, (losses.reduce(0, +) - losses[4]) / 5))
    }

    @Test(arguments: engines, GradientEstimator.allCases)
    func `second moments are those of the estimator`(kind: Kind, estimator: GradientEstimator) throws {
        let engine = try kind.engine(Self.model(), estimator: estimator)
        let batch = ArrayBatch.random(engine.model, count: 3)
        let oracle = Oracle(engine.model, engine.loss, engine.model.initialParameters())
        let report = try engine.gradient(of: batch).report
        guard estimator != .unmeasured else {
            #expect(report.exampleSquaredNorms.isEmpty && report.statistics.secondMoment.isNaN)
            return
        }
        for index in 0..<3 {
            let found = Backpropagation(oracle, batch.inputs[index], batch.targets[index], draw: UInt64(index))
            let expected = engine.model.parameters.reduce(0) { $0 + found.squaredNorm(of: $1.name, by: estimator) }
            #expect(agree(report.exampleSquaredNorms[index], expected))
        }
    }

    @Test(arguments: engines)
    func `what is not the model's is refused`(kind: Kind) throws {
        let engine = try kind.engine(Self.model(), update: .adam(), averages: true)
        #expect(try engine.parameters() == engine.model.initialParameters())
        let wrong = ParameterSet([("conv1.weight", Tensor(shape: [1], values: [0]))])
        #expect(throws: ModelError.self) { try engine.load(wrong) }
        #expect(throws: ModelError.self) { try engine.loadOptimizerState(wrong) }
        #expect(throws: ModelError.self) { try engine.loadAverage(wrong) }
        #expect(throws: EngineError.self) { try kind.engine(Self.model(), update: .momentum(1.5)) }
        #expect(try kind.engine(Self.model()).average() == nil)
        #expect(try kind.engine(Self.model()).optimizerState().names.isEmpty)
    }
}
