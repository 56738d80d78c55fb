/// What the rules of a comparison are measured by.
public struct ComparisonOptions: Sendable, Hashable {
    /// The rule that differences are taken from; `cabs` where not given, or the first where there is no such rule.
    public var baseline: String?
    /// The test accuracy to which examples and seconds are counted; where not given, what half of the rules end at, each at its best
    /// learning rate, rounded down to hundredths.
    public var targetAccuracy: Double?
    /// The training loss to which they are counted; where not given, what half of the rules have over the last tenth of their runs, rounded up
    /// to two digits.
    public var targetLoss: Double?

    /// The defaults.
    public init() {}
}

/// What runs are asked to come to.
struct Targets: Sendable {
    let accuracy: Double?
    let loss: Double?

    init(_ options: ComparisonOptions, _ rules: [ComparedRule]) {
        func median(_ value: (ComparedRun) -> Double?) -> Double? {
            let values = rules.compactMap { Spread($0.bestRuns.compactMap(value))?.mean }.sorted()
            guard !values.isEmpty else { return nil }
            return (values[values.count / 2] + values[(values.count - 1) / 2]) / 2
        }
        accuracy =
            options.targetAccuracy ?? median { $0.summary.testAccuracy }.map { ($0 * 100).rounded(.down) / 100 }
        loss = options.targetLoss ?? median { $0.summary.trainingLoss }.map(Self.roundedUp)
    }

    /// Up to two significant digits.
    private static func roundedUp(_ value: Double) -> Double {
        guard value > 0 else { return value }
        // Powers of ten above one only, which are exact.
        var (scaled, places) = (value, 0)
        while scaled < 10 { (scaled, places) = (scaled * 10, places + 1) }
        guard places > 0 else { return value.rounded(.up) }
        return scaled.rounded(.up) / (0..<places).reduce(1.0) { power, _ in power * 10 }
    }
}
