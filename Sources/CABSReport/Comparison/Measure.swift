import CABSTraining
import Foundation

/// A number that runs come to, and how it is written.
struct Measure: Sendable {
    let name: String
    /// Digits behind the point.
    let decimals: Int
    /// Whether more of it is better.
    let isQuality: Bool
    let value: @Sendable (ComparedRun) -> Double?

    /// What runs came to in the end, as far as they have it: by the last parameters and by their average. The first is what rules are sorted by.
    static func results(of runs: [ComparedRun]) -> [Measure] {
        [
            Measure(.testAccuracy, of: runs), averageAccuracy(of: runs), Measure(.testLoss, of: runs),
            Measure(.averageTestLoss, of: runs),
        ].compactMap(\.self)
    }

    /// The test accuracy by the average of the parameters.
    static func averageAccuracy(of runs: [ComparedRun]) -> Measure? {
        Measure(.averageTestAccuracy, of: runs)
    }

    /// What training came to: the mean training loss over a run's last tenth, and ``meanLoss(of:)``.
    static func trainingLosses(of runs: [ComparedRun]) -> [Measure] {
        [
            Measure("training loss over the last tenth", of: runs) { $0.summary.trainingLoss },
            meanLoss(of: runs),
        ].compactMap(\.self)
    }

    /// The area under the loss curve by examples, as a mean. Where runs differ in length it is of as many examples as all drew, as a
    /// longer run has a lower mean whatever its rule does.
    private static func meanLoss(of runs: [ComparedRun]) -> Measure? {
        let lengths = runs.map(\.course.exampleCount).filter { $0 > 0 }
        guard let shortest = lengths.min(), let longest = lengths.max() else { return nil }
        let isOfRuns = shortest >= longest - longest / 20
        return Measure(
            isOfRuns ? "mean training loss of the run" : "mean training loss to \(number(Double(shortest))) examples",
            of: runs
        ) { $0.course.meanLoss(after: 0, to: shortest) }
    }

    /// The mean batch size over the run.
    static func batchSize(of runs: [ComparedRun]) -> Measure? {
        Measure(.meanBatchSize, of: runs)
    }

    private init?(_ column: RunColumn, of runs: [ComparedRun]) {
        self.init(column.heading, of: runs, isQuality: column.best == .largest) { column.value($0.summary) }
    }

    /// Nothing where no run has it.
    init?(
        _ name: String, of runs: [ComparedRun], isQuality: Bool = false,
        value: @escaping @Sendable (ComparedRun) -> Double?
    ) {
        let values = runs.compactMap(value)
        guard !values.isEmpty else { return nil }
        (self.name, self.isQuality, self.value) = (name, isQuality, value)
        decimals = Self.decimals(for: values)
    }

    /// Three for numbers around one, such as accuracies and most losses; for others as many as leave three digits of the middle one. One run that
    /// broke must not take digits from the others.
    static func decimals(for values: [Double]) -> Int {
        let sizes = values.map(abs).filter { $0 > 0 && $0.isFinite }.sorted()
        guard !sizes.isEmpty, !(0.05..<10).contains(sizes[sizes.count / 2]) else { return 3 }
        return min(max(2 - Int(log10(sizes[sizes.count / 2]).rounded(.down)), 0), 12)
    }

    /// The mean over runs; nothing where none has it.
    func mean(_ runs: [ComparedRun]) -> Double? { Spread(runs.compactMap(value))?.mean }

    /// A value; the mean of several, with the lowest and highest in brackets; a dash where there is none.
    func text(_ runs: [ComparedRun]) -> String {
        let values = runs.compactMap(value)
        guard let spread = Spread(values) else { return "–" }
        return spread.text { fixed($0, decimals: decimals) }
            + (values.count < runs.count ? ", \(values.count) of \(runs.count)" : "")
    }

    /// One rule's runs less another's, pair by pair of the same seed. Runs of one rule, learning rate and seed are the same to the last bits, so
    /// the first stands for all.
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

    /// A mean difference with its interval in brackets, where there is one; with a digit more where a bound would look like zero.
    func text(_ difference: PairedDifference?) -> String {
        guard let difference else { return "–" }
        let bounds = difference.reach.map { [difference.mean - $0, difference.mean + $0] } ?? []
        let hidesSign = bounds.contains { $0 != 0 && fixed($0, decimals: decimals) == fixed(0, decimals: decimals) }
        let texts = ([difference.mean] + bounds).map { value in
            fixed(value, decimals: hidesSign ? decimals + 1 : decimals, isSigned: true)
        }
        return texts.count == 1 ? texts[0] : "\(texts[0]) (\(texts[1]) to \(texts[2]))"
    }
}
