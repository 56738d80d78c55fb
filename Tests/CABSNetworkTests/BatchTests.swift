import CABS
import Testing

@testable import CABSNetwork

/// What must hold for batches of every size and any number of workers.
@Suite struct BatchTests {
    static func model(seed: UInt64 = 5) throws -> Model {
        try Model(input: .image(height: 8, width: 8, channels: 1), seed: seed) {
            Conv2D(filters: 6, kernelSize: 3)
            ReLU()
            MaxPool2D(poolSize: 2)
            Conv2D(filters: 5, kernelSize: 3, padding: .valid)
            Tanh()
            Flatten()
            Dense(units: 72)
            ReLU()
            Dropout(rate: 0.2)
            Dense(units: 4)
        }
    }

    /// Sizes around what a worker takes in hand at a time (64), below the number of workers, and one.
    @Test(arguments: [1, 2, 5, 63, 64, 65, 130, 200], [1, 2, 3])
    func `statistics are those of gradients computed one example at a time`(count: Int, workers: Int) throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: count)
        let network = try Network(model, workerCount: workers, dividesAlways: true)
        let (report, gradient) = try network.gradient(of: batch)
        var sums = gradient.elements.map { [Double](repeating: 0, count: $0.tensor.values.count) }
        var secondMoment = 0.0
        for position in 0..<count {
            let single = ArrayBatch(
                inputs: [batch.inputs[position]], targets: [batch.targets[position]], firstDraw: UInt64(position))
            let (one, oneGradient) = try network.gradient(of: single)
            var squaredNorm = 0.0
            for (index, element) in oneGradient.elements.enumerated() {
                for (offset, value) in element.tensor.values.enumerated() {
                    sums[index][offset] += Double(value)
                    squaredNorm += Double(value) * Double(value)
                }
            }
            secondMoment += squaredNorm / Double(count)
            #expect(agree(report.exampleLosses[position], one.statistics.meanLoss, relative: 1e-5))
            #expect(agree(report.exampleSquaredNorms[position], squaredNorm, relative: 1e-5))
            #expect(agree(one.statistics.withinBatchVariance, 0, absolute: 1e-6 * squaredNorm))
        }
        #expect(agree(report.statistics.secondMoment, secondMoment, relative: 1e-5))
        var gradientSquaredNorm = 0.0
        for (index, element) in gradient.elements.enumerated() {
            for (offset, value) in element.tensor.values.enumerated() {
                let expected = sums[index][offset] / Double(count)
                #expect(agree(Double(value), expected, absolute: 1e-6, relative: 1e-4))
                gradientSquaredNorm += expected * expected
            }
        }
        #expect(agree(report.statistics.gradientSquaredNorm, gradientSquaredNorm, relative: 1e-5))
    }

    static func trained(workers: Int, steps: Int = 6) throws -> (ParameterSet, [StepStatistics]) {
        let model = try model()
        let network = try Network(model, workerCount: workers, dividesAlways: true)
        var statistics: [StepStatistics] = []
        for step in 0..<steps {
            var batch = ArrayBatch.random(model, count: 20 + 37 * step, seed: UInt64(step))
            batch.firstDraw = UInt64(1000 * step)
            statistics.append(
                try network.step(on: batch, GradientDescent(learningRate: 0.1, weightDecay: 0.01)).statistics)
        }
        return (try network.parameters(), statistics)
    }

    @Test(arguments: [1, 2, 3])
    func `the same run gives the same bits`(workers: Int) throws {
        let (first, second) = (try Self.trained(workers: workers), try Self.trained(workers: workers))
        #expect(first.0 == second.0)
        #expect(first.1 == second.1)
    }

    @Test func `numbers of workers differ by rounding alone`() throws {
        let (reference, statistics) = try Self.trained(workers: 1)
        for workers in [2, 3, 5] {
            let (parameters, others) = try Self.trained(workers: workers)
            for (a, b) in zip(reference.elements, parameters.elements) {
                for (x, y) in zip(a.tensor.values, b.tensor.values) {
                    #expect(agree(Double(x), Double(y), absolute: 2e-6, relative: 1e-4))
                }
            }
            for (a, b) in zip(statistics, others) {
                #expect(agree(a.secondMoment, b.secondMoment))
                #expect(agree(a.meanLoss, b.meanLoss))
            }
        }
    }

    /// A model whose first dense layer is large enough to be updated by its gradient's product.
    static func wideModel() throws -> Model {
        try Model(input: .image(height: 20, width: 20, channels: 1), seed: 6) {
            Conv2D(filters: 2, kernelSize: 3)
            Flatten()
            Dense(units: 640)
            ReLU()
            Dense(units: 3)
        }
    }

    @Test(arguments: [1, 2, 3], [false, true])
    func `a step is descent along the gradient, with weight decay`(workers: Int, isWide: Bool) throws {
        let model = try isWide ? Self.wideModel() : Self.model()
        let batch = ArrayBatch.random(model, count: isWide ? 7 : 90)
        let network = try Network(model, workerCount: workers, dividesAlways: true)
        let before = try network.parameters()
        let (measured, gradient) = try network.gradient(of: batch)
        #expect(try network.parameters() == before)
        let report = try network.step(on: batch, GradientDescent(learningRate: 0.3, weightDecay: 0.05))
        #expect(agree(report.statistics.gradientSquaredNorm, measured.statistics.gradientSquaredNorm))
        #expect(report.statistics.secondMoment == measured.statistics.secondMoment)
        for (name, tensor) in try network.parameters().elements {
            for (index, value) in tensor.values.enumerated() {
                let old = Double(before[name]!.values[index])
                let expected = old - 0.3 * (Double(gradient[name]!.values[index]) + 0.05 * old)
                #expect(agree(Double(value), expected, absolute: 1e-7, relative: 1e-6))
            }
        }
    }

    @Test func `without an estimator the step is the same and unmeasured`() throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: 33)
        let (exact, plain) = (
            try Network(model, workerCount: 2, dividesAlways: true),
            try Network(model, estimator: .unmeasured, workerCount: 2, dividesAlways: true)
        )
        _ = try exact.step(on: batch, GradientDescent(learningRate: 0.1))
        let report = try plain.step(on: batch, GradientDescent(learningRate: 0.1))
        let (exactParameters, plainParameters) = (try exact.parameters(), try plain.parameters())
        #expect(exactParameters == plainParameters)
        #expect(report.statistics.secondMoment.isNaN)
        #expect(report.exampleSquaredNorms.isEmpty)
    }

    /// Batches with which no step must be made: a value that is not a number, a gradient whose norm overflows, and a loss above
    /// the bound.
    @Test(arguments: [(Float.nan, 1e6), (1e25, 1e30), (1, 1e-3)], [1, 2])
    func `a step that is not sound changes nothing`(value: (input: Float, bound: Double), workers: Int) throws {
        for model in [try Self.model(), try Self.wideModel()] {
            for count in [5, 200] {
                let good = ArrayBatch.random(model, count: count)
                var inputs = good.inputs
                inputs[count / 2] = inputs[count / 2].map { _ in value.input }
                let network = try Network(model, workerCount: workers, dividesAlways: true)
                let before = try network.parameters()
                let report = try network.step(
                    on: ArrayBatch(inputs: inputs, targets: good.targets),
                    GradientDescent(learningRate: 0.1, lossBound: value.bound))
                #expect(!report.isSound(within: value.bound))
                #expect(try network.parameters() == before)
                #expect(try network.step(on: good, GradientDescent(learningRate: 0.1)).isSound())
                #expect(try network.parameters() != before)
            }
        }
    }

    @Test func `evaluation drops nothing and changes nothing`() throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: 150)
        let network = try Network(model, workerCount: 2, dividesAlways: true)
        let before = try network.parameters()
        let first = try network.evaluate(batch)
        var later = batch
        later.firstDraw = 99
        #expect(try network.evaluate(later) == first)
        #expect(try network.parameters() == before)
        #expect(first.exampleCount == 150)
        let rounded = (first.accuracy * 150).rounded()
        #expect(abs(first.accuracy * 150 - rounded) < 1e-9)
    }

    @Test func `a batch without examples is refused`() throws {
        let network = try Network(Self.model(), workerCount: 1)
        #expect(throws: EngineError.emptyBatch) { try network.evaluate(ArrayBatch(inputs: [], targets: [])) }
        #expect(throws: EngineError.workerCountOutOfRange(0)) { try Network(Self.model(), workerCount: 0) }
    }

    @Test func `parameters pass through the engine unchanged`() throws {
        // 18 and 20 channels are no whole blocks: the engine pads them.
        let model = try Model(input: .image(height: 5, width: 4, channels: 3), seed: 9) {
            Conv2D(filters: 18, kernelSize: 3)
            Sigmoid()
            Conv2D(filters: 20, kernelSize: 2)
            Flatten()
            Dense(units: 33)
            Dense(units: 3)
        }
        let network = try Network(model, workerCount: 2, dividesAlways: true)
        #expect(try network.parameters() == model.initialParameters())
    }

    @Test func `the reference estimator squares inputs and output gradients apart`() throws {
        // One 1x1 output position and one input position leave no products to drop: both estimators agree. A second
        // output position brings them apart.
        func secondMoments(width: Int) throws -> (exact: Double, reference: Double) {
            let model = try Model(input: .image(height: 1, width: width, channels: 2), seed: 4) {
                Conv2D(filters: 3, kernelSize: 1, padding: .valid)
                Flatten()
                Dense(units: 2)
            }
            let batch = ArrayBatch.random(model, count: 6)
            func moment(_ estimator: GradientEstimator) throws -> Double {
                try Network(model, estimator: estimator, workerCount: 2, dividesAlways: true).gradient(of: batch).report
                    .statistics
                    .secondMoment
            }
            return (try moment(.exact), try moment(.reference))
        }
        let one = try secondMoments(width: 1)
        #expect(agree(one.exact, one.reference, relative: 1e-5))
        let two = try secondMoments(width: 2)
        #expect(!agree(two.exact, two.reference, relative: 1e-3))
    }
}
