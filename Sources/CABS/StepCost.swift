/// What a step took: a part that does not depend on the batch's size, such as the update and the exchange with other machines, and a part
/// for each example.
public struct StepCost: Sendable, Hashable {
    /// The fixed part, in seconds.
    public let fixedSeconds: Double
    /// The time for each example, in seconds.
    public let secondsPerExample: Double

    /// Creates the cost of a step.
    public init(fixedSeconds: Double, secondsPerExample: Double) {
        self.fixedSeconds = fixedSeconds
        self.secondsPerExample = secondsPerExample
    }
}

/// The fixed cost r of a step in examples, that is, in the time that one example takes: measured over many steps.
///
/// Single steps are held up by whatever else a machine does, so r is the ratio of two medians, over the last ``windowLength`` steps. Its
/// spread is that of the medians: 1.2533 σ/√n with σ from the interquartile range, which for normal errors is 1.349 σ wide.
public struct FixedCostEstimate: Sendable, Hashable {
    /// Over how many steps it is taken.
    public static let windowLength = 64

    private var costs: [StepCost] = []
    private var count = 0

    /// Creates an estimate of nothing yet.
    public init() {}

    /// Takes a step in; what is no time is passed over.
    public mutating func add(_ cost: StepCost) {
        guard cost.fixedSeconds >= 0, cost.secondsPerExample > 0, cost.fixedSeconds.isFinite,
            cost.secondsPerExample.isFinite
        else { return }
        if costs.count < Self.windowLength { costs.append(cost) } else { costs[count % Self.windowLength] = cost }
        count += 1
    }

    /// r with its standard error; nothing before the first window is half full.
    public var value: (examples: Double, standardError: Double)? {
        guard costs.count >= Self.windowLength / 2 else { return nil }
        let fixed = Self.median(costs.map(\.fixedSeconds))
        let perExample = Self.median(costs.map(\.secondsPerExample))
        let examples = fixed.value / perExample.value
        let relativeError = perExample.standardError / perExample.value
        let error = fixed.standardError / perExample.value
        return (examples, (error * error + examples * examples * relativeError * relativeError).squareRoot())
    }

    private static func median(_ values: [Double]) -> (value: Double, standardError: Double) {
        let sorted = values.sorted()
        func quantile(_ part: Double) -> Double {
            let place = part * Double(sorted.count - 1)
            let lower = Int(place)
            let upper = min(lower + 1, sorted.count - 1)
            return sorted[lower] + (place - Double(lower)) * (sorted[upper] - sorted[lower])
        }
        let deviation = (quantile(0.75) - quantile(0.25)) / 1.349
        return (quantile(0.5), 1.2533 * deviation / Double(sorted.count).squareRoot())
    }
}
