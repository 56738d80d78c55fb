import CABS
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct BatchSizePolicyTests {
    static func statistics(loss: Double, variance: Double, count: Int = 16) -> StepStatistics {
        StepStatistics(exampleCount: count, meanLoss: loss, secondMoment: variance, gradientSquaredNorm: 0)
    }

    @Test func `the rule is the formula`() throws {
        var policy = try CoupledAdaptiveBatchSize(
            bounds: 2...1000, initialBatchSize: 10, smoothingFactor: 0.9, factor: 2, epsilon: 0.01, lossFloor: 0.1)
        #expect(policy.initialBatchSize == 10)
        // The loss from 1 above its floor.
        var (smoothedLoss, smoothedVariance) = (1.1, 0.0)
        for (loss, variance) in [(2.0, 30.0), (1.5, 50), (0.7, 200), (0.3, 400)] {
            smoothedLoss = 0.9 * smoothedLoss + 0.1 * loss
            smoothedVariance = 0.9 * smoothedVariance + 0.1 * variance
            let raw = 2 * 0.5 * smoothedVariance / (smoothedLoss - 0.1 + 0.01)
            let decision = policy.observe(Self.statistics(loss: loss, variance: variance), learningRate: 0.5)
            #expect(abs(decision.rawBatchSize - raw) < 1e-12 * raw)
            #expect(decision.nextBatchSize == min(max(Int(raw.rounded()), 2), 1000))
            #expect(abs(decision.smoothedLoss! - smoothedLoss) < 1e-12)
            #expect(abs(decision.smoothedVariance! - smoothedVariance) < 1e-12)
        }
    }

    @Test func `with steady input it comes to α ξ over F as 1 − μⁿ`() throws {
        // rules.md: 40 % of the steady value after 5 steps, 80 % after 20 (the loss average starts at 1, here F).
        var policy = try CoupledAdaptiveBatchSize(bounds: 1...100_000)
        var raw: [Double] = []
        for _ in 0..<200 {
            raw.append(
                policy.observe(Self.statistics(loss: 1, variance: 5000), learningRate: 0.1).rawBatchSize)
        }
        #expect(abs(raw[199] - 500) < 0.1)
        #expect(abs(raw[4] / 500 - (1 - pow(0.95, 5))) < 1e-9)
        #expect(abs(raw[19] / 500 - (1 - pow(0.95, 20))) < 1e-9)
    }

    @Test(arguments: [
        (2.5, 2), (3.5, 4), (0, 2), (1e300, 64), (Double.infinity, 64), (63.4, 63), (63.6, 64),
    ])
    func `sizes are rounded to nearest, ties to even, and clipped`(raw: Double, expected: Int) {
        #expect((2...64).batchSize(nearestTo: raw) == expected)
    }

    @Test func `no bound is too large`() {
        for raw in [1e300, Double.infinity, 0x1p63] {
            #expect((1...Int.max).batchSize(nearestTo: raw) == Int.max)
        }
        for raw in [-1e300, -Double.infinity, Double.nan] {
            #expect((3...Int.max).batchSize(nearestTo: raw) == 3)
        }
    }

    @Test func `a loss at its floor asks for the largest batch, unless there is no variance`() throws {
        var policy = try CoupledAdaptiveBatchSize(bounds: 4...512, smoothingFactor: 0, lossFloor: 0.5)
        #expect(policy.observe(Self.statistics(loss: 0.5, variance: 1), learningRate: 0.1).nextBatchSize == 512)
        #expect(policy.observe(Self.statistics(loss: 0.4, variance: 1), learningRate: 0.1).nextBatchSize == 512)
        #expect(policy.observe(Self.statistics(loss: 0.5, variance: 0), learningRate: 0.1).nextBatchSize == 4)
    }

    /// Steps whose second moments have a standard error: (1 − μ) e of each remains in the average as μⁿ (1 − μ) e.
    @Test func `the error of what CABS asks for is that of its average`() throws {
        var policy = try CoupledAdaptiveBatchSize(bounds: 4...512, smoothingFactor: 0.8, factor: 2)
        let errors = [3.0, 5, 2, 7]
        var decision: BatchSizeDecision?
        for error in errors {
            decision = policy.observe(
                StepStatistics(
                    exampleCount: 10, meanLoss: 0.5, secondMoment: 41, gradientSquaredNorm: 1,
                    secondMomentStandardError: error), learningRate: 0.1)
        }
        let squared = errors.enumerated().reduce(0.0) { sum, item in
            let left = pow(0.8, Double(errors.count - 1 - item.offset)) * 0.2 * item.element
            return sum + left * left
        }
        let found = try #require(decision)
        let loss = try #require(found.smoothedLoss)
        let expected = 2 * 0.1 / loss * squared.squareRoot()
        #expect(abs(try #require(found.rawBatchSizeStandardError) - expected) < 1e-12)
        let without = policy.observe(Self.statistics(loss: 0.5, variance: 40), learningRate: 0.1)
        #expect(without.rawBatchSizeStandardError == nil)
    }

    @Test func `with a significance the batch moves on clear evidence alone`() throws {
        func sizes(_ significance: Double, error: Double) throws -> [Int] {
            var policy = try CoupledAdaptiveBatchSize(
                bounds: 4...512, initialBatchSize: 40, smoothingFactor: 0, significance: significance)
            return [41.0, 44, 60, 50].map { variance in
                policy.observe(
                    StepStatistics(
                        exampleCount: 10, meanLoss: 0.1, secondMoment: variance + 1, gradientSquaredNorm: 1,
                        secondMomentStandardError: error), learningRate: 0.1
                ).nextBatchSize
            }
        }
        #expect(try sizes(0, error: 5) == [41, 44, 60, 50])
        #expect(try sizes(2, error: 5) == [40, 40, 60, 60])
        #expect(try sizes(2, error: 1) == [40, 44, 60, 50])
        #expect(try sizes(2, error: 20) == [40, 40, 40, 40])
        #expect(throws: BatchSizePolicyError.significanceNegative(-1)) {
            try CoupledAdaptiveBatchSize(significance: -1)
        }
    }

    @Test func `at the floor the batch goes to its bound, whatever the significance`() throws {
        var policy = try CoupledAdaptiveBatchSize(bounds: 4...512, smoothingFactor: 0, lossFloor: 0.5, significance: 3)
        let statistics = StepStatistics(
            exampleCount: 10, meanLoss: 0.4, secondMoment: 2, gradientSquaredNorm: 1, secondMomentStandardError: 0.5)
        #expect(policy.observe(statistics, learningRate: 0.1).nextBatchSize == 512)
    }

    @Test func `a single example moves the batch on, whatever the significance`() throws {
        var policy = try CoupledAdaptiveBatchSize(bounds: 1...512, significance: 3)
        let decision = policy.observe(
            StepStatistics(exampleCount: 1, meanLoss: 0.1, secondMoment: 2, gradientSquaredNorm: 2), learningRate: 0.1)
        #expect(decision.nextBatchSize == 2)
    }

    @Test func `a stored policy keeps its errors and the size it stays at; older ones are read`() throws {
        var policy = try CoupledAdaptiveBatchSize(bounds: 4...512, initialBatchSize: 40, significance: 2)
        let statistics = StepStatistics(
            exampleCount: 10, meanLoss: 0.1, secondMoment: 301, gradientSquaredNorm: 1, secondMomentStandardError: 9)
        for _ in 0..<30 { _ = policy.observe(statistics, learningRate: 0.1) }
        let encoded = try JSONEncoder().encode(policy)
        var copy = try JSONDecoder().decode(CoupledAdaptiveBatchSize.self, from: encoded)
        #expect(copy == policy)
        #expect(copy.observe(statistics, learningRate: 0.1) == policy.observe(statistics, learningRate: 0.1))
        var object = try #require(try JSONSerialization.jsonObject(with: encoded) as? [String: Any])
        object["size"] = nil
        for key in ["smoothedLoss", "smoothedVariance"] {
            var average = try #require(object[key] as? [String: Any])
            average["squaredError"] = nil
            object[key] = average
        }
        let old = try JSONDecoder().decode(
            CoupledAdaptiveBatchSize.self, from: JSONSerialization.data(withJSONObject: object))
        #expect(old.smoothedVariance.squaredError == 0 && old.size.significance == 0 && old.size.current == 40)
    }

    @Test func `what is not finite does not enter the averages`() throws {
        var policy = try CoupledAdaptiveBatchSize(bounds: 4...512)
        _ = policy.observe(Self.statistics(loss: 2, variance: 100), learningRate: 0.1)
        let before = policy
        _ = policy.observe(Self.statistics(loss: .nan, variance: .infinity), learningRate: 0.1)
        #expect(policy == before)
    }

    @Test func `a stored policy goes on where it stood`() throws {
        var policy: any BatchSizePolicy = try .cabs(bounds: 2...999, lossFloor: 0.01)
        for _ in 0..<7 { _ = policy.observe(Self.statistics(loss: 1.3, variance: 77), learningRate: 0.1) }
        var copy = try JSONDecoder().decode(CoupledAdaptiveBatchSize.self, from: JSONEncoder().encode(policy))
        let statistics = Self.statistics(loss: 0.9, variance: 88)
        #expect(copy.observe(statistics, learningRate: 0.1) == policy.observe(statistics, learningRate: 0.1))
    }

    @Test func `a stored policy that is out of range is refused`() throws {
        let stored = try String(decoding: JSONEncoder().encode(CoupledAdaptiveBatchSize()), as: UTF8.self)
        let broken = stored.replacing("\"initialBatchSize\":16", with: "\"initialBatchSize\":-5")
        #expect(broken != stored)
        #expect(throws: BatchSizePolicyError.self) {
            try JSONDecoder().decode(CoupledAdaptiveBatchSize.self, from: Data(broken.utf8))
        }
        #expect(throws: BatchSizePolicyError.batchSizeNotPositive(-5)) {
            try JSONDecoder().decode(ConstantBatchSize.self, from: Data("{\"batchSize\":-5}".utf8))
        }
    }

    @Test func `a constant stays constant`() throws {
        let policy = try ConstantBatchSize(37)
        #expect(policy.initialBatchSize == 37)
        #expect(!policy.needsGradientStatistics)
        #expect(policy.observe(Self.statistics(loss: 1, variance: .nan), learningRate: 0.1).nextBatchSize == 37)
    }

    @Test func `options out of range are refused by value`() {
        #expect(throws: BatchSizePolicyError.batchSizeNotPositive(0)) { try ConstantBatchSize(0) }
        #expect(throws: BatchSizePolicyError.batchSizeNotPositive(0)) { try CoupledAdaptiveBatchSize(bounds: 0...4) }
        #expect(throws: BatchSizePolicyError.initialBatchSizeOutOfBounds(5, bounds: 1...4)) {
            try CoupledAdaptiveBatchSize(bounds: 1...4, initialBatchSize: 5)
        }
        #expect(throws: BatchSizePolicyError.smoothingFactorOutOfRange(1)) {
            try CoupledAdaptiveBatchSize(smoothingFactor: 1)
        }
        #expect(throws: BatchSizePolicyError.factorNotPositive(0)) { try CoupledAdaptiveBatchSize(factor: 0) }
        #expect(throws: BatchSizePolicyError.epsilonNegative(-1)) { try CoupledAdaptiveBatchSize(epsilon: -1) }
        #expect(throws: BatchSizePolicyError.lossFloorNotFinite(.infinity)) {
            try CoupledAdaptiveBatchSize(lossFloor: .infinity)
        }
    }
}
