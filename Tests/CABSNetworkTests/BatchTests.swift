import CABS
import CABSPrimitives
import Testing

@testable import CABSNetwork

/// What must hold for batches of every size and any number of workers.
@Suite(.timeLimit(.minutes(10))) struct BatchTests {
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
                try network.step(on: batch, UpdateStep(learningRate: 0.1, weightDecay: 0.01)).statistics)
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
        let report = try network.step(on: batch, UpdateStep(learningRate: 0.3, weightDecay: 0.05))
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
        _ = try exact.step(on: batch, UpdateStep(learningRate: 0.1))
        let report = try plain.step(on: batch, UpdateStep(learningRate: 0.1))
        let (exactParameters, plainParameters) = (try exact.parameters(), try plain.parameters())
        #expect(exactParameters == plainParameters)
        #expect(report.statistics.secondMoment.isNaN)
        #expect(report.exampleSquaredNorms.isEmpty)
    }

    static let estimators: [GradientEstimator] = [.exact, .reference, .unmeasured]

    /// Batches with which no step must be made: a value that is not a number, an example whose gradient's norm overflows, and a
    /// loss above the bound.
    @Test(arguments: [(Float.nan, 1e6), (1e25, 1e30), (1, 1e-3)], [1, 2])
    func `a step that is not sound changes nothing`(value: (input: Float, bound: Double), workers: Int) throws {
        for model in [try Self.model(), try Self.wideModel()] {
            for (count, estimator) in [5, 200].flatMap({ count in Self.estimators.map { (count, $0) } }) {
                // The gradient itself may be zero there, and is not refused.
                if estimator == .unmeasured, value.input == 1e25 { continue }
                let good = ArrayBatch.random(model, count: count)
                var inputs = good.inputs
                inputs[count / 2] = inputs[count / 2].map { _ in value.input }
                let network = try Network(model, estimator: estimator, workerCount: workers, dividesAlways: true)
                let before = try network.parameters()
                let isSound = try network.step(
                    on: ArrayBatch(inputs: inputs, targets: good.targets),
                    UpdateStep(learningRate: 0.1, lossBound: value.bound)
                ).isSound
                #expect(!isSound)
                #expect(try network.parameters() == before)
                #expect(try network.step(on: good, UpdateStep(learningRate: 0.1)).isSound)
                #expect(try network.parameters() != before)
            }
        }
    }

    /// Only the first layer's gradient overflows: the layers behind it see values of usual size, and could be updated.
    @Test(arguments: [1, 2], estimators)
    func `a gradient that overflows in one layer stops the update of all`(
        workers: Int, estimator: GradientEstimator
    ) throws {
        let model = try Model(input: .vector(4), seed: 1) {
            Dense(units: 640)
            Tanh()
            Dense(units: 640)
            Dense(units: 3)
        }
        let network = try Network(model, estimator: estimator, workerCount: workers, dividesAlways: true)
        let elements = try network.parameters().elements.map { name, tensor in
            let factor: Float = name == "dense1.weight" ? 1e-25 : 1
            return (name: name, tensor: Tensor(shape: tensor.shape, values: tensor.values.map { $0 * factor }))
        }
        try network.load(ParameterSet(elements))
        let before = try network.parameters()
        let usual = ArrayBatch.random(model, count: 5)
        let huge = ArrayBatch(inputs: usual.inputs.map { $0.map { $0 * 1e25 } }, targets: usual.targets)
        let report = try network.step(on: huge, UpdateStep(learningRate: 0.1, lossBound: 100))
        #expect(report.statistics.meanLoss < 10)
        #expect(!report.isSound)
        #expect(report.firstUnsoundParameter == "dense1.weight")
        #expect(report.parameters.filter { !$0.gradientSquaredNorm.isFinite }.count == 1)
        #expect(try network.parameters() == before)
    }

    /// The mean over the batch could be a Float, the one example's squared norm could not.
    @Test func `where one example alone is too large the parameter is named, with a loss that is not`() throws {
        let model = try Model(input: .vector(1), seed: 3) { Dense(units: 1, weights: .constant(0)) }
        let network = try Network(model, loss: .meanSquaredError, workerCount: 1)
        var (inputs, targets) = ([[Float]](repeating: [0], count: 2048), [[Float]](repeating: [0], count: 2048))
        (inputs[7], targets[7]) = ([1e10], [1e9])
        let report = try network.step(
            on: ArrayBatch(inputs: inputs, targets: targets), UpdateStep(learningRate: 0.1))
        #expect(!report.isSound && report.statistics.meanLoss < 1e18)
        #expect(report.statistics.secondMoment < Double(Float.greatestFiniteMagnitude))
        #expect(report.firstUnsoundParameter == "dense1.weight")
    }

    /// A batch of three chunks, the examples of largest loss in the first or in the last: what the first finds says nothing of
    /// the whole.
    @Test(arguments: [1, 2], [false, true])
    func `the bound is for the mean loss of the whole batch`(workers: Int, largestFirst: Bool) throws {
        let model = try Model(input: .vector(6), seed: 3) { Dense(units: 3) }
        let count = 3 * 64 * workers
        let random = ArrayBatch.random(model, count: count)
        let network = try Network(model, workerCount: workers, dividesAlways: true)
        let before = try network.parameters()
        let losses = try network.gradient(of: random).report.exampleLosses
        let order = (0..<count).sorted { largestFirst ? losses[$0] > losses[$1] : losses[$0] < losses[$1] }
        let batch = ArrayBatch(inputs: order.map { random.inputs[$0] }, targets: order.map { random.targets[$0] })
        let (measured, gradient) = try network.gradient(of: batch)
        func mean(_ losses: some Collection<Double>) -> Double { losses.reduce(0, +) / Double(losses.count) }
        let (whole, first) = (mean(measured.exampleLosses), mean(measured.exampleLosses.prefix(count / 3)))
        #expect(largestFirst == (first > whole))

        // Between the two: on one side of it is the first chunk, on the other the batch.
        let report = try network.step(
            on: batch, UpdateStep(learningRate: 0.1, lossBound: (whole + first) / 2))
        #expect(report.isSound == largestFirst)
        #expect(report.exampleLosses == measured.exampleLosses)
        #expect(report.exampleSquaredNorms == measured.exampleSquaredNorms)
        #expect(agree(report.statistics.gradientSquaredNorm, measured.statistics.gradientSquaredNorm))
        let after = try network.parameters()
        for (name, tensor) in after.elements {
            for (index, value) in tensor.values.enumerated() {
                let old = Double(before[name]!.values[index])
                let expected = largestFirst ? old - 0.1 * Double(gradient[name]!.values[index]) : old
                #expect(agree(Double(value), expected, absolute: 1e-7, relative: 1e-6))
            }
        }
    }

    @Test(arguments: [0, 100, 191], estimators)
    func `one example that is not a number, in any chunk, stops the step`(
        position: Int, estimator: GradientEstimator
    ) throws {
        // Without a maximum, which passes over what is not a number.
        let model = try Model(input: .vector(6), seed: 3) {
            Dense(units: 20)
            ReLU()
            Dense(units: 3)
        }
        let good = ArrayBatch.random(model, count: 192)
        var inputs = good.inputs
        inputs[position] = inputs[position].map { _ in .nan }
        let network = try Network(model, estimator: estimator, workerCount: 1)
        let before = try network.parameters()
        let losses = try network.gradient(of: good).report.exampleLosses
        let report = try network.step(
            on: ArrayBatch(inputs: inputs, targets: good.targets), UpdateStep(learningRate: 0.1))
        #expect(!report.isSound)
        #expect(try network.parameters() == before)
        for (index, loss) in report.exampleLosses.enumerated() {
            #expect(index == position ? !loss.isFinite : loss == losses[index])
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
