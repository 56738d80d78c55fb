import CABS
import Testing

@Suite(.timeLimit(.minutes(10))) struct GroupedMomentsTests {
    /// Gradients around a mean, with losses, in groups of different sizes.
    private static let groups: [[(loss: Double, gradient: [Double])]] = {
        var gaussian = Gaussian(seed: 5)
        return [7, 8, 8, 9, 8].map { count in
            (0..<count).map { _ in
                (0.5 + gaussian.next() * 0.1, [0.4 + gaussian.next(), gaussian.next(), -0.3 + 2 * gaussian.next()])
            }
        }
    }()

    /// The moments of examples by their definitions.
    private static func moments(_ examples: [(loss: Double, gradient: [Double])]) -> GradientMoments {
        let sum = (0..<3).map { index in examples.reduce(0) { $0 + $1.gradient[index] } }
        return GradientMoments(
            exampleCount: examples.count, lossSum: examples.reduce(0) { $0 + $1.loss },
            squaredNormSum: examples.reduce(0) { $0 + $1.gradient.reduce(0) { $0 + $1 * $1 } },
            sumSquaredNorm: sum.reduce(0) { $0 + $1 * $1 })
    }

    private static var grouped: GroupedMoments {
        let all = groups.flatMap(\.self)
        func sum(_ examples: [(loss: Double, gradient: [Double])]) -> [Double] {
            (0..<3).map { index in examples.reduce(0) { $0 + $1.gradient[index] } }
        }
        let whole = sum(all)
        return GroupedMoments(
            groups.map(moments), sumSquaredNorm: moments(all).sumSquaredNorm,
            products: groups.map { zip(sum($0), whole).reduce(0) { $0 + $1.0 * $1.1 } })
    }

    private static func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-10 * max(abs(a), abs(b)) }

    @Test func `trace and squared norm are the sums over examples and over pairs`() {
        let all = Self.groups.flatMap(\.self).map(\.gradient)
        let count = Double(all.count)
        let mean = (0..<3).map { index in all.reduce(0) { $0 + $1[index] } / count }
        let trace = all.reduce(0) { $0 + zip($1, mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } } / (count - 1)
        var pairs = 0.0
        for (i, a) in all.enumerated() {
            for (j, b) in all.enumerated() where i != j { pairs += zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        }
        let moments = Self.grouped.all
        #expect(Self.isClose(moments.covarianceTrace, trace))
        #expect(Self.isClose(moments.gradientSquaredNorm, pairs / (count * (count - 1))))
        #expect(Self.isClose(moments.noiseScale, trace / moments.gradientSquaredNorm))
        // What a step of all of them would say.
        let statistics = all.statistics
        #expect(Self.isClose(moments.covarianceTrace, statistics.unbiasedVariance))
        #expect(Self.isClose(moments.gradientSquaredNorm, statistics.unbiasedGradientSquaredNorm))
    }

    @Test func `without a group there is what all the others have`() {
        for (index, others) in Self.grouped.others.enumerated() {
            let rest = Self.groups.indices.filter { $0 != index }.flatMap { Self.groups[$0] }
            let expected = Self.moments(rest)
            #expect(others.exampleCount == expected.exampleCount)
            #expect(Self.isClose(others.lossSum, expected.lossSum))
            #expect(Self.isClose(others.squaredNormSum, expected.squaredNormSum))
            #expect(Self.isClose(others.sumSquaredNorm, expected.sumSquaredNorm))
        }
    }

    @Test func `of a mean the jackknife has the standard error of the textbook`() {
        let losses = [0.3, 0.9, 0.4, 0.1, 0.65, 0.7]
        let groups = losses.map { GradientMoments(exampleCount: 1, lossSum: $0, squaredNormSum: 1, sumSquaredNorm: 1) }
        let estimate = GroupedMoments(groups, sumSquaredNorm: 6, products: [1, 1, 1, 1, 1, 1]).estimate(\.meanLoss)
        let mean = losses.reduce(0, +) / 6
        let variance = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
        #expect(Self.isClose(estimate.value, mean))
        #expect(Self.isClose(estimate.standardError, (variance / 6).squareRoot()))
    }
}
