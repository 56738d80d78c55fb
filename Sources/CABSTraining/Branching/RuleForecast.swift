import CABS
import Foundation

/// What a batch-size rule comes to rest at where the network stands still.
public struct RuleForecast: Sendable, Hashable, Codable {
    /// The rule's name.
    public let rule: String
    /// The batch size.
    public let batchSize: Int

    /// No rule is asked for more.
    static let largestBatchSize = 1 << 20
    /// Whether the rule asks for this or for more.
    public var isAtLeast: Bool { batchSize >= Self.largestBatchSize }

    /// So many steps outlast averages with the usual smoothing of rules, and growth by a tenth a step from one end of the bounds to the other.
    private static let stepCount = 1000
    /// Rules that go up and down by steps around a size: the mean of the last ones.
    private static let lastCount = 100

    /// Shows a rule the statistics that batches of the sizes it chooses have in expectation, again and again: with the trace T, the squared norm
    /// ‖∇F‖² and the loss F measured, a batch of m has `E (1/m) Σ ‖gᵢ‖² = T + ‖∇F‖²` and `E ‖g‖² = ‖∇F‖² + T/m`.
    ///
    /// - Returns: Nothing for rules that look at nothing, such as constant sizes.
    init?(
        _ rule: BatchSizeRule, _ policy: any BatchSizePolicy, _ measurement: GradientMeasurement, learningRate: Double
    ) {
        switch rule {
        case .constant, .step, .geometric: return nil
        default: break
        }
        let trace = measurement.noise.covarianceTrace.value
        let squaredNorm = max(measurement.noise.gradientSquaredNorm.value, 0)
        var policy = policy
        var sizes = [policy.initialBatchSize]
        for _ in 0..<Self.stepCount {
            let size = sizes[sizes.count - 1]
            let statistics = StepStatistics(
                exampleCount: size, meanLoss: measurement.loss.value, secondMoment: trace + squaredNorm,
                gradientSquaredNorm: squaredNorm + trace / Double(size))
            sizes.append(policy.observe(statistics, learningRate: learningRate).nextBatchSize)
        }
        let last = sizes.suffix(Self.lastCount)
        self.rule = rule.name
        batchSize = Int((Double(last.reduce(0, +)) / Double(last.count)).rounded())
    }
}

extension RuleForecast {
    /// What every rule that adapts by measurements would choose at a branch point, between 1 and a million or so.
    ///
    /// - Parameters:
    ///   - learningRate: The effective learning rate that rules read.
    ///   - initialLoss: The loss at the beginning of training, by which AdaDamp goes; without it that rule is left out.
    ///   - given: The rules' options; a first batch of 16 where they name none.
    ///   - lossFloor: The smallest reachable loss, unless the options say another.
    static func all(
        _ measurement: GradientMeasurement, learningRate: Double, followsGradient: Bool, initialLoss: Double?,
        _ given: TrainingOptions = TrainingOptions(), lossFloor: Double
    ) throws -> [RuleForecast] {
        var options = given
        (options.minimumBatchSize, options.maximumBatchSize) = (1, largestBatchSize)
        options.initialBatchSize = min(options.initialBatchSize ?? 16, largestBatchSize)
        let lossFloor = options.lossFloor ?? lossFloor
        return try BatchSizeRule.adaptive.compactMap { rule in
            var complete = rule
            if case .adaDamp = rule {
                guard let initialLoss, initialLoss > lossFloor else { return nil }
                complete = .adaDamp(initialLoss: initialLoss)
            }
            guard followsGradient || !rule.assumesGradientDescent else { return nil }
            let policy = try complete.makePolicy(options, examplesPerEpoch: 1, lossFloor: lossFloor)
            return RuleForecast(rule, policy, measurement, learningRate: learningRate)
        }
    }
}
