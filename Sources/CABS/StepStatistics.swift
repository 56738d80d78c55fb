/// What one training step measured about its batch: the loss and the first two moments of the
/// per-example gradients.
///
/// With m examples, example losses ℓᵢ and per-example gradients gᵢ over all trainable parameters,
///
///     meanLoss             = (1/m) Σᵢ ℓᵢ
///     secondMoment         = (1/m) Σᵢ ‖gᵢ‖²
///     gradientSquaredNorm  = ‖(1/m) Σᵢ gᵢ‖²
///
/// Everything a batch-size policy needs follows from these and the learning rate. Gradients are of the
/// data loss alone: a regulariser such as weight decay is the same for every example and is not noise.
public struct StepStatistics: Sendable, Hashable, Codable {
    /// The number of examples m in the batch.
    public let exampleCount: Int

    /// The mean of the example losses.
    public let meanLoss: Double

    /// The mean squared norm of the per-example gradients, `(1/m) Σᵢ ‖gᵢ‖²`; not a number where it was not
    /// measured, and then so is everything derived from it.
    public let secondMoment: Double

    /// The squared norm of the mini-batch gradient, `‖(1/m) Σᵢ gᵢ‖²`; not a number where it was not measured.
    public let gradientSquaredNorm: Double

    /// The standard error of ``secondMoment``: with sᵢ = ‖gᵢ‖² and s their mean, `√(Σᵢ (sᵢ − s)² / (m (m − 1)))`. Nothing where it is not known,
    /// as from a single example.
    ///
    /// That of ``withinBatchVariance`` is nearly the same where noise outweighs the gradient. Where the gradient is the larger part of
    /// every example's, the errors of the two moments go together and nearly cancel in their difference, whose own is then smaller.
    public let secondMomentStandardError: Double?

    /// Creates the statistics of one step.
    public init(
        exampleCount: Int, meanLoss: Double, secondMoment: Double, gradientSquaredNorm: Double,
        secondMomentStandardError: Double? = nil
    ) {
        self.exampleCount = exampleCount
        self.meanLoss = meanLoss
        self.secondMoment = secondMoment
        self.gradientSquaredNorm = gradientSquaredNorm
        self.secondMomentStandardError = secondMomentStandardError
    }

    /// The same statistics with a standard error of the second moment.
    public func with(secondMomentStandardError: Double?) -> StepStatistics {
        StepStatistics(
            exampleCount: exampleCount, meanLoss: meanLoss, secondMoment: secondMoment,
            gradientSquaredNorm: gradientSquaredNorm, secondMomentStandardError: secondMomentStandardError)
    }

    /// The trace ξ of the within-batch covariance of the per-example gradients,
    /// `(1/m) Σᵢ ‖gᵢ − g‖²` with g their mean (Balles, Romero, Hennig 2017, equation 10).
    ///
    /// Divides by m, as the paper does, so it underestimates the covariance of the data distribution by the
    /// factor (m − 1)/m; see ``unbiasedVariance``. Zero, but for rounding, for a single example.
    public var withinBatchVariance: Double {
        let difference = secondMoment - gradientSquaredNorm
        // A variance; what rounding leaves below zero is zero. Written so that "not a number" stays itself.
        return difference < 0 ? 0 : difference
    }

    /// The unbiased estimate of the trace of the gradient covariance, `(1/(m−1)) Σᵢ ‖gᵢ − g‖²`.
    ///
    /// Not a number for a single example, which says nothing about variance.
    public var unbiasedVariance: Double {
        exampleCount > 1
            ? withinBatchVariance * Double(exampleCount) / Double(exampleCount - 1) : .nan
    }

    /// A batch size that a rule which goes by the variance chose after this step, or two where the step had a single example: that has no
    /// variance, and a rule that stayed there would learn nothing more.
    func leavingSingleExample(_ rawBatchSize: Double) -> Double {
        exampleCount > 1 || rawBatchSize > 2 ? rawBatchSize : 2
    }

    /// The unbiased estimate of the squared norm of the full gradient,
    /// `‖g‖² − (1/m) · unbiasedVariance`. Negative where noise outweighs the gradient.
    public var unbiasedGradientSquaredNorm: Double {
        gradientSquaredNorm - unbiasedVariance / Double(exampleCount)
    }
}
