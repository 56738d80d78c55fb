import CABS
import Foundation
import Testing

/// Every rule but CABS itself, on statistics whose answer is known.
@Suite(.timeLimit(.minutes(10))) struct RivalRuleTests {
    /// Statistics with unbiased variance S and squared gradient norm G.
    static func statistics(
        _ count: Int, variance: Double = 0, squaredNorm: Double = 1, loss: Double = 1
    ) -> StepStatistics {
        let biased = variance * Double(count - 1) / Double(count)
        return StepStatistics(
            exampleCount: count, meanLoss: loss, secondMoment: squaredNorm + biased, gradientSquaredNorm: squaredNorm)
    }

    @Test func `stepwise growth multiplies at each interval of examples`() throws {
        var policy = try StepwiseGrowth(factor: 3, interval: 100, bounds: 8...150, initialBatchSize: 10)
        #expect(policy.initialBatchSize == 10 && !policy.needsGradientStatistics)
        let sizes = (0..<9).map { _ in
            policy.observe(Self.statistics(40), learningRate: 0.1).nextBatchSize
        }
        // 40, 80, 120, ... examples seen.
        #expect(sizes == [10, 10, 30, 30, 90, 90, 90, 150, 150])
        var shrinking = try StepwiseGrowth(factor: 0.5, interval: 1, bounds: 4...64, initialBatchSize: 64)
        for expected in [32, 16, 8, 4, 4] {
            #expect(shrinking.observe(Self.statistics(1), learningRate: 0.1).nextBatchSize == expected)
        }
    }

    @Test func `AdaDamp grows as the loss above its floor falls from that of the first examples`() throws {
        var policy = try AdaDamp(
            initialExampleCount: 48, smoothingFactor: 0, lossFloor: 0.5, bounds: 8...100, initialBatchSize: 16)
        #expect(policy.initialBatchSize == 16 && !policy.needsGradientStatistics)
        // The mean of 48 examples: (16 · 3 + 32 · 2.25) / 48 = 2.5, 2 above the floor.
        #expect(policy.observe(Self.statistics(16, loss: 3), learningRate: 1).nextBatchSize == 16)
        let sizes = [2.25, 1.5, 1.25, 0.75, 0.5, 4.5].map { loss in
            policy.observe(Self.statistics(32, loss: loss), learningRate: 1).nextBatchSize
        }
        // 16 · 2/1.75 = 18.3, up; 2/1; 2/0.75 = 42.67; 2/0.25 = 128, above the bound; at the floor; and 2/4.
        #expect(sizes == [19, 32, 43, 100, 100, 8])
        var given = try AdaDamp(initialLoss: 4, initialExampleCount: 1000, smoothingFactor: 0)
        #expect(given.observe(Self.statistics(16, loss: 1), learningRate: 1).nextBatchSize == 64)
        let stored = try JSONDecoder().decode(AdaDamp.self, from: JSONEncoder().encode(policy))
        #expect(stored == policy)
    }

    @Test func `AdaDamp is CABS where the variance stands still`() throws {
        var adaDamp = try AdaDamp(initialLoss: 1, initialExampleCount: 1, bounds: 1...10_000, initialBatchSize: 40)
        var coupled = try CoupledAdaptiveBatchSize(bounds: 1...10_000, initialBatchSize: 40)
        // α ξ = 40 at a loss of 1.
        for step in 0..<400 {
            let statistics = StepStatistics(
                exampleCount: 40, meanLoss: 1 / Double(1 + step / 40), secondMoment: 401, gradientSquaredNorm: 1)
            let sizes = [
                adaDamp.observe(statistics, learningRate: 0.1).rawBatchSize,
                coupled.observe(statistics, learningRate: 0.1).rawBatchSize,
            ]
            if step > 200 { #expect(abs(sizes[0] - sizes[1]) < 1e-3 * sizes[0]) }
        }
    }

    @Test func `SimiGrad settles where halves agree as much as they are to`() throws {
        // γ = 0.75: 2 · 3 · S/G = 600.
        var policy = try SimiGrad(similarity: 0.75, bounds: 16...5000)
        var sizes: [Int] = []
        for _ in 0..<100 {
            // The batch is the rule's own, whose squared norm has the noise S/m in it.
            let m = policy.size.current
            let statistics = Self.statistics(m, variance: 100, squaredNorm: 1 + 100 / Double(m))
            sizes.append(policy.observe(statistics, learningRate: 1).nextBatchSize)
        }
        #expect(sizes[0] == 17 && sizes.suffix(20).allSatisfy { (530...670).contains($0) })
        // By steps of a tenth, up and down, and upwards where there is noise alone.
        #expect(
            policy.observe(Self.statistics(100, variance: 0), learningRate: 1).nextBatchSize
                == Int(0.9 * Double(sizes[99])))
        let size = policy.size.current
        #expect(
            policy.observe(Self.statistics(100, variance: 1e9), learningRate: 1).nextBatchSize
                == Int(1.1 * Double(size)))
    }

    @Test func `SimiGrad's cosine is that of halves`() {
        // Unit vectors apart by noise: halves G ± e with ‖e‖² = 2S/m ... in the mean ‖G‖²/(‖G‖² + 2S/m).
        var random = Gaussian(seed: 3)
        let (dimension, m, deviation) = (400, 10, 0.3)
        var (product, squares) = (0.0, 0.0)
        for _ in 0..<300 {
            var halves = [[Double]]()
            for _ in 0..<2 {
                halves.append(
                    (0..<dimension).map { _ in
                        0.1 + (0..<m / 2).reduce(0.0) { sum, _ in sum + deviation * random.next() } / Double(m / 2)
                    })
            }
            product += zip(halves[0], halves[1]).reduce(0) { $0 + $1.0 * $1.1 }
            squares += halves.joined().reduce(0) { $0 + $1 * $1 } / 2
        }
        let expected = SimiGrad.similarity(
            of: m, variance: Double(dimension) * deviation * deviation,
            fullGradientSquaredNorm: Double(dimension) * 0.01)
        #expect(abs(product / squares - expected) < 0.02)
    }

    @Test func `geometric growth is ⌈k m + 1⌉`() throws {
        var policy = try GeometricGrowth(factor: 1.5, bounds: 2...100)
        let sizes = (0..<10).map { _ in policy.observe(Self.statistics(2), learningRate: 0.1).nextBatchSize }
        #expect(sizes == [4, 7, 12, 19, 30, 46, 70, 100, 100, 100])
    }

    @Test func `the norm test asks for S over θ² G where the batch is too small`() throws {
        var policy = try NormTest(tolerance: 0.5, bounds: 16...1000)
        // 0.25 · 2 · 16 = 8: a variance of 8 just passes, 8.1 asks for ⌈8.1/0.5⌉.
        #expect(policy.observe(Self.statistics(16, variance: 8, squaredNorm: 2), learningRate: 1).nextBatchSize == 16)
        #expect(policy.observe(Self.statistics(16, variance: 8.6, squaredNorm: 2), learningRate: 1).nextBatchSize == 18)
        // Never back, and up to the bound where there is noise alone.
        #expect(policy.observe(Self.statistics(18, variance: 1, squaredNorm: 2), learningRate: 1).nextBatchSize == 18)
        #expect(policy.observe(Self.statistics(18, variance: 0, squaredNorm: 0), learningRate: 1).nextBatchSize == 18)
        #expect(policy.observe(Self.statistics(18, variance: 1, squaredNorm: 0), learningRate: 1).nextBatchSize == 1000)
    }

    @Test func `Big Batch grows by a tenth where the batch is too small`() throws {
        var policy = try BigBatch(bounds: 16...20)
        #expect(policy.observe(Self.statistics(16, variance: 32, squaredNorm: 2), learningRate: 1).nextBatchSize == 16)
        #expect(policy.observe(Self.statistics(16, variance: 33, squaredNorm: 2), learningRate: 1).nextBatchSize == 18)
        #expect(policy.observe(Self.statistics(18, variance: 99, squaredNorm: 2), learningRate: 1).nextBatchSize == 20)
        #expect(policy.observe(Self.statistics(20, variance: 99, squaredNorm: 2), learningRate: 1).nextBatchSize == 20)
    }

    @Test func `the noise scale is S over the unbiased squared norm, each averaged`() throws {
        var policy = try GradientNoiseScale(smoothingFactor: 0.5, bounds: 1...1000)
        // G − S/m = 3 − 32/16 = 1.
        #expect(policy.observe(Self.statistics(16, variance: 32, squaredNorm: 3), learningRate: 1).rawBatchSize == 32)
        // Averages 16/2 + 8/2 = 12 and 1/4 + 1.5/2 = 1.
        let decision = policy.observe(Self.statistics(16, variance: 8, squaredNorm: 2), learningRate: 1)
        #expect(abs(decision.rawBatchSize - 12) < 1e-12)
        #expect(decision.nextBatchSize == 12)
        var drowned = try GradientNoiseScale(bounds: 4...512)
        #expect(
            drowned.observe(Self.statistics(16, variance: 32, squaredNorm: 1), learningRate: 1).nextBatchSize == 512)
        var silent = try GradientNoiseScale(bounds: 4...512)
        #expect(silent.observe(Self.statistics(16, variance: 0, squaredNorm: 0), learningRate: 1).nextBatchSize == 4)
    }

    @Test func `the noise scale of Gaussian gradients is trace over squared norm`() throws {
        // μ = (1, 0, ..., 0) in 20 dimensions, deviation 2 in each: 80.
        var random = Gaussian(seed: 3)
        var policy = try GradientNoiseScale(smoothingFactor: 0.999, bounds: 1...10_000)
        var raw = 0.0
        for _ in 0..<6000 {
            let gradients = (0..<32).map { _ in (0..<20).map { ($0 == 0 ? 1 : 0) + 2 * random.next() } }
            raw = policy.observe(gradients.statistics, learningRate: 0.1).rawBatchSize
        }
        #expect(abs(raw - 80) < 8)
    }

    @Test func `what was not measured leaves every rule where it stands`() throws {
        let unmeasured = StepStatistics(
            exampleCount: 1, meanLoss: .nan, secondMoment: .nan, gradientSquaredNorm: .nan)
        var policies: [any BatchSizePolicy] = [
            try NormTest(bounds: 5...9, initialBatchSize: 7), try BigBatch(bounds: 5...9, initialBatchSize: 7),
        ]
        for index in policies.indices {
            #expect(policies[index].observe(unmeasured, learningRate: 0.1).nextBatchSize == 7)
        }
        var scale = try GradientNoiseScale(bounds: 1...1000)
        let before = scale.observe(Self.statistics(16, variance: 32, squaredNorm: 3), learningRate: 1)
        #expect(scale.observe(unmeasured, learningRate: 1) == before)
    }

    @Test func `stored rules go on where they stood`() throws {
        func check<Policy: BatchSizePolicy & Equatable>(_ policy: Policy) throws {
            var policy = policy
            for _ in 0..<3 { _ = policy.observe(Self.statistics(50, variance: 400, squaredNorm: 2), learningRate: 1) }
            let data = try JSONEncoder().encode(policy)
            #expect(try JSONDecoder().decode(Policy.self, from: data) == policy)
            let text = String(decoding: data, as: UTF8.self)
            for (key, value) in [("initialBatchSize", 16), ("initial", 16)] where text.contains("\"\(key)\":\(value)") {
                let broken = text.replacing("\"\(key)\":\(value)", with: "\"\(key)\":3")
                #expect(throws: BatchSizePolicyError.self) {
                    try JSONDecoder().decode(Policy.self, from: Data(broken.utf8))
                }
            }
        }
        try check(StepwiseGrowth(interval: 70))
        try check(GeometricGrowth())
        try check(NormTest())
        try check(BigBatch())
        try check(GradientNoiseScale())
    }

    @Test func `options out of range are refused by value`() {
        #expect(throws: BatchSizePolicyError.intervalNotPositive(0)) { try StepwiseGrowth(interval: 0) }
        #expect(throws: BatchSizePolicyError.factorNotPositive(-1)) { try StepwiseGrowth(factor: -1, interval: 5) }
        #expect(throws: BatchSizePolicyError.growthFactorBelowOne(0.9)) { try GeometricGrowth(factor: 0.9) }
        #expect(throws: BatchSizePolicyError.toleranceNotPositive(0)) { try NormTest(tolerance: 0) }
        #expect(throws: BatchSizePolicyError.toleranceNotPositive(-2)) { try BigBatch(tolerance: -2) }
        #expect(throws: BatchSizePolicyError.growthFactorBelowOne(.infinity)) { try BigBatch(factor: .infinity) }
        #expect(throws: BatchSizePolicyError.smoothingFactorOutOfRange(1)) {
            try GradientNoiseScale(smoothingFactor: 1)
        }
        #expect(throws: BatchSizePolicyError.batchSizeNotPositive(0)) { try NormTest(bounds: 0...3) }
    }
}
