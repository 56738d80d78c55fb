import CABS
import Testing

/// Rules at the edges of what they are given.
@Suite(.timeLimit(.minutes(10))) struct EdgeTests {
    private static func statistics(_ count: Int, loss: Double = 1, variance: Double, squaredNorm: Double = 1)
        -> StepStatistics
    {
        // A single example's second moment is the squared norm itself.
        StepStatistics(
            exampleCount: count, meanLoss: loss, secondMoment: squaredNorm + (count > 1 ? variance : 0),
            gradientSquaredNorm: squaredNorm)
    }

    @Test func `a rule that goes by the variance does not stay at a single example`() throws {
        let rules: [any BatchSizePolicy] = [
            try CoupledAdaptiveBatchSize(bounds: 1...2048), try GradientNoiseScale(bounds: 1...2048),
            try NormTest(bounds: 1...2048), try BigBatch(bounds: 1...2048),
        ]
        for rule in rules {
            var rule = rule
            var batchSize = rule.initialBatchSize
            #expect(batchSize == 1)
            for _ in 0..<200 {
                batchSize = rule.observe(Self.statistics(batchSize, variance: 1000), learningRate: 1).nextBatchSize
            }
            #expect(batchSize > 100, "\(type(of: rule)) stands at \(batchSize)")
        }
    }

    @Test func `a single example leaves the average of the variance`() throws {
        var rule = try CoupledAdaptiveBatchSize(bounds: 16...2048)
        let before = rule.observe(Self.statistics(16, variance: 500), learningRate: 1)
        let after = rule.observe(Self.statistics(1, variance: 0), learningRate: 1)
        #expect(after.smoothedVariance == before.smoothedVariance && before.smoothedVariance! > 0)
    }

    @Test(arguments: [0.5, 1, 1.2, 5])
    func `a loss floor does not make the first batches large`(floor: Double) throws {
        var rule = try CoupledAdaptiveBatchSize(bounds: 16...2048, lossFloor: floor)
        var without = try CoupledAdaptiveBatchSize(bounds: 16...2048)
        for _ in 0..<50 {
            let a = rule.observe(Self.statistics(16, loss: floor + 1.5, variance: 300), learningRate: 0.1)
            let b = without.observe(Self.statistics(16, loss: 1.5, variance: 300), learningRate: 0.1)
            #expect(abs(a.rawBatchSize - b.rawBatchSize) < 1e-9 * b.rawBatchSize)
        }
    }

    @Test func `growth by steps goes on however many there are, and stays within bounds`() throws {
        var slow = try StepwiseGrowth(factor: 1.001, interval: 1, bounds: 16...100_000)
        let sizes = (1...8000).map { _ in slow.observe(Self.statistics(1, variance: 0), learningRate: 1).nextBatchSize }
        // 16 · 1.001^n, by Python.
        #expect(sizes[4243] == 1113 && sizes[7999] == 47505)
        #expect(zip(sizes, sizes.dropFirst()).allSatisfy { $0 <= $1 })
        var shrinking = try StepwiseGrowth(factor: 0.5, interval: 1, bounds: 4...64, initialBatchSize: 64)
        var doubling = try StepwiseGrowth(factor: 2, interval: 1, bounds: 4...64)
        for _ in 0..<5000 {
            _ = shrinking.observe(Self.statistics(1000, variance: 0), learningRate: 1)
            _ = doubling.observe(Self.statistics(1000, variance: 0), learningRate: 1)
        }
        #expect(shrinking.observe(Self.statistics(1, variance: 0), learningRate: 1).nextBatchSize == 4)
        #expect(doubling.observe(Self.statistics(1, variance: 0), learningRate: 1).nextBatchSize == 64)
    }

    @Test func `a tenth more is a tenth more`() throws {
        for size in stride(from: 10, through: 5000, by: 10) {
            var rule = try BigBatch(bounds: size...1_000_000)
            let next = rule.observe(Self.statistics(size, variance: 1e9), learningRate: 1).nextBatchSize
            #expect(next == size + size / 10)
            var growth = try GeometricGrowth(bounds: size...1_000_000)
            #expect(
                growth.observe(Self.statistics(size, variance: 0), learningRate: 1).nextBatchSize == size + size / 10
                    + 1)
        }
        #expect((1...2048).batchSize(atLeast: 55.001) == 56 && (1...2048).batchSize(atLeast: 55) == 55)
    }
}
