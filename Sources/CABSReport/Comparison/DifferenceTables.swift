/// What rules came to, how they differ, and what the learning rate does to each.
struct DifferenceTables {
    let comparison: RuleComparison

    var tables: [TextTable] { [differences, differencesAtEqualRates, sensitivity, results].compactMap(\.self) }

    private var measures: [Measure] { comparison.measures }
    private var baseline: ComparedRule { comparison.baseline }

    /// What differences are taken of: the qualities and the loss over the run, or all losses where there are no qualities.
    private var compared: [Measure] {
        let qualities = measures.filter(\.isQuality)
        return qualities.isEmpty ? measures : qualities + measures.filter { $0.name == Measure.meanLossName }
    }

    private func differences(of runs: [ComparedRun], less others: [ComparedRun], _ measures: [Measure]) -> [String]? {
        let found = measures.map { (measure: $0, difference: $0.difference(runs, less: others)) }
        guard let pairCount = found.compactMap(\.difference?.pairCount).max() else { return nil }
        return ["\(pairCount)"] + found.map { $0.measure.text($0.difference) }
    }

    private static let pairing =
        "paired by seed, with intervals of 95 % (Student's distribution) where there are several pairs; one that holds zero says that these "
        + "runs do not tell the two apart."

    /// Each rule at its best learning rate.
    private var differences: TextTable? {
        guard let rate = baseline.bestRate else { return nil }
        let rows = comparison.ranked(comparison.others, by: \.bestRuns).compactMap { rule -> [String]? in
            let cells = differences(of: rule.bestRuns, less: baseline.bestRuns, compared)
            return cells.map { [rule.name, rule.bestRate.map(RuleComparison.text) ?? "–", "\(rule.rates.count)"] + $0 }
        }
        return TextTable(
            name: "differences", title: "Differences from \(baseline.name)",
            caption:
                "Less \(baseline.name) at \(RuleComparison.text(rate)), each rule at the best of its learning rates, \(Self.pairing)",
            head: ["rule", "learning rate", "rates tried", "pairs"] + compared.map(\.name), rows: rows)
    }

    /// Every rule at every learning rate.
    private var differencesAtEqualRates: TextTable {
        let columns = compared + [Measure.batchSize(of: comparison.runs)].compactMap(\.self)
        return TextTable(
            name: "differences-at-equal-rates", title: "Differences from \(baseline.name) at equal learning rates",
            caption: "Less \(baseline.name) at the same learning rate, \(Self.pairing)",
            head: ["rule", "learning rate", "pairs"] + columns.map(\.name),
            rows: comparison.lines(of: comparison.others) { rule, rate in
                differences(of: rule.runs(at: rate), less: baseline.runs(at: rate), columns)
            })
    }

    /// The range over learning rates, of rules that finished at all of them, by the seeds that all of a rule's rates have.
    private var sensitivity: TextTable? {
        let rates = comparison.rates
        guard rates.count > 1, let measure = measures.first else { return nil }
        let average = Measure.averageAccuracy(of: comparison.runs)
        let lines = comparison.rules.compactMap { rule -> (width: Double, cells: [String])? in
            let seeds = rule.seeds(at: rates)
            func means(_ measure: Measure) -> [Double]? {
                let means = rates.compactMap { rate in
                    measure.mean(rule.runs(at: rate).filter { seeds.contains($0.seed) })
                }
                return means.count == rates.count ? means : nil
            }
            guard let values = means(measure) else { return nil }
            func width(_ values: [Double]) -> Double { values.max()! - values.min()! }
            let texts = (values + [width(values)]).map { fixed($0, decimals: measure.decimals) }
            let averages = average.map { average in
                means(average).map { fixed(width($0), decimals: average.decimals) } ?? "–"
            }
            return (width(values), [rule.name, "\(seeds.count)"] + texts + [averages].compactMap(\.self))
        }
        return TextTable(
            name: "sensitivity", title: "How much the learning rate matters",
            caption:
                "Mean \(measure.name) at each learning rate, and the range over them, for the rules that finished at all of them with the "
                + "same seeds; the least sensitive first.",
            head: ["rule", "seeds"] + rates.map { "at \(RuleComparison.text($0))" } + ["range"]
                + (average == nil ? [] : ["range of the average's"]),
            rows: lines.sorted { $0.width < $1.width }.map(\.cells))
    }

    /// A line for each rule at each learning rate.
    private var results: TextTable {
        let columns = measures + [Measure.batchSize(of: comparison.runs)].compactMap(\.self)
        let finished = comparison.lines(of: comparison.rules) { rule, rate in
            let runs = rule.runs(at: rate)
            let diverged = rule.divergedCounts[rate].map { ", \($0) diverged" } ?? ""
            return ["\(runs.count)\(diverged)"] + columns.map { $0.text(runs) }
        }
        let failed = comparison.rates.flatMap { rate in
            comparison.rules.filter { $0.runs(at: rate).isEmpty }.compactMap { rule in
                rule.divergedCounts[rate].map {
                    [rule.name, RuleComparison.text(rate), "0, \($0) diverged"] + columns.map { _ in "–" }
                }
            }
        }
        return TextTable(
            name: "results", title: "Every rule at every learning rate",
            caption: "Means over seeds, with the lowest and highest in brackets; at each learning rate the best first.",
            head: ["rule", "learning rate", "runs"] + columns.map(\.name), rows: finished + failed)
    }
}
