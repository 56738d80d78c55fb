import CABS
import CABSData
import CABSExamples
import CABSNetwork
import Foundation

/// A folder of continuations from one state of a run: `branch.json` with what they have in common, and `branches.csv` with a line for each.
///
/// A continuation that has ended is never made again; others begin anew where they were interrupted.
public struct Branching: Sendable {
    /// The folder.
    public let url: URL
    /// What the continuations have in common.
    public let setting: Setting
    private let point: BranchPoint?
    private let lock: RunLock?

    /// What continuations have in common.
    public struct Setting: Sendable, Hashable, Codable {
        /// The run or checkpoint, as it was named.
        public let from: String
        /// The data set.
        public let dataset: String
        /// The model's name.
        public let model: String
        /// The number of updates made before.
        public let stepCount: Int
        /// The size that the next batch was to have: learning rates follow the batch relative to it.
        public let batchSize: Int
        /// The learning rate at that size.
        public let learningRate: Double
        /// The effective learning rate that rules read there, where it is another: without what follows from the batch size, and with what
        /// momentum makes of it.
        public let ruleLearningRate: Double?
        /// How the learning rate follows the batch size, if it does.
        public let scaling: RateScaling?
        /// How many examples each continuation goes.
        public let exampleCount: Int
        /// On how many training examples it is evaluated.
        public let evaluatedCount: Int
        /// By how much a loss may exceed that of smaller batches and do no harm.
        public var tolerance: Double
        /// The loss before, of examples changed at random as training changes them, with dropout.
        public let loss: Estimate
        /// The loss before as continuations are evaluated, where dropout makes it another.
        public let lossWithoutDropout: Double?
        /// The noise of the gradient before.
        public let noise: GradientNoise
        /// What rules would choose there.
        public let forecasts: [RuleForecast]
        /// The data, and the checksum of all tensors of the state; nothing in folders of versions that did not note them.
        let data: DataFingerprint?
        let state: String?

        /// The loss before, for people to read.
        public var lossText: String {
            lossWithoutDropout.map { "\(loss.text) with dropout, \($0.text()) without" } ?? loss.text
        }
    }

    /// What is asked for.
    public struct Request: Sendable {
        /// The sizes that continuations will have.
        public var batchSizes: [Int] = []
        /// How many examples each continuation goes; an epoch where not given.
        public var exampleCount: Int?
        /// The learning rate at the run's own batch size; that of its next step where not given.
        public var learningRate: Double?
        /// How the learning rate follows the batch size.
        public var scaling: RateScaling?
        /// On how many training examples to measure before, and to evaluate after.
        public var evaluatedCount = 8192
        /// By how much a loss may exceed that of smaller batches and do no harm.
        public var tolerance = 0.01

        /// Creates a request of the defaults.
        public init() {}
    }

    private static let settingName = "branch.json"
    private var settingFile: URL { url.appending(path: Self.settingName) }
    private var resultsFile: URL { url.appending(path: "branches.csv") }

    /// Whether a folder is one of continuations.
    public static func isOne(_ url: URL) -> Bool {
        FileManager.default.fileExists(atPath: url.appending(path: settingName).path)
    }

    /// Makes the folder, or takes one up again.
    ///
    /// - Parameters:
    ///   - point: Where continuations branch off.
    ///   - name: What it is called.
    ///   - request: What is asked for.
    ///   - url: The folder.
    /// - Throws: ``TrainingError`` where the folder holds something else, or continuations of another kind, or what is asked for is out of range.
    public init(
        _ point: BranchPoint, named name: String, _ request: Request, in url: URL
    ) throws {
        try Self.check(request, point)
        let earlier = Self.isOne(url) ? try Branching(existing: url) : nil
        // A lock alone is what a call has left that did not get as far as its setting.
        if earlier == nil, let contents = try? FileManager.default.contentsOfDirectory(atPath: url.path),
            contents.contains(where: { $0 != RunLock.fileName })
        {
            throw TrainingError.outputExists(path: url.path)
        }
        try OutputFolder.make(at: url)
        (self.url, self.point, lock) = (url, point, try RunLock(url))
        let found = try Setting(point, named: name, request)
        if let earlier, !(try earlier.results().isEmpty) { try found.check(continues: earlier.setting, in: url) }
        setting = found
        do {
            try DurableFile.write(JSONFile.data(of: found), to: settingFile)
        } catch let error as EncodingError {
            throw TrainingError.unwritable(path: settingFile.path, reason: "\(error)")
        }
    }

    /// Opens a folder to read.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)``.
    public init(existing url: URL) throws {
        (self.url, setting, point, lock) = (url, try Self.setting(in: url), nil, nil)
    }

    private static func setting(in url: URL) throws -> Setting {
        let file = url.appending(path: settingName)
        guard let data = try? Data(contentsOf: file), let setting = try? JSONFile.decode(Setting.self, from: data)
        else { throw TrainingError.unreadable(path: file.path, reason: "it is not of cabs branch") }
        return setting
    }

    private static func check(_ request: Request, _ point: BranchPoint) throws {
        let rate = request.learningRate ?? point.learningRate
        guard rate > 0, rate.isFinite else {
            throw TrainingError.contradiction(
                "the learning rate there is \(rate), at which nothing goes on; add --learning-rate")
        }
        if let count = request.exampleCount, !(1...1 << 50).contains(count) {
            throw TrainingError.invalidOption(option: "examples", value: "\(count)", allowed: "from 1 to \(1 << 50)")
        }
        guard request.tolerance >= 0, request.tolerance.isFinite else {
            throw TrainingError.negative(option: "tolerance", value: request.tolerance)
        }
        try GradientMeasurement.check(request.evaluatedCount, named: "evaluate", of: point.data)
        for size in request.batchSizes { try check(size, fits: request.exampleCount ?? point.data.training.count) }
    }

    /// Checks that a size can be compared: a batch must fit into what a continuation goes.
    private static func check(_ batchSize: Int, fits exampleCount: Int) throws(TrainingError) {
        try BatchSizeRule.requirePossible(batchSize, "batch-sizes")
        guard batchSize <= exampleCount else {
            throw .invalidOption(
                option: "batch-sizes", value: "\(batchSize)",
                allowed: "at most the \(exampleCount) examples that each continuation goes")
        }
    }

    /// The continuations that have ended.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where their file is damaged.
    public func results() throws(TrainingError) -> [BranchResult] {
        guard FileManager.default.fileExists(atPath: resultsFile.path) else { return [] }
        guard let text = try? String(contentsOf: resultsFile, encoding: .utf8) else {
            throw .unreadable(path: resultsFile.path, reason: "it is no text")
        }
        return try text.split(separator: "\n").dropFirst().map { line throws(TrainingError) in
            guard let result = BranchResult(line: line) else {
                throw .unreadable(path: resultsFile.path, reason: "\"\(line)\" is no continuation's line")
            }
            return result
        }
    }

    /// The continuations that have ended, by batch size.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where their file is damaged.
    public func table() throws(TrainingError) -> BranchTable { BranchTable(try results()) }

    /// Goes on by batches of one size in one order, unless that was done before.
    ///
    /// - Parameters:
    ///   - batchSize: The batch size, of all steps but the last: what is left for the last ones is shared out among them.
    ///   - order: The number of the order of examples.
    ///   - onStep: Told after each step which part is done; whether to stop is what it says.
    /// - Returns: What came of it, and whether it was done before.
    /// - Throws: `CancellationError` where it stopped as it was asked to, and what training and writing throw.
    public func make(
        batchSize: Int, order: Int, onStep: (Double) -> Bool = { _ in false }
    ) async throws -> (result: BranchResult, wasMadeBefore: Bool) {
        var results = try results()
        if let found = results.first(where: { $0.batchSize == batchSize && $0.order == order }) { return (found, true) }
        try Self.check(batchSize, fits: setting.exampleCount)
        let point = point!
        let rate =
            setting.learningRate * (setting.scaling?.factor(batchSize: batchSize, first: setting.batchSize) ?? 1)
        let end = try await point.end(
            batchSize: batchSize, learningRate: rate, order: Self.order(order), exampleCount: setting.exampleCount,
            evaluated: Self.sample(setting.evaluatedCount, point.data).batch, onStep: onStep)
        let result = BranchResult(
            batchSize: batchSize, order: order, learningRate: rate, steps: end?.stepCount,
            loss: end?.evaluation.meanLoss, testLoss: end?.test.meanLoss,
            testAccuracy: point.data.predictsValues ? nil : end?.test.accuracy)
        results.append(result)
        let lines = [BranchResult.columns.joined(separator: ",")] + results.map(\.line)
        try DurableFile.write(Data((lines.joined(separator: "\n") + "\n").utf8), to: resultsFile)
        return (result, false)
    }

    /// The order of the examples that has a number. None is the run's own, which would go on over examples that it has not seen yet, while others go
    /// over some that it has.
    static func order(_ number: Int) -> ExampleOrder.Kind {
        var random = RandomStream(seed: UInt64(bitPattern: Int64(number)), purpose: .branching, index: 0)
        return .shuffled(seed: random.next())
    }

    /// What is measured before, and evaluated after, is of the sample with this seed.
    fileprivate static let sampleSeed: UInt64 = 0

    /// The training examples to evaluate on, the same for all.
    fileprivate static func sample(_ count: Int, _ data: TrainingData) throws -> MeasurementSample {
        try MeasurementSample(count, of: data.training, seed: sampleSeed)
    }
}

extension Branching.Setting {
    /// Measures what there is at the branch point.
    fileprivate init(
        _ point: BranchPoint, named name: String, _ request: Branching.Request
    ) throws {
        let network = try Network(
            point.model, loss: point.loss, workerCount: point.workerCount, parameters: point.tensors.parameters)
        let measured = try GradientMeasurement(
            of: network, on: point.data, exampleCount: request.evaluatedCount, seed: Branching.sampleSeed,
            stepCount: point.progress.stepCount, rule: nil)
        let rate = request.learningRate ?? point.learningRate
        // A rate that was asked for is no longer the run's, which followed the batch.
        let ruleRate = request.learningRate ?? point.learningRate / point.rateFactor
        let update = point.optimizer.optimizer(.constant(rate), weightDecay: 0).update
        let effectiveRate = ruleRate * update.effectiveRateFactor
        self.init(
            from: name, dataset: point.data.name, model: point.modelName, stepCount: point.progress.stepCount,
            batchSize: point.batchSize, learningRate: rate,
            ruleLearningRate: effectiveRate == rate ? nil : effectiveRate,
            scaling: request.scaling,
            exampleCount: request.exampleCount ?? point.data.training.count, evaluatedCount: measured.exampleCount,
            tolerance: request.tolerance, loss: measured.loss,
            lossWithoutDropout: point.model.hasDropout
                ? try network.evaluate(Branching.sample(request.evaluatedCount, point.data).batch).meanLoss : nil,
            noise: measured.noise,
            forecasts: try RuleForecast.all(
                measured, learningRate: effectiveRate,
                followsGradient: update.followsGradient, initialLoss: point.initialLoss, point.ruleOptions,
                lossFloor: point.data.lossFloor),
            data: try DataFingerprint(point.data), state: Safetensors.checksum(point.tensors.all))
    }

    /// Checks that continuations made before are of the same kind.
    fileprivate func check(continues earlier: Branching.Setting, in url: URL) throws {
        func require(_ holds: Bool, _ difference: String, _ remedy: String) throws {
            guard holds else {
                throw TrainingError.branchesDiffer(
                    path: url.relativePath, difference: difference, remedy: remedy)
            }
        }
        let checkpoint = "name the checkpoint that they went on from"
        try require(
            earlier.stepCount == stepCount,
            "from a state after \(earlier.stepCount) steps, and this one is after \(stepCount)",
            checkpoint)
        let options: [(name: String, before: String, now: String)] = [
            ("examples", "\(earlier.exampleCount)", "\(exampleCount)"),
            ("learning-rate", "\(earlier.learningRate.shortest)", "\(learningRate.shortest)"),
            ("scale-rate", earlier.scaling?.rawValue ?? "nothing", scaling?.rawValue ?? "nothing"),
            ("evaluate", "\(earlier.evaluatedCount)", "\(evaluatedCount)"),
        ]
        for option in options {
            try require(
                option.before == option.now, "made with \(option.name) \(option.before), and now it is \(option.now)",
                "give what they began with")
        }
        if let before = earlier.data, let now = data {
            try require(
                before == now, "made on data of \(before), and now they are of \(now)",
                "give the data that they began with")
        }
        if let before = earlier.state, let now = state {
            try require(before == now, "from a state of checksum \(before), and this one's is \(now)", checkpoint)
        }
        // What folders of earlier versions have in its place. Another processor rounds differently; other parameters have another loss.
        try require(
            abs(earlier.loss.value - loss.value) <= 1e-4 * abs(loss.value),
            "from a state whose loss was \(earlier.loss.value), and this one's is \(loss.value)", checkpoint)
    }
}
