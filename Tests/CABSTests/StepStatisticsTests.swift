import CABS
import Testing

@Suite(.timeLimit(.minutes(10))) struct StepStatisticsTests {
    /// Per-example gradients, written out, and the statistics that follow from them by definition.
    static func statistics(_ gradients: [[Double]]) -> (StepStatistics, mean: [Double]) {
        let m = Double(gradients.count)
        let mean = gradients[0].indices.map { k in gradients.reduce(0) { $0 + $1[k] } / m }
        return (
            StepStatistics(
                exampleCount: gradients.count, meanLoss: 1,
                secondMoment: gradients.reduce(0) { $0 + squaredNorm($1) } / m,
                gradientSquaredNorm: squaredNorm(mean)), mean
        )
    }

    static func squaredNorm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 } }

    static let gradients = [[1.0, 2, -3], [0.5, -1, 4], [2, 0, 1], [-1, 1.5, 0.25]]

    @Test func `variance is the mean squared distance from the mean gradient`() {
        let (statistics, mean) = Self.statistics(Self.gradients)
        let distances = Self.gradients.map { g in Self.squaredNorm(zip(g, mean).map { $0 - $1 }) }
        #expect(abs(statistics.withinBatchVariance - distances.reduce(0, +) / 4) < 1e-12)
        #expect(abs(statistics.unbiasedVariance - distances.reduce(0, +) / 3) < 1e-12)
    }

    @Test func `the same batch twice has the same variance`() {
        let (once, _) = Self.statistics(Self.gradients)
        let (twice, _) = Self.statistics(Self.gradients + Self.gradients)
        #expect(abs(once.withinBatchVariance - twice.withinBatchVariance) < 1e-12)
    }

    @Test func `one example has no variance, and says nothing of its expectation`() {
        let (statistics, _) = Self.statistics([[1, 2]])
        #expect(statistics.withinBatchVariance == 0)
        #expect(statistics.unbiasedVariance.isNaN)
    }

    @Test func `rounding does not make a variance negative`() {
        let statistics = StepStatistics(
            exampleCount: 8, meanLoss: 1, secondMoment: 1, gradientSquaredNorm: 1.0000001)
        #expect(statistics.withinBatchVariance == 0)
    }

    @Test func `what was not measured is not a number`() {
        let statistics = StepStatistics(
            exampleCount: 8, meanLoss: 1, secondMoment: .nan, gradientSquaredNorm: 1)
        #expect(statistics.withinBatchVariance.isNaN)
        #expect(statistics.unbiasedVariance.isNaN)
    }

    @Test func `the unbiased squared norm takes the noise off`() {
        let (statistics, _) = Self.statistics(Self.gradients)
        let expected = statistics.gradientSquaredNorm - statistics.unbiasedVariance / 4
        #expect(abs(statistics.unbiasedGradientSquaredNorm - expected) < 1e-12)
    }
}
