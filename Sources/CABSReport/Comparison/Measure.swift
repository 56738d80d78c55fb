import Foundation

/// A number that runs come to, and how it is written.
struct Measure: Sendable {
    let name: String
    /// Digits behind the point.
    let decimals: Int
    /// Whether more of it is better.
    let isQuality: Bool
    let value: @Sendable (ComparedRun) -> Double?

    /// What is compared of runs, as far as they have it: of the last parameters and of their average, after the last step, and over the run. The
    /// first is what rules are sorted by.
    static func all(of runs: [ComparedRun]) -> [Measure] {
        [
            Measure("test accuracy", of: runs, isQuality: true) { $0.summary.testAccuracy },
            averageAccuracy(of: runs),
            Measure("test loss", of: runs) { $0.summary.testLoss },
            Measure("test loss of the average", of: runs) { $0.summary.averageTestLoss },
            Measure(meanLossName, of: runs) { $0.course.meanLoss },
        ].compactMap(\.self)
    }

    /// The area under the loss curve by examples.
    static let meanLossName = "mean training loss of the run"

    /// The test accuracy by the average of the parameters.
    static func averageAccuracy(of runs: [ComparedRun]) -> Measure? {
        Measure("accuracy of the average", of: runs, isQuality: true) { $0.summary.averageTestAccuracy }
    }

    /// The mean batch size over the run.
    static func batchSize(of runs: [ComparedRun]) -> Measure? {
        Measure("mean batch size", of: runs) { run in
            run.summary.steps > 0 ? Double(run.summary.examples) / Double(run.summary.steps) : nil
        }
    }

    /// Nothing where no run has it.
    init?(
        _ name: String, of runs: [ComparedRun], isQuality: Bool = false,
        value: @escaping @Sendable (ComparedRun) -> Double?
    ) {
        guard let largest = runs.compactMap(value).map(abs).max() else { return nil }
        (self.name, self.isQuality, self.value) = (name, isQuality, value)
        decimals = Self.decimals(for: largest)
    }

    /// Three for numbers around one, such as accuracies and most losses; for others as many as leave three digits of the largest.
    static func decimals(for largest: Double) -> Int {
        guard largest > 0, largest.isFinite, !(0.05..<10).contains(largest) else { return 3 }
        return min(max(2 - Int(log10(largest).rounded(.down)), 0), 12)
    }

    /// A value; the mean of several, with the lowest and highest in brackets; a dash where there is none.
    func text(_ runs: [ComparedRun]) -> String {
        guard let spread = Spread(runs.compactMap(value)) else { return "–" }
        return spread.text { fixed($0, decimals: decimals) }
    }

    /// The mean over runs; nothing where none has it.
    func mean(_ runs: [ComparedRun]) -> Double? { Spread(runs.compactMap(value))?.mean }

    /// One rule's runs less another's, pair by pair of the same seed.
    func difference(_ runs: [ComparedRun], less others: [ComparedRun]) -> PairedDifference? {
        let values = Dictionary(others.compactMap { run in value(run).map { (run.seed, $0) } }) { first, _ in first }
        var seeds = Set<UInt64>()
        return PairedDifference(
            runs.compactMap { run in
                guard let own = value(run), let other = values[run.seed], seeds.insert(run.seed).inserted else {
                    return nil
                }
                return own - other
            })
    }

    /// A mean difference with its interval in brackets, where there is one.
    func text(_ difference: PairedDifference?) -> String {
        guard let difference else { return "–" }
        func signed(_ value: Double) -> String { fixed(value, decimals: decimals, isSigned: true) }
        let interval = difference.reach.map { reach in
            " (\(signed(difference.mean - reach)) to \(signed(difference.mean + reach)))"
        }
        return signed(difference.mean) + (interval ?? "")
    }
}
