/// An exponential running average, `v̄ ← μ v̄ + (1 − μ) v`, without bias correction.
///
/// It starts from a given value, as the authors' code of CABS does, and forgets that start as μⁿ.
public struct ExponentialAverage: Sendable, Hashable, Codable {
    /// The weight μ of the past, in [0, 1). Zero keeps only the latest observation.
    public let smoothingFactor: Double

    /// The current average.
    public private(set) var value: Double

    /// Creates an average that stands at `initialValue`.
    public init(initialValue: Double, smoothingFactor: Double) {
        self.value = initialValue
        self.smoothingFactor = smoothingFactor
    }

    /// Takes one observation in. One that is not finite is passed over: it would stay in the average forever.
    public mutating func update(with observation: Double) {
        guard observation.isFinite else { return }
        value = smoothingFactor * value + (1 - smoothingFactor) * observation
    }
}
