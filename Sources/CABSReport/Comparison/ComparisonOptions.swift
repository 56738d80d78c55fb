import Foundation

/// What the rules of a comparison are measured by.
public struct ComparisonOptions: Sendable, Hashable {
    /// The rule that differences are taken from; `cabs` where not given, or the first where that did not finish.
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
    /// Nothing where no run has an accuracy.
    let accuracy: Double?
    let loss: Double?

    // What rounding may leave of a decimal fraction times a power of ten.
    private static let slack = 1e-9

    init(_ options: ComparisonOptions, _ rules: [ComparedRule]) {
        func median(_ value: (ComparedRun) -> Double?) -> Double? {
            let values = rules.compactMap { Spread($0.bestRuns.compactMap(value))?.mean }.sorted()
            guard !values.isEmpty else { return nil }
            return (values[values.count / 2] + values[(values.count - 1) / 2]) / 2
        }
        accuracy = median { $0.summary.testAccuracy }.map { middle in
            options.targetAccuracy ?? (middle * 100 + Self.slack).rounded(.down) / 100
        }
        loss = options.targetLoss ?? median { $0.summary.trainingLoss }.map(Self.roundedUp)
    }

    /// Up to two significant digits.
    static func roundedUp(_ value: Double) -> Double {
        guard value > 0 else { return value }
        let places = 1 - Int(log10(value).rounded(.down))
        let scale = pow(10, Double(abs(places)))
        func up(_ scaled: Double) -> Double { (scaled * (1 - Self.slack)).rounded(.up) }
        return places < 0 ? up(value / scale) * scale : up(value * scale) / scale
    }
}
