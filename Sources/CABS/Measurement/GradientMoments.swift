/// Sums over the losses and gradients of N examples at the same parameters, from which follows what noise there is in a gradient.
///
/// With example losses ℓᵢ and per-example gradients gᵢ, over all parameters or some of them, S = Σᵢ gᵢ and Q = Σᵢ ‖gᵢ‖². They
/// can be added up, and parts be taken out, which a jackknife does: see ``GroupedMoments``.
public struct GradientMoments: Sendable, Hashable {
    /// The number of examples N.
    public var exampleCount: Int
    /// Σᵢ ℓᵢ.
    public var lossSum: Double
    /// Q, the sum of the squared norms.
    public var squaredNormSum: Double
    /// ‖S‖², the squared norm of the sum.
    public var sumSquaredNorm: Double

    /// Creates the moments of examples.
    public init(exampleCount: Int, lossSum: Double, squaredNormSum: Double, sumSquaredNorm: Double) {
        self.exampleCount = exampleCount
        self.lossSum = lossSum
        self.squaredNormSum = squaredNormSum
        self.sumSquaredNorm = sumSquaredNorm
    }

    private var count: Double { Double(exampleCount) }

    /// The mean loss F.
    public var meanLoss: Double { lossSum / count }

    /// The unbiased estimate of the trace of the gradients' covariance, `T = (Q − ‖S‖²/N) / (N − 1)`.
    public var covarianceTrace: Double { (squaredNormSum - sumSquaredNorm / count) / (count - 1) }

    /// The unbiased estimate of the full gradient's squared norm, `‖∇F‖² = (‖S‖² − Q) / (N (N − 1))`: the mean of gᵢ · gⱼ over the pairs of
    /// different examples. Negative where noise outweighs the gradient.
    public var gradientSquaredNorm: Double { (sumSquaredNorm - squaredNormSum) / (count * (count - 1)) }

    /// The noise scale `T / ‖∇F‖²`, the batch size at which noise and gradient balance (McCandlish, Kaplan, Amodei 2018,
    /// arXiv 1812.06162). It means something only where the squared norm is clearly positive.
    public var noiseScale: Double { covarianceTrace / gradientSquaredNorm }
}
