/// A measured value and how far it may be off.
public struct Estimate: Sendable, Hashable, Codable {
    /// The value.
    public let value: Double
    /// Its standard error: the standard deviation that the value has over repetitions with other examples.
    public let standardError: Double

    /// Creates an estimate.
    public init(value: Double, standardError: Double) {
        self.value = value
        self.standardError = standardError
    }

    /// The mean of values that were drawn one by one, `Σ xᵢ/n`, with the standard error `√(Σ (xᵢ − x̄)² / (n (n − 1)))`; nothing where there
    /// are fewer than two.
    public init?(meanOf values: some Collection<Double>) {
        guard values.count > 1 else { return nil }
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        self.init(value: mean, standardError: (squares / (count * (count - 1))).squareRoot())
    }

    /// Whether the value lies more than two standard errors above zero.
    public var isClearlyPositive: Bool { value > 2 * standardError }
}
