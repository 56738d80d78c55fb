/// An exponential running average, `v̄ ← μ v̄ + (1 − μ) v`, without bias correction.
///
/// It starts from a given value, as the authors' code of CABS does, and forgets that start as μⁿ.
public struct ExponentialAverage: Sendable, Hashable, Codable {
    /// The weight μ of the past, in [0, 1). Zero keeps only the latest observation.
    public let smoothingFactor: Double

    /// The current average.
    public private(set) var value: Double

    /// The squared standard error of the average, from those of its observations: `e̅² ← μ² e̅² + (1 − μ)² e²`, as of independent ones. What
    /// was given without an error counts as exact.
    public private(set) var squaredError = 0.0

    /// Creates an average that stands at `initialValue`.
    public init(initialValue: Double, smoothingFactor: Double) {
        self.value = initialValue
        self.smoothingFactor = smoothingFactor
    }

    /// Takes one observation in. One that is not finite is passed over: it would stay in the average forever.
    ///
    /// - Parameters:
    ///   - observation: The observation.
    ///   - standardError: Its standard error, where it is known.
    public mutating func update(with observation: Double, standardError: Double? = nil) {
        guard observation.isFinite else { return }
        value = smoothingFactor * value + (1 - smoothingFactor) * observation
        let error = (1 - smoothingFactor) * (standardError ?? 0)
        squaredError = smoothingFactor * smoothingFactor * squaredError + (error.isFinite ? error * error : 0)
    }

    /// Decodes a stored average; errors are missing in those of versions that did not know them.
    ///
    /// - Throws: `DecodingError` where a number is missing or impossible.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        smoothingFactor = try container.decode(Double.self, forKey: .smoothingFactor)
        value = try container.decode(Double.self, forKey: .value)
        squaredError = try container.decodeIfPresent(Double.self, forKey: .squaredError) ?? 0
        guard squaredError >= 0, squaredError.isFinite else {
            throw DecodingError.dataCorruptedError(
                forKey: .squaredError, in: container, debugDescription: "a squared error of \(squaredError)")
        }
    }
}
