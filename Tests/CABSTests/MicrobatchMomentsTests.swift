import CABS
import Testing

/// Statistics from micro-batches against those of the single examples.
@Suite(.timeLimit(.minutes(10))) struct MicrobatchMomentsTests {
    static func gradients(_ count: Int, _ random: inout Gaussian) -> [[Double]] {
        (0..<count).map { _ in (0..<6).map { 0.3 + Double($0) * random.next() } }
    }

    static func statistics(of gradients: [[Double]], cutInto sizes: [Int]) -> StepStatistics {
        var moments = MicrobatchMoments()
        var start = 0
        for size in sizes {
            let part = Array(gradients[start..<start + size])
            moments.add(exampleCount: size, gradientSquaredNorm: part.statistics.gradientSquaredNorm)
            start += size
        }
        return moments.statistics(meanLoss: 2, gradientSquaredNorm: gradients.statistics.gradientSquaredNorm)
    }

    @Test func `micro-batches of one example give the exact statistics`() throws {
        var random = Gaussian(seed: 1)
        let gradients = Self.gradients(9, &random)
        let (found, exact) = (
            Self.statistics(of: gradients, cutInto: .init(repeating: 1, count: 9)), gradients.statistics
        )
        #expect(found.exampleCount == 9)
        #expect(found.meanLoss == 2)
        #expect(abs(found.secondMoment - exact.secondMoment) < 1e-9)
        #expect(abs(found.withinBatchVariance - exact.withinBatchVariance) < 1e-9)
        #expect(found.gradientSquaredNorm == exact.gradientSquaredNorm)
    }

    @Test(arguments: [[8, 8, 8], [1, 5, 18], [12, 12]])
    func `the variance is unbiased whatever the sizes`(sizes: [Int]) throws {
        // The covariance's trace is 0 + 1 + 4 + 9 + 16 + 25, the squared norm of the mean 6 · 0.09.
        var random = Gaussian(seed: 2)
        var (variance, squaredNorm) = (0.0, 0.0)
        let trials = 20_000
        for _ in 0..<trials {
            let statistics = Self.statistics(of: Self.gradients(24, &random), cutInto: sizes)
            variance += statistics.unbiasedVariance / Double(trials)
            squaredNorm += statistics.unbiasedGradientSquaredNorm / Double(trials)
        }
        // The standard deviation of a mean of 20,000 is 0.3 and 0.02 at most.
        #expect(abs(variance - 55) < 1.2)
        #expect(abs(squaredNorm - 0.54) < 0.08)
    }

    @Test func `one micro-batch says nothing about variance`() {
        var moments = MicrobatchMoments()
        moments.add(exampleCount: 8, gradientSquaredNorm: 3)
        #expect(moments.statistics(meanLoss: 1, gradientSquaredNorm: 3).unbiasedVariance.isNaN)
    }
}
