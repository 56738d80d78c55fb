import CABS
import Foundation

/// A batch-size rule that answers line by line, for training loops elsewhere: what a step measured goes in as JSON, the next step's size
/// comes out.
public struct PolicyConversation: Sendable {
    private var policy: any BatchSizePolicy
    private var nextBatchSize: Int
    private let name: String
    private let learningRateFactor: Double
    private let stateFile: URL?
    /// What the rule was made of.
    private let options: TrainingOptions
    private var lineCount = 0

    /// Begins, or goes on from a state that an earlier conversation left.
    ///
    /// - Parameters:
    ///   - options: The rule, its options, and the optimiser of the loop.
    ///   - examplesPerEpoch: The number of training examples, for rules that count epochs.
    ///   - stateFile: Where the rule's state is kept after each step.
    /// - Throws: ``TrainingError`` and `BatchSizePolicyError` for options that are wrong, and for a state of another rule.
    public init(_ options: TrainingOptions, examplesPerEpoch: Int? = nil, stateFile: URL? = nil) throws {
        var options = options
        let rule = try BatchSizeRule(options.batchSize ?? "cabs")
        try rule.fillDefaults(&options)
        let countsEpochs = if case .step = rule { true } else { rule == .adaDamp(initialLoss: nil) }
        if countsEpochs, examplesPerEpoch == nil {
            let remedy = rule.reads(.lossFloor) ? ", or name its first loss: adadamp:F0" : ""
            throw TrainingError.contradiction(
                "batch-size \(rule.name) counts epochs; add --examples-per-epoch\(remedy)")
        }
        guard rule != .cabsPerSecond || options.fixedCost != nil else {
            throw TrainingError.contradiction(
                "batch-size cabs-per-second needs fixed-cost here: what the loop's steps cost is not measured")
        }
        if let examplesPerEpoch, examplesPerEpoch < 1 {
            throw TrainingError.notPositive(option: "examples-per-epoch", value: Double(examplesPerEpoch))
        }
        let policy = try rule.makePolicy(options, examplesPerEpoch: examplesPerEpoch ?? 1)
        let update = try OptimizerName(options.optimizer ?? "sgd").optimizer(.constant(1), weightDecay: 0).update
        if policy.assumesGradientDescent, !update.followsGradient {
            throw TrainingError.policyAssumesGradientDescent(policy: "batch-size \(rule.name)")
        }
        self.policy = policy
        self.stateFile = stateFile
        self.options = options
        name = rule.name
        learningRateFactor = update.effectiveRateFactor
        nextBatchSize = policy.initialBatchSize
        if let stateFile, FileManager.default.fileExists(atPath: stateFile.path) { try restore(stateFile) }
    }

    /// Takes a step's line in and answers it.
    ///
    /// A line without any key asks for the size of the next batch, and changes nothing.
    ///
    /// - Returns: `next_batch_size`, and after a step `batch_size_raw` and the rule's averages, as JSON.
    /// - Throws: ``TrainingError/invalidLine(number:reason:)`` for what is no such line, and where the state cannot be written.
    public mutating func answer(_ line: String) throws -> String {
        lineCount += 1
        let step: Line
        do {
            step = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
        } catch {
            throw TrainingError.invalidLine(
                number: lineCount, reason: "it is no JSON object, or a value is no number (of batch_size a whole one)")
        }
        guard !step.isEmpty else { return try text(Answer(nextBatchSize: nextBatchSize)) }
        let (statistics, learningRate) = try measurements(step)
        let decision = policy.observe(statistics, learningRate: learningRate)
        nextBatchSize = decision.nextBatchSize
        if let stateFile { try store(stateFile) }
        return try text(
            Answer(
                nextBatchSize: nextBatchSize, rawBatchSize: decision.rawBatchSize.ifFinite,
                rawBatchSizeStandardError: decision.rawBatchSizeStandardError?.ifFinite,
                smoothedLoss: decision.smoothedLoss?.ifFinite, smoothedVariance: decision.smoothedVariance?.ifFinite))
    }

    private func measurements(_ line: Line) throws(TrainingError) -> (StepStatistics, learningRate: Double) {
        let number = lineCount
        if let name = line.impossible { throw .invalidLine(number: number, reason: "its \(name) is below zero") }
        func value(_ value: Double?, _ key: String, _ quantity: StepQuantity) throws(TrainingError) -> Double {
            if let value { return value }
            guard policy.reads.contains(quantity) else { return .nan }
            throw .invalidLine(number: number, reason: "it has no \(key), which batch-size \(name) reads")
        }
        let sizes = 1...1 << 40
        let parts = line.microbatches ?? []
        guard parts.count <= 1 << 20, parts.allSatisfy({ sizes.contains($0.batchSize) }),
            let batchSize = line.batchSize ?? (parts.isEmpty ? nil : parts.reduce(0) { $0 + $1.batchSize }),
            sizes.contains(batchSize)
        else {
            throw .invalidLine(
                number: number, reason: "it has no batch_size of 1 or more, which every rule reads")
        }
        let loss = try value(line.loss, "loss", .loss)
        let learningRate = try value(line.learningRate, "learning_rate", .learningRate) * learningRateFactor
        let squaredNorm = try value(line.gradientSquaredNorm, "gradient_squared_norm", .gradientMoments)
        if options.significant ?? 0 > 0, batchSize > 1, line.secondMomentStandardError == nil {
            throw .invalidLine(
                number: number, reason: "it has no second_moment_standard_error, which significant reads")
        }
        if let microbatches = line.microbatches {
            var moments = MicrobatchMoments()
            for part in microbatches {
                moments.add(exampleCount: part.batchSize, gradientSquaredNorm: part.gradientSquaredNorm)
            }
            guard moments.exampleCount == batchSize, moments.microbatchCount > 1 else {
                throw .invalidLine(
                    number: number,
                    reason:
                        "its microbatches are \(moments.microbatchCount) with \(moments.exampleCount) of \(batchSize) "
                        + "examples; give all of the batch, 2 or more")
            }
            return (
                moments.statistics(meanLoss: loss, gradientSquaredNorm: squaredNorm)
                    .with(secondMomentStandardError: line.secondMomentStandardError), learningRate
            )
        }
        let secondMoment = try value(
            line.secondMoment ?? line.variance.map { $0 + squaredNorm }, "second_moment, variance or microbatches",
            .gradientMoments)
        return (
            StepStatistics(
                exampleCount: batchSize, meanLoss: loss, secondMoment: secondMoment, gradientSquaredNorm: squaredNorm,
                secondMomentStandardError: line.secondMomentStandardError),
            learningRate
        )
    }

    private func text(_ answer: Answer) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(answer), as: UTF8.self)
    }

    // MARK: State

    private struct State: Codable {
        let options: TrainingOptions
        let nextBatchSize: Int
        let policy: Data
    }

    private func store(_ file: URL) throws {
        let state = State(options: options, nextBatchSize: nextBatchSize, policy: try policy.stored())
        try DurableFile.write(JSONEncoder().encode(state), to: file)
    }

    private mutating func restore(_ file: URL) throws {
        guard let data = try? Data(contentsOf: file), let state = try? JSONDecoder().decode(State.self, from: data)
        else {
            throw TrainingError.unreadable(path: file.path, reason: "it is no state of a rule")
        }
        var stored = state.options
        // Options that have come since have their defaults in it.
        try BatchSizeRule(stored.batchSize ?? name).fillDefaults(&stored)
        if let (option, before, now) = try options.differences(from: stored).first {
            throw TrainingError.resumesDifferently(what: option, before: before, now: now)
        }
        let sizes = (options.minimumBatchSize ?? 1)...(options.maximumBatchSize ?? .max)
        guard let restored = try? policy.restored(from: state.policy), sizes.contains(state.nextBatchSize) else {
            throw TrainingError.unreadable(path: file.path, reason: "it is no state of \(name)")
        }
        policy = restored
        nextBatchSize = state.nextBatchSize
    }

    /// A line of `metrics.jsonl`, as far as rules read it; or what another loop measured.
    private struct Line: Decodable {
        let batchSize: Int?
        let loss: Double?
        let learningRate: Double?
        let secondMoment: Double?
        let secondMomentStandardError: Double?
        let variance: Double?
        let gradientSquaredNorm: Double?
        let microbatches: [Microbatch]?

        struct Microbatch: Decodable {
            let batchSize: Int
            let gradientSquaredNorm: Double

            private enum CodingKeys: String, CodingKey {
                case batchSize = "batch_size"
                case gradientSquaredNorm = "gradient_squared_norm"
            }
        }

        /// Whether it has no key at all: one that is misspelt is no question.
        let isEmpty: Bool

        init(from decoder: any Decoder) throws {
            isEmpty = try decoder.container(keyedBy: AnyKey.self).allKeys.isEmpty
            let container = try decoder.container(keyedBy: CodingKeys.self)
            batchSize = try container.decodeIfPresent(Int.self, forKey: .batchSize)
            loss = try container.decodeIfPresent(Double.self, forKey: .loss)
            learningRate = try container.decodeIfPresent(Double.self, forKey: .learningRate)
            secondMoment = try container.decodeIfPresent(Double.self, forKey: .secondMoment)
            secondMomentStandardError = try container.decodeIfPresent(Double.self, forKey: .secondMomentStandardError)
            variance = try container.decodeIfPresent(Double.self, forKey: .variance)
            gradientSquaredNorm = try container.decodeIfPresent(Double.self, forKey: .gradientSquaredNorm)
            microbatches = try container.decodeIfPresent([Microbatch].self, forKey: .microbatches)
        }

        /// The name of a value that cannot be.
        var impossible: String? {
            let values: [(CodingKeys, Double?)] = [
                (.learningRate, learningRate), (.secondMoment, secondMoment),
                (.secondMomentStandardError, secondMomentStandardError), (.variance, variance),
                (.gradientSquaredNorm, gradientSquaredNorm),
                (.microbatches, microbatches?.map(\.gradientSquaredNorm).min()),
            ]
            return values.first { $0.1.map { $0 < 0 } ?? false }?.0.rawValue
        }

        private enum CodingKeys: String, CodingKey {
            case batchSize = "batch_size"
            case loss, variance, microbatches
            case learningRate = "learning_rate"
            case secondMoment = "second_moment"
            case secondMomentStandardError = "second_moment_standard_error"
            case gradientSquaredNorm = "gradient_squared_norm"
        }
    }

    private struct Answer: Encodable {
        let nextBatchSize: Int
        var rawBatchSize: Double?
        var rawBatchSizeStandardError: Double?
        var smoothedLoss: Double?
        var smoothedVariance: Double?

        private enum CodingKeys: String, CodingKey {
            case nextBatchSize = "next_batch_size"
            case rawBatchSize = "batch_size_raw"
            case rawBatchSizeStandardError = "batch_size_raw_standard_error"
            case smoothedLoss = "loss_average"
            case smoothedVariance = "variance_average"
        }
    }
}
