import CABS
import Foundation
import Testing

@testable import CABSTraining

/// Continuations from one state by several batch sizes.
@Suite(.timeLimit(.minutes(10))) struct BranchTests {
    // MARK: A quadratic

    /// Least squares with inputs of plus and minus one that are orthogonal over the examples, and noise orthogonal to them: rows of a Hadamard matrix.
    private enum Quadratic {
        static let exampleCount = 4096
        /// The inputs' number; the bias counts as one more dimension.
        static let inputCount = 7
        static let dimension = Double(inputCount + 1)
        /// The deviation of the noise.
        static let deviation: Float = 0.2
        static let optimum: [Float] = [0.5, -0.75, 1, 0.25, -0.5, 0.75, -1]

        /// An entry of the Hadamard matrix by Sylvester's rule.
        static func sign(_ row: Int, _ column: Int) -> Float { (row & column).nonzeroBitCount % 2 == 0 ? 1 : -1 }

        static func data(_ deviation: Float = deviation) throws -> TrainingData {
            var (inputs, targets): ([Float], [Float]) = ([], [])
            for row in 0..<exampleCount {
                let input = (0..<inputCount).map { sign(row, 1 << $0) }
                inputs += input
                targets.append(
                    zip(input, optimum).reduce(0) { $0 + $1.0 * $1.1 } + deviation * sign(row, 1 << inputCount))
            }
            let set = try ArrayDataset(
                inputs: inputs, inputShape: .vector(inputCount), targets: targets, targetCount: 1)
            return try TrainingData(name: "quadratic", training: set, test: set)
        }

        /// Where parameters are zero.
        static func point(
            learningRate: Double, batchSize: Int, deviation: Float = deviation, weight: Float = 0
        ) throws -> BranchPoint {
            let model = try Model(input: .vector(inputCount), seed: 0) {
                Dense(units: 1, weights: .constant(weight))
            }
            let tensors = CheckpointTensors(parameters: model.initialParameters(), optimizer: ParameterSet([]))
            return BranchPoint(
                model: model, modelName: "line", data: try data(deviation),
                progress: TrainingProgress(stepCount: 5, exampleCount: 80, examplesPerEpoch: exampleCount),
                batchSize: batchSize, learningRate: learningRate, loss: .meanSquaredError,
                optimizer: try OptimizerName("sgd"), weightDecay: 0, lossBound: 1e6, gradientBound: .infinity,
                tensors: tensors, workerCount: 1)
        }

        /// The expected loss after some examples by batches of m at rate α, drawn one by one. With the error e of the parameters, s = E‖e‖², a = 2α and d
        /// dimensions, a step makes `s ← (1 − a)² s + (a²/m) ((d − 1) s + d σ²)`; the loss is s + σ².
        static func expectedLoss(batchSize: Int, learningRate: Double, exampleCount: Int) -> Double {
            let (a, m, noise) = (2 * learningRate, Double(batchSize), Double(deviation) * Double(deviation))
            var s = optimum.reduce(0) { $0 + Double($1) * Double($1) }
            for _ in 0..<(exampleCount / batchSize) {
                s = (1 - a) * (1 - a) * s + a * a / m * ((dimension - 1) * s + dimension * noise)
            }
            return s + noise
        }
    }

    @Test(arguments: [(nil, 0.05), (RateScaling.linear, 0.05), (.squareRoot, 0.3)] as [(RateScaling?, Double)])
    func `on a quadratic the losses and the critical batch size are those of theory`(
        scaling: RateScaling?, learningRate: Double
    ) async throws {
        let folder = try TemporaryFolder()
        let sizes = [4, 8, 16, 32, 64, 128, 256]
        var request = Branching.Request()
        (request.exampleCount, request.scaling, request.tolerance) = (1024, scaling, 0.02)
        let branching = try Branching(
            Quadratic.point(learningRate: learningRate, batchSize: 16), named: "quadratic", request,
            in: folder.url.appending(path: "branch"))
        for size in sizes { for order in 0..<12 { _ = try await branching.make(batchSize: size, order: order) } }
        let table = try branching.table()
        #expect(table.sizes.map(\.batchSize) == sizes)
        var best = Double.infinity
        var critical = 0
        for size in table.sizes {
            let rate = size.results[0].learningRate
            #expect(rate == learningRate * (scaling?.factor(batchSize: size.batchSize, first: 16) ?? 1))
            let expected = Quadratic.expectedLoss(
                batchSize: size.batchSize, learningRate: rate, exampleCount: 1024)
            // Diverging expectations are carried by rare draws.
            if expected < 10 {
                let mean = try #require(size.meanLoss)
                let spread = size.losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 11
                // Drawing without replacement has up to a quarter less noise.
                #expect(abs(mean - expected) < 4 * (spread / 12).squareRoot() + 0.25 * (expected - 0.04) + 1e-4)
            }
            if expected <= best + 0.02 { critical = size.batchSize }
            best = min(best, expected)
        }
        #expect(table.critical(tolerance: 0.02)?.batchSize == critical)
        #expect(critical > 4 && critical < 256)
    }

    // MARK: The critical size

    private static func table(_ losses: [Int: [Double?]]) -> BranchTable {
        BranchTable(
            losses.flatMap { size, losses in
                losses.enumerated().map {
                    BranchResult(
                        batchSize: size, order: $0, learningRate: 0.1, steps: 1, loss: $1, testLoss: nil,
                        testAccuracy: nil)
                }
            })
    }

    @Test func `the critical size is the largest that no smaller one beats by more than the tolerance`() {
        let table = Self.table([
            16: [0.50, 0.52], 32: [0.49, 0.50], 64: [0.50, 0.52], 128: [0.505, 0.49], 256: [0.60, 0.70],
        ])
        #expect(table.critical(tolerance: 0.01) == .init(batchSize: 128, isLargestTried: false))
        #expect(table.critical(tolerance: 0) == .init(batchSize: 32, isLargestTried: false))
        #expect(table.critical(tolerance: 1) == .init(batchSize: 256, isLargestTried: true))
        #expect(table.criticalByOrder(tolerance: 0.01).map(\.batchSize) == [64, 128])
        // One that diverged does harm, and so do all beyond it.
        #expect(Self.table([16: [0.5], 32: [nil]]).critical(tolerance: 0.1)?.batchSize == 16)
        #expect(Self.table([16: [0.5], 32: [nil], 64: [0.5]]).critical(tolerance: 0.1)?.batchSize == 16)
        #expect(Self.table([16: [nil], 32: [0.5]]).critical(tolerance: 0.1) == nil)
        #expect(Self.table([16: [nil]]).critical(tolerance: 0.1) == nil)
    }

    @Test func `why there is no critical size is said, and how far orders are apart`() throws {
        guard case .nothingEnded = Self.table([:]).finding(tolerance: 0.1),
            case .smallestDiverged(batchSize: 16) = Self.table([16: [0.5, nil], 32: [0.5, 0.5]]).finding(tolerance: 0.1),
            case .found(let critical, let orders?) = Self.table([16: [0.5, 0.5], 32: [0.5, 0.9]]).finding(
                tolerance: 0.1)
        else {
            Issue.record("other findings")
            return
        }
        #expect(critical == .init(batchSize: 16, isLargestTried: false))
        #expect(orders.lowest.batchSize == 16 && orders.highest == .init(batchSize: 32, isLargestTried: true))
        guard case .found(_, orders: nil) = Self.table([16: [0.5]]).finding(tolerance: 0) else {
            Issue.record("one order has a range")
            return
        }
    }

    @Test func `sizes are compared over the orders that all of them have`() {
        let table = Self.table([16: [0.5, 0.6, 0.9], 32: [0.5, 0.7]])
        #expect(table.sizes.map { $0.results.count } == [2, 2])
        #expect(table.sizes[0].meanLoss == 0.55)
        #expect(Self.table([:]).sizes.isEmpty)
    }

    // MARK: What rules would choose

    @Test func `rules come to rest where their formulas say`() throws {
        let measurement = try Self.measurement(loss: 0.5, trace: 40, squaredNorm: 0.2)
        let found = try RuleForecast.all(
            measurement, learningRate: 0.5, followsGradient: true, initialLoss: 2, lossFloor: 0)
        let sizes = Dictionary(uniqueKeysWithValues: found.map { ($0.rule, $0.batchSize) })
        // α T (1 − 1/m) / F; T/‖∇F‖²; a norm test where S/m = θ² ‖g‖² with the batch's own norm, ‖∇F‖² + T/m; m₀ F₀/F.
        #expect(sizes["cabs"] == 39 && sizes["noise-scale"] == 200)
        #expect(sizes["adadamp"] == 64)
        let test = try #require(sizes["norm-test:0.9"])
        #expect(abs(Double(test) - 200 * (1 - 0.81) / 0.81) < 2)
        #expect(abs(Double(try #require(sizes["simigrad:0.5"])) - 400) < 60)
        var options = TrainingOptions()
        (options.initialBatchSize, options.factor, options.lossFloor) = (8, 2, 0.25)
        let own = try RuleForecast.all(
            measurement, learningRate: 0.5, followsGradient: true, initialLoss: 2, options, lossFloor: 0)
        // c α T (1 − 1/m) / (F − F*), and m₀ (F₀ − F*)/(F − F*).
        #expect(own.first { $0.rule == "cabs" }?.batchSize == 159)
        #expect(own.first { $0.rule == "adadamp" }?.batchSize == 56)
        #expect(sizes["geometric:1.1"] == nil && sizes["step:2:20"] == nil)
        let underAdam = try RuleForecast.all(
            measurement, learningRate: 0.5, followsGradient: false, initialLoss: nil, lossFloor: 0)
        #expect(!underAdam.map(\.rule).contains("cabs") && !underAdam.map(\.rule).contains { $0.hasPrefix("adadamp") })
    }

    /// A measurement whose values are given.
    private static func measurement(loss: Double, trace: Double, squaredNorm: Double) throws -> GradientMeasurement {
        func estimate(_ value: Double) -> [String: Double] { ["value": value, "standard_error": 0] }
        let noise: [String: Any] = [
            "covariance_trace": estimate(trace), "gradient_squared_norm": estimate(squaredNorm),
        ]
        let distribution: [String: Any] = [
            "mean": 1, "minimum": 1, "lower_quartile": 1, "median": 1, "upper_quartile": 1, "maximum": 1,
            "edges": [1, 1],
            "counts": [1],
        ]
        let object: [String: Any] = [
            "example_count": 100, "group_count": 10, "seed": 0, "loss": estimate(loss), "noise": noise, "layers": [],
            "losses": distribution, "gradient_norms": distribution, "classes": [], "largest_losses": [],
            "largest_gradients": [],
        ]
        return try JSONFile.decode(GradientMeasurement.self, from: JSONSerialization.data(withJSONObject: object))
    }

    // MARK: Folders

    @Test func `what was made is not made again, and other conditions are refused`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "branch")
        let point = try Quadratic.point(learningRate: 0.05, batchSize: 16)
        var request = Branching.Request()
        request.exampleCount = 64
        func make(_ request: Branching.Request) throws -> Branching {
            try Branching(point, named: "q", request, in: url)
        }
        do {
            let first = try make(request)
            #expect(!(try await first.make(batchSize: 16, order: 0).wasMadeBefore))
            await #expect(throws: CancellationError.self) {
                _ = try await first.make(batchSize: 16, order: 1) { $0 > 0.5 }
            }
            // Another process must not write between.
            #expect(throws: TrainingError.self) { _ = try make(request) }
        }
        let before = try Branching(existing: url).results()
        request.tolerance = 0.5
        do {
            let second = try make(request)
            let again = try await second.make(batchSize: 16, order: 0)
            #expect(again.wasMadeBefore && [again.result] == before)
            #expect(!(try await second.make(batchSize: 16, order: 1).wasMadeBefore))
        }
        #expect(try Branching(existing: url).setting.tolerance == 0.5)
        request.exampleCount = 65
        #expect {
            _ = try make(request)
        } throws: {
            "\($0)".contains("holds continuations made with examples 64, and now it is 65; give what they began with")
        }
        request.exampleCount = 64
        // Others of nearly the same loss.
        for (deviation, weight) in [(Float(0.200_001), Float(0)), (0.2, 1e-6)] {
            let other = try Quadratic.point(learningRate: 0.05, batchSize: 16, deviation: deviation, weight: weight)
            #expect(throws: TrainingError.self, "\(deviation) \(weight)") {
                _ = try Branching(other, named: "q", request, in: url)
            }
        }
        _ = try make(request)
        request.scaling = .linear
        #expect(throws: TrainingError.self) { _ = try make(request) }
        try Data("batch_size\n1,2\n".utf8).write(to: url.appending(path: "branches.csv"))
        #expect(throws: TrainingError.self) { _ = try Branching(existing: url).results() }
    }

    @Test func `a rate that followed the batch is the next step's, and rules read the one before`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let options = ResumeTests.options {
            ($0.batchSize, $0.factor, $0.shadow, $0.compareEstimators) = ("geometric:2", nil, nil, nil)
            ($0.steps, $0.scaleRate, $0.learningRate) = (4, .linear, 0.01)
        }
        try await ResumeTests.run(options, in: url)
        let point = try BranchPoint(at: url)
        let size = point.batchSize
        #expect(size > 16 && abs(point.learningRate - 0.01 * Double(size) / 4) < 1e-12)
        var request = Branching.Request()
        (request.scaling, request.evaluatedCount, request.exampleCount) = (.linear, 64, 2 * size)
        let branching = try Branching(point, named: "run", request, in: folder.url.appending(path: "branch"))
        let made = try await branching.make(batchSize: size, order: 0)
        #expect(abs(made.result.learningRate - point.learningRate) < 1e-12)
        let unscaled = try RuleForecast.all(
            GradientMeasurement(
                of: Network(point.model, loss: point.loss, workerCount: 1, parameters: point.tensors.parameters),
                on: point.data, exampleCount: 64, seed: 0, stepCount: nil, rule: nil),
            learningRate: 0.01, followsGradient: true, initialLoss: point.initialLoss, point.ruleOptions, lossFloor: 0)
        #expect(branching.setting.forecasts.map(\.rule) == unscaled.map(\.rule))
        for (a, b) in zip(branching.setting.forecasts, unscaled) { #expect(abs(a.batchSize - b.batchSize) <= 1) }
        #expect(branching.setting.ruleLearningRate.map { abs($0 - 0.01) < 1e-12 } ?? false)
        // A rate that is given is what rules read.
        request.learningRate = point.learningRate
        let given = try Branching(point, named: "run", request, in: folder.url.appending(path: "given"))
        func cabs(_ branching: Branching) -> Int? { branching.setting.forecasts.first { $0.rule == "cabs" }?.batchSize }
        #expect(given.setting.ruleLearningRate == nil && cabs(given)! > cabs(branching)!)
    }

    @Test func `with dropout the loss before is told as continuations are evaluated, too`() throws {
        let folder = try TemporaryFolder()
        let plain = try Quadratic.point(learningRate: 0.05, batchSize: 16)
        let model = try Model(input: .vector(Quadratic.inputCount), seed: 0) {
            Dropout(rate: 0.5)
            Dense(units: 1, weights: .constant(0.5))
        }
        func setting(_ model: Model) throws -> Branching.Setting {
            let point = BranchPoint(
                model: model, modelName: "line", data: plain.data, progress: plain.progress, batchSize: 16,
                learningRate: 0.05, loss: .meanSquaredError, optimizer: plain.optimizer, weightDecay: 0, lossBound: 1e6,
                gradientBound: .infinity,
                tensors: CheckpointTensors(parameters: model.initialParameters(), optimizer: ParameterSet([])),
                workerCount: 1)
            let url = folder.url.appending(path: "\(model.layers.count)")
            return try Branching(point, named: "q", Branching.Request(), in: url).setting
        }
        let found = try setting(model)
        // Every example has each input as often as its opposite, so the loss without dropout is the squared distance and the noise.
        let distance = Quadratic.optimum.reduce(0) { $0 + (Double($1) - 0.5) * (Double($1) - 0.5) }
        let expected = distance + Double(Quadratic.deviation * Quadratic.deviation)
        #expect(abs(try #require(found.lossWithoutDropout) - expected) < 1e-4 * expected)
        #expect(found.loss.value > 1.2 * expected && found.lossText.contains("with dropout"))
        let without = try Model(input: .vector(Quadratic.inputCount), seed: 0) {
            Dense(units: 1, weights: .constant(0.5))
        }
        #expect(try setting(without).lossWithoutDropout == nil)
    }

    @Test func `what rules would choose does not depend on how long the run's averages are`() async throws {
        let folder = try TemporaryFolder()
        func forecasts(_ smoothing: Double) async throws -> [RuleForecast] {
            let url = folder.url.appending(path: "run-\(smoothing)")
            try await ResumeTests.run(
                ResumeTests.options {
                    ($0.steps, $0.smoothing, $0.shadow, $0.compareEstimators) = (4, smoothing, nil, nil)
                    ($0.minimumBatchSize, $0.maximumBatchSize, $0.initialBatchSize) = (16, 16, 16)
                }, in: url)
            var request = Branching.Request()
            (request.evaluatedCount, request.exampleCount) = (64, 64)
            return try Branching(BranchPoint(at: url), named: "run", request, in: url.appending(path: "branch"))
                .setting.forecasts
        }
        #expect(try await forecasts(0.9999) == forecasts(0.5))
    }

    @Test func `continuations go by orders and examples of their own, not by the run's`() async throws {
        let folder = try TemporaryFolder()
        let point = try Quadratic.point(learningRate: 0.05, batchSize: 16)
        let training = point.data.training
        var request = Branching.Request()
        (request.exampleCount, request.evaluatedCount) = (256, 64)
        let branching = try Branching(point, named: "q", request, in: folder.url.appending(path: "branch"))
        func loss(_ order: ExampleOrder.Kind, _ evaluated: DatasetBatch) async throws -> Double? {
            try await point.end(
                batchSize: 16, learningRate: 0.05, order: order, exampleCount: 256, evaluated: evaluated)?
                .evaluation.meanLoss
        }
        let sample = try MeasurementSample(64, of: training, seed: 0).batch
        var run = try ExampleOrder(.shuffled(seed: 0), exampleCount: training.count)
        let first = DatasetBatch(training, indices: run.next(64))
        let made = try await branching.make(batchSize: 16, order: 0).result.loss
        #expect(try await made == loss(Branching.order(0), sample))
        #expect(try await made != loss(run.kind, sample))
        #expect(try await made != loss(Branching.order(0), first))
        let kinds = (0..<3).map { ExampleOrder.Kind.shuffled(seed: $0) }
        let own = (-1..<3).map { Branching.order($0) }
        #expect(Set(own).count == 4 && Set(own).isDisjoint(with: kinds))
    }

    @Test(arguments: ["16,0,0.1,1875,0.05x,0.06,0.98", "16,0,0.1,many,0.05,0.06,0.98", "16,0,0.1,1875,0.05,0.06"])
    func `a damaged line is no continuation that diverged`(line: String) throws {
        #expect(BranchResult(line: line[...]) == nil)
        #expect(BranchResult(line: "16,0,0.1,,,,").map { $0.loss == nil } ?? false)
    }

    @Test func `a rule that asks for more than any is asked for asks for so many or more`() throws {
        let measurement = try Self.measurement(loss: 1e-9, trace: 40, squaredNorm: 0.2)
        let found = try RuleForecast.all(
            measurement, learningRate: 0.5, followsGradient: true, initialLoss: nil, lossFloor: 0)
        #expect(found.filter(\.isAtLeast).map(\.rule) == ["cabs"])
    }

    @Test func `a folder that was begun and not set up is no obstacle, sizes that do not fit are`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "branch")
        let point = try Quadratic.point(learningRate: 0.05, batchSize: 16)
        var request = Branching.Request()
        request.batchSizes = [1 << 40]
        #expect(throws: TrainingError.self) { _ = try Branching(point, named: "q", request, in: url) }
        #expect(!FileManager.default.fileExists(atPath: url.path))
        request.batchSizes = []
        // Set up, but nothing made of it: other conditions are none that continuations began with.
        request.exampleCount = 32
        do { _ = try Branching(point, named: "q", request, in: url) }
        (request.exampleCount, request.evaluatedCount) = (64, 3)
        #expect(throws: TrainingError.self) { _ = try Branching(point, named: "q", request, in: url) }
        request.evaluatedCount = 64
        let branching = try Branching(point, named: "q", request, in: url)
        var large = request
        large.batchSizes = [16, 65]
        #expect(throws: TrainingError.self) { _ = try Branching(point, named: "q", large, in: url) }
        await #expect(throws: TrainingError.self) { _ = try await branching.make(batchSize: 65, order: 0) }
        request.exampleCount = .max
        #expect(throws: TrainingError.self) { _ = try Branching(point, named: "q", request, in: url) }
    }

    @Test func `the state goes on as the run would: same size, rate and order, same parameters`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        let options = ResumeTests.options {
            ($0.batchSize, $0.factor, $0.minimumBatchSize) = ("constant:16", nil, nil)
            ($0.steps, $0.seed) = (40, 0)
            ($0.optimizer, $0.learningRate, $0.checkpointEvery) = ("momentum:0.9", 0.02, "20")
        }
        try await ResumeTests.run(options, in: url)
        let file = RunDirectory(existing: url).checkpointFolder.appending(path: "step-000000020.safetensors")
        let point = try BranchPoint(at: file)
        #expect(point.batchSize == 16 && point.learningRate == 0.02 && point.progress.stepCount == 20)
        // The run's own order has its seed.
        let evaluated = DatasetBatch(point.data.training, indices: Array(0..<500))
        let end = try await point.end(
            batchSize: 16, learningRate: 0.02, order: .shuffled(seed: 0), exampleCount: 320, evaluated: evaluated)
        let run = try await BranchPoint(at: url).end(
            batchSize: 1, learningRate: 1e-12, order: .shuffled(seed: 0), exampleCount: 1, evaluated: evaluated)
        let (branched, whole) = (try #require(end), try #require(run))
        #expect(branched.stepCount == 20)
        #expect(abs(branched.evaluation.meanLoss - whole.evaluation.meanLoss) < 1e-6 * whole.evaluation.meanLoss)
        // Rules read what momentum makes of the rate.
        var request = Branching.Request()
        (request.evaluatedCount, request.exampleCount) = (64, 64)
        let setting = try Branching(point, named: "run", request, in: folder.url.appending(path: "branch")).setting
        #expect(setting.ruleLearningRate.map { abs($0 - 0.2) < 1e-12 } ?? false)
    }
}
