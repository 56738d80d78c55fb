import CABS
import CABSExamples
import CABSRanks
import Testing

@testable import CABSNetwork

/// Several ranks, as threads of this process, train as one process does.
@Suite(.timeLimit(.minutes(10))) struct RankTests {
    /// What a network came to over some steps.
    struct Course: Sendable, Equatable {
        var reports: [StepReport] = []
        var parameters: ParameterSet
        var optimizer: ParameterSet
        var average: ParameterSet?

        /// Everything as text, which is the same only where all bits are.
        static func == (a: Course, b: Course) -> Bool {
            func text(_ course: Course) -> [String] {
                course.reports.map { "\($0.statistics) \($0.exampleLosses) \($0.exampleSquaredNorms) \($0.parameters)" }
            }
            return text(a) == text(b) && a.parameters == b.parameters && a.optimizer == b.optimizer
                && a.average == b.average
        }
    }

    static func course(
        _ model: Model, sizes: [Int], update: UpdateMethod = .momentum(0.9), bound: Double = .infinity,
        estimator: GradientEstimator = .exact, exchange: GradientExchange = .automatic, workers: Int = 1,
        ranks: Communicator? = nil
    ) throws -> Course {
        let network = try Network(
            model, estimator: estimator, update: update, averagesParameters: true, workerCount: workers, ranks: ranks,
            exchange: exchange, dividesAlways: true)
        var course = Course(parameters: model.initialParameters(), optimizer: ParameterSet([]))
        var drawn: UInt64 = 0
        for (index, size) in sizes.enumerated() {
            let batch = ArrayBatch.random(model, count: size, seed: UInt64(index), firstDraw: drawn)
            drawn += UInt64(size)
            course.reports.append(
                try network.step(
                    on: batch,
                    UpdateStep(learningRate: 0.02, weightDecay: 0.01, gradientBound: bound, updateCount: index)))
            network.addToAverage(weight: 1 / Double(index + 1))
        }
        course.parameters = try network.parameters()
        course.optimizer = try network.optimizerState()
        course.average = try network.average()
        return course
    }

    static func expect(_ found: Course, isLike one: Course, _ what: String) {
        for (index, (a, b)) in zip(found.reports, one.reports).enumerated() {
            let place = "step \(index), \(what)"
            #expect(a.isSound && b.isSound, "\(place)")
            #expect(a.correctCount == b.correctCount, "\(place)")
            #expect(agree(a.statistics.meanLoss, b.statistics.meanLoss, relative: 1e-4), "\(place)")
            #expect(
                agree(a.statistics.gradientSquaredNorm, b.statistics.gradientSquaredNorm, relative: 1e-3), "\(place)")
            #expect(zip(a.exampleLosses, b.exampleLosses).allSatisfy { agree($0, $1, absolute: 1e-4) }, "\(place)")
            #expect(
                zip(a.exampleSquaredNorms, b.exampleSquaredNorms).allSatisfy { agree($0, $1, relative: 1e-3) },
                "\(place)")
            for (x, y) in zip(a.parameters, b.parameters) {
                #expect(agree(x.gradientSquaredNorm, y.gradientSquaredNorm, absolute: 1e-7, relative: 1e-3), "\(place)")
                if !b.exampleSquaredNorms.isEmpty {
                    #expect(agree(x.secondMoment, y.secondMoment, absolute: 1e-7, relative: 1e-3), "\(place)")
                }
            }
        }
        for (a, b) in [
            (found.parameters, one.parameters), (found.optimizer, one.optimizer), (found.average!, one.average!),
        ] {
            for (x, y) in zip(a.elements, b.elements) {
                #expect(
                    zip(x.tensor.values, y.tensor.values).allSatisfy {
                        agree(Double($0), Double($1), absolute: 5e-5, relative: 1e-3)
                    }, "\(x.name), \(what)")
            }
        }
    }

    @Test(arguments: 1...5, GradientExchange.allCases)
    func `twenty steps are those of one process, for batches around the number of ranks and of several chunks`(
        ranks: Int, exchange: GradientExchange
    ) async throws {
        let model = try BatchTests.model()
        // Empty shares first, and again after steps whose sums are still there.
        let few = [1, max(ranks - 1, 1)]
        let sizes = few + [ranks, ranks + 1, 64, 257] + few + Array(repeating: 16, count: 12)
        let one = try Self.course(model, sizes: sizes)
        let found = await ThreadRanks.run(ranks) { communicator in
            // Unlike numbers of workers are no obstacle.
            try Self.course(
                model, sizes: sizes, exchange: exchange, workers: 1 + communicator.rank % 2, ranks: communicator)
        }
        let first = try found[0].get()
        Self.expect(first, isLike: one, "\(ranks) ranks, \(exchange)")
        for course in found { #expect(try course.get() == first, "\(ranks) ranks, \(exchange)") }
        if ranks == 1 { #expect(try Self.course(model, sizes: sizes, workers: 1) == first) }
    }

    @Test func `rows are those of all examples where a small network's step is made by one worker of several`()
        async throws
    {
        let model = try Model(input: .vector(40), seed: 3, layers: [Dense(units: 60), Tanh(), Dense(units: 3)])
        let batch = ArrayBatch.random(model, count: 250)
        let (report, gradient) = try Network(model, workerCount: 2).gradient(of: batch)
        for exchange in [GradientExchange.rows, .automatic] {
            let found = await ThreadRanks.run(2) { communicator in
                try Network(model, workerCount: 2, ranks: communicator, exchange: exchange).gradient(of: batch)
            }
            for result in found {
                let (own, ownGradient) = try result.get()
                #expect(
                    agree(own.statistics.gradientSquaredNorm, report.statistics.gradientSquaredNorm, relative: 1e-4))
                for (a, b) in zip(ownGradient.elements, gradient.elements) {
                    #expect(zip(a.tensor.values, b.tensor.values).allSatisfy { agree(Double($0), Double($1)) })
                }
            }
        }
    }

    @Test(arguments: GradientTests.settings)
    func `gradients and statistics are those of the formulas`(setting: GradientTests.Setting) async throws {
        let model = try Model(input: setting.input, seed: 3, layers: setting.layers)
        let count = 4
        let batch = ArrayBatch.random(model, count: count)
        let oracle = Oracle(model, setting.loss, model.initialParameters())
        let losses = (0..<count).map { oracle.loss(batch.inputs[$0], batch.targets[$0], draw: UInt64($0)) }
        let gradients = (0..<count).map {
            Backpropagation(oracle, batch.inputs[$0], batch.targets[$0], draw: UInt64($0)).gradients
        }
        for exchange in [GradientExchange.rows, .gradients] {
            let found = await ThreadRanks.run(3) { communicator in
                try Network(
                    model, loss: setting.loss, workerCount: 2, ranks: communicator, exchange: exchange,
                    dividesAlways: true
                ).gradient(of: batch)
            }
            for result in found {
                try GradientTests.expect(result.get(), losses, gradients, "3 ranks, \(exchange)")
            }
        }
    }

    @Test(arguments: OptimizerTests.methods)
    func `every optimiser keeps what it keeps once, and leaves the same bits each time`(
        method: OptimizerTests.Method
    ) async throws {
        let model = try OptimizerTests.model()
        let sizes = Array(repeating: 9, count: 20)
        let one = try Self.course(model, sizes: sizes, update: method.update)
        var earlier: Course?
        for _ in 0..<2 {
            let found = try await ThreadRanks.run(3) {
                try Self.course(model, sizes: sizes, update: method.update, workers: 2, ranks: $0)
            }.map { try $0.get() }
            // Adam divides by roots of tiny numbers, in which rounding is large.
            if method.update.followsGradient { Self.expect(found[0], isLike: one, method.name) }
            for course in found { #expect(course == earlier ?? found[0]) }
            earlier = found[0]
        }
    }

    @Test(arguments: [GradientEstimator.unmeasured, .reference])
    func `bounded gradients and other estimators are those of one process`(estimator: GradientEstimator) async throws {
        let model = try BatchTests.model()
        let sizes = Array(repeating: 13, count: 10)
        let one = try Self.course(model, sizes: sizes, bound: 0.05, estimator: estimator)
        let found = await ThreadRanks.run(2) {
            try Self.course(model, sizes: sizes, bound: 0.05, estimator: estimator, ranks: $0)
        }
        for course in found { try Self.expect(course.get(), isLike: one, "\(estimator)") }
    }

    @Test(arguments: [0, 5, 8]) func `an unsound example on one rank keeps all from the step`(position: Int)
        async throws
    {
        let model = try BatchTests.model()
        var batch = ArrayBatch.random(model, count: 9)
        batch.inputs[position][3] = .nan
        let broken = batch
        let found = await ThreadRanks.run(3) { communicator in
            let network = try Network(model, update: .momentum(0.9), workerCount: 1, ranks: communicator)
            let report = try network.step(on: broken, UpdateStep(learningRate: 0.1))
            let next = try network.step(on: ArrayBatch.random(model, count: 9), UpdateStep(learningRate: 0))
            return (report.isSound, try network.parameters(), next.isSound)
        }
        for result in found {
            let (isSound, parameters, nextIsSound) = try result.get()
            #expect(!isSound && nextIsSound)
            #expect(parameters == model.initialParameters())
        }
    }

    @Test func `evaluations are of all examples, and what is told comes to all`() async throws {
        let model = try BatchTests.model()
        let batch = ArrayBatch.random(model, count: 101)
        let one = try Network(model, workerCount: 1).evaluate(batch)
        let found = await ThreadRanks.run(3) { communicator in
            let network = try Network(model, workerCount: 1, ranks: communicator)
            let report = try network.step(on: batch, UpdateStep(learningRate: 0)) { [Double(communicator.rank), 7] }
            return (try network.evaluate(batch), report.told, report.phaseSeconds[.exchange]!)
        }
        for result in found {
            let (evaluation, told, seconds) = try result.get()
            #expect(evaluation.accuracy == one.accuracy)
            #expect(agree(evaluation.meanLoss, one.meanLoss, relative: 1e-6))
            #expect(told == [[0, 7], [1, 7], [2, 7]])
            #expect(seconds > 0)
        }
    }

    @Test(arguments: [(ModelName.cifar10TwoConvThreeDense, 24, 3, 277), (.mnistTwoConvTwoDense, 28, 1, 620)])
    func `rows are exchanged where they are fewer than gradients`(
        name: ModelName, size: Int, channels: Int, expected: Int
    ) throws {
        // (2304 · 384 + 384 + 384 · 192 + 192 + 192 · 10 + 10) / (2304 + 2 · 384 + 2 · 192 + 10), and
        // (3136 · 1024 + 1024 + 1024 · 10 + 10) / (3136 + 2 · 1024 + 10).
        let model = try name.model(
            input: .image(height: size, width: size, channels: channels), outputCount: 10, seed: 0)
        #expect(try Network.largestBatchExchangedAsRows(of: model) == expected)
    }

    @Test func `no rank waits for one that left in the middle of a run`() async throws {
        let model = try BatchTests.model()
        let found = await ThreadRanks.run(3) { communicator in
            let network = try Network(model, workerCount: 2, ranks: communicator, dividesAlways: true)
            for index in 0..<10 {
                if communicator.rank == 2, index == 5 { return communicator.leave() }
                _ = try network.step(on: ArrayBatch.random(model, count: 40), UpdateStep(learningRate: 0.1))
            }
        }
        for rank in 0..<2 { #expect(throws: RankError.rankLeft(rank: 2)) { try found[rank].get() } }
    }
}
