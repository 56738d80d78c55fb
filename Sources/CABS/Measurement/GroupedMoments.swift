/// The moments of examples that were measured in groups, with what is left of them without each group.
///
/// What follows from all examples gets a standard error by the delete-one-group jackknife: with K groups of equal size, θ from all
/// examples, θ₍ₖ₎ from all but group k, and θ̄ the mean of these,
///
///     standard error² = (K − 1)/K · Σₖ (θ₍ₖ₎ − θ̄)²
///
/// (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 11). It is of drawing examples from where they come from, not
/// from the examples at hand.
public struct GroupedMoments: Sendable, Hashable {
    /// The moments of all examples.
    public let all: GradientMoments
    /// By group: the moments of all other examples.
    public let others: [GradientMoments]

    /// Puts the moments of groups together.
    ///
    /// - Parameters:
    ///   - groups: The moments of each group, two at least.
    ///   - sumSquaredNorm: ‖S‖² with S the sum of the gradients of all examples.
    ///   - products: By group: Sₖ · S, with Sₖ the sum of the group's gradients.
    public init(_ groups: [GradientMoments], sumSquaredNorm: Double, products: [Double]) {
        precondition(
            groups.count == products.count && groups.count > 1, "\(groups.count) groups, \(products.count) products")
        let all = GradientMoments(
            exampleCount: groups.reduce(0) { $0 + $1.exampleCount }, lossSum: groups.reduce(0) { $0 + $1.lossSum },
            squaredNormSum: groups.reduce(0) { $0 + $1.squaredNormSum }, sumSquaredNorm: sumSquaredNorm)
        self.all = all
        others = zip(groups, products).map { group, product in
            GradientMoments(
                exampleCount: all.exampleCount - group.exampleCount, lossSum: all.lossSum - group.lossSum,
                squaredNormSum: all.squaredNormSum - group.squaredNormSum,
                sumSquaredNorm: sumSquaredNorm - 2 * product + group.sumSquaredNorm)
        }
    }

    /// A quantity from all examples, with its standard error.
    public func estimate(_ quantity: (GradientMoments) -> Double) -> Estimate {
        let parts = others.map(quantity)
        let count = Double(parts.count)
        let mean = parts.reduce(0, +) / count
        let squares = parts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return Estimate(value: quantity(all), standardError: ((count - 1) / count * squares).squareRoot())
    }
}
