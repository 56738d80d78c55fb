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

    /// Whether the value lies more than two standard errors above zero.
    public var isClearlyPositive: Bool { value > 2 * standardError }
}
