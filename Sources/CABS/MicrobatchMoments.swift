/// The statistics of a step from a few micro-batches, where the gradients of single examples are not at hand: under gradient
/// accumulation, with several devices, with batch normalisation, in any framework.
///
/// With K micro-batches of bₖ examples, their mean gradients Gₖ, and G the mean gradient of all B = Σ bₖ examples,
///
///     S = (Σₖ bₖ ‖Gₖ‖² − B ‖G‖²) / (K − 1)
///
/// is an unbiased estimate of the trace of the gradients' covariance: with the full gradient μ and the trace T, E‖Gₖ‖² = ‖μ‖² + T/bₖ and
/// E‖G‖² = ‖μ‖² + T/B, so the expectation of the numerator is (K − 1) T. It holds for micro-batches of different sizes, is never
/// negative but for rounding, and for micro-batches of one example is the exact
/// ``StepStatistics/unbiasedVariance``. With few micro-batches it is noisy: its relative standard deviation is about √(2/(K − 1)) or
/// less, which the averages of the rules smooth.
///
/// ```swift
/// var moments = MicrobatchMoments()
/// for microbatch in microbatches {
///     let gradient = meanGradient(of: microbatch)                       // yours
///     moments.add(exampleCount: microbatch.count, gradientSquaredNorm: gradient.squaredNorm)
///     accumulate(gradient, weight: microbatch.count)                    // yours
/// }
/// let statistics = moments.statistics(meanLoss: loss, gradientSquaredNorm: meanOfAll.squaredNorm)
/// ```
public struct MicrobatchMoments: Sendable, Hashable, Codable {
    /// The number of micro-batches K.
    public private(set) var microbatchCount = 0
    /// The number of examples B.
    public private(set) var exampleCount = 0
    /// Σₖ bₖ ‖Gₖ‖².
    public private(set) var weightedSquaredNorms = 0.0

    /// Creates the moments of no micro-batches.
    public init() {}

    /// Takes a micro-batch in.
    ///
    /// - Parameters:
    ///   - exampleCount: The number of its examples bₖ, 1 or more.
    ///   - gradientSquaredNorm: The squared norm ‖Gₖ‖² of the mean of its examples' gradients.
    public mutating func add(exampleCount: Int, gradientSquaredNorm: Double) {
        precondition(exampleCount >= 1, "a micro-batch of \(exampleCount) examples")
        microbatchCount += 1
        self.exampleCount += exampleCount
        weightedSquaredNorms += Double(exampleCount) * gradientSquaredNorm
    }

    /// The statistics of the step that all micro-batches make together.
    ///
    /// The second moment is the one that belongs to the estimate S: with it,
    /// ``StepStatistics/unbiasedVariance`` is S. Not a number with fewer than two micro-batches, which say nothing about
    /// variance.
    ///
    /// - Parameters:
    ///   - meanLoss: The mean loss of all examples.
    ///   - gradientSquaredNorm: The squared norm ‖G‖² of the mean gradient of all examples: each micro-batch counts by the number
    ///     of its examples.
    public func statistics(meanLoss: Double, gradientSquaredNorm: Double) -> StepStatistics {
        let total = Double(exampleCount)
        let variance =
            microbatchCount > 1
            ? (weightedSquaredNorms - total * gradientSquaredNorm) / Double(microbatchCount - 1) : .nan
        return StepStatistics(
            exampleCount: exampleCount, meanLoss: meanLoss,
            secondMoment: gradientSquaredNorm + variance * (total - 1) / total, gradientSquaredNorm: gradientSquaredNorm
        )
    }
}
