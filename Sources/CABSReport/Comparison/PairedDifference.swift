import CABS

/// The mean of differences between runs that have the same seed, with its confidence interval of 95 %.
struct PairedDifference: Sendable, Hashable {
    let mean: Double
    /// How far the interval reaches to both sides of the mean: `t √(Σ (dᵢ − d̄)² / (n (n − 1)))`, t the quantile of 0.975 of Student's
    /// distribution with n − 1 degrees of freedom. Nothing for a single pair.
    let reach: Double?
    let pairCount: Int

    /// Nothing where there is no pair.
    init?(_ differences: [Double]) {
        guard !differences.isEmpty else { return nil }
        pairCount = differences.count
        if let estimate = Estimate(meanOf: differences) {
            mean = estimate.value
            reach = Self.studentQuantile(degreesOfFreedom: pairCount - 1) * estimate.standardError
        } else {
            (mean, reach) = (differences[0], nil)
        }
    }

    /// The quantile of 0.975 of Student's distribution, right to four digits: exact values for few degrees of freedom, else the expansion
    /// about the normal distribution's quantile (Abramowitz and Stegun, 26.7.5).
    static func studentQuantile(degreesOfFreedom: Int) -> Double {
        let exact = [12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600, 2.26216]
        if exact.indices.contains(degreesOfFreedom - 1) { return exact[degreesOfFreedom - 1] }
        let (z, n) = (1.959964, Double(degreesOfFreedom))
        let square = z * z
        let first = z * (square + 1) / 4
        let second = z * ((5 * square + 16) * square + 3) / 96
        let third = z * (((3 * square + 19) * square + 17) * square - 15) / 384
        return z + (first + (second + third / n) / n) / n
    }
}
