/// What rules came to, how they differ, and what the learning rate does to each.
struct DifferenceTables {
    let comparison: RuleComparison

    var tables: [TextTable] { [differences, differencesAtEqualRates, sensitivity, results].compactMap(\.self) }

    private var baseline: ComparedRule { comparison.baseline }

    /// What differences are taken of.
    private var compared: [Measure] { comparison.results + comparison.trainingLosses }

    private func differences(of runs: [ComparedRun], less others: [ComparedRun], _ measures: [Measure]) -> [String]? {
        let found = measures.map { (measure: $0, difference: $0.difference(runs, less: others)) }
        guard let pairCount = found.compactMap(\.difference?.pairCount).max() else { return nil }
        return ["\(pairCount)"]
            + found.map { measure, difference in
                let count = difference?.pairCount ?? pairCount
                return measure.text(difference) + (count < pairCount ? ", \(count) of \(pairCount)" : "")
            }
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
        let choice =
            comparison.choosesByValidation
            ? "Rates were chosen by validation examples"
            : "Rates were chosen by the same test examples, which flatters a rule the more, the more it had"
        return TextTable(
            kind: .differences, title: "Differences from \(baseline.name)",
            caption:
                "Less \(baseline.name) at \(RuleComparison.text(rate)), each rule at the best of its learning rates, \(Self.pairing) "
                + "\(choice); intervals know nothing of that, nor of how many lines and columns there are.",
            head: ["rule", "learning rate", "rates tried", "pairs"] + compared.map(\.name), rows: rows)
    }

    /// Every rule at every learning rate.
    private var differencesAtEqualRates: TextTable {
        let columns = compared + [comparison.batchSize].compactMap(\.self)
        return TextTable(
            kind: .differencesAtEqualRates, title: "Differences from \(baseline.name) at equal learning rates",
            caption: "Less \(baseline.name) at the same learning rate, of runs that finished, \(Self.pairing)",
            head: ["rule", "learning rate", "pairs"] + columns.map(\.name),
            rows: comparison.lines(of: comparison.others) { rule, rate in
                differences(of: rule.runs(at: rate), less: baseline.runs(at: rate), columns)
            })
    }

    /// What rules come to at the learning rates at which most of them ran, by the seeds that a rule finished with at each of these.
    private var sensitivity: TextTable? {
        let rates = comparison.rates.filter { rate in
            comparison.rules.count { $0.rates.contains(rate) } * 2 > comparison.rules.count
        }
        guard rates.count > 1, let measure = comparison.results.first else { return nil }
        let average = Measure.averageAccuracy(of: comparison.runs)
        let lines = comparison.rules.filter { Set(rates).isSubset(of: $0.rates) }.map { rule in
            let finished = rates.filter { !rule.runs(at: $0).isEmpty }
            let seeds = rule.seeds(at: finished)
            let diverged = rates.reduce(0) { $0 + (rule.divergedCounts[$1] ?? 0) }
            func means(_ measure: Measure) -> [Double?] {
                rates.map { rate in measure.mean(rule.runs(at: rate).filter { seeds.contains($0.seed) }) }
            }
            func width(_ measure: Measure) -> Double? {
                let values = means(measure).compactMap(\.self)
                guard values.count == rates.count, let low = values.min(), let high = values.max() else { return nil }
                return high - low
            }
            func text(_ value: Double?, _ measure: Measure) -> String {
                value.map { fixed($0, decimals: measure.decimals) } ?? "–"
            }
            let cells =
                [rule.name, "\(seeds.count)" + (diverged > 0 ? ", \(diverged) diverged" : "")]
                + means(measure).map { text($0, measure) } + [text(width(measure), measure)]
                + (average.map { [text(width($0), $0)] } ?? [])
            return (diverged: diverged, width: width(measure) ?? .infinity, cells: cells)
        }
        return TextTable(
            kind: .sensitivity, title: "How much the learning rate matters",
            caption:
                "Mean \(measure.name) at each learning rate, and the range over them, by the seeds with which a rule finished at each; the "
                + "least sensitive first, and rules with runs that diverged last. Means of fewer seeds have wider ranges by noise alone.",
            head: ["rule", "seeds"] + rates.map { "at \(RuleComparison.text($0))" } + ["range"]
                + (average == nil ? [] : ["range of the average's"]),
            rows: lines.sorted { ($0.diverged, $0.width) < ($1.diverged, $1.width) }.map(\.cells))
    }

    /// A line for each rule at each learning rate.
    private var results: TextTable {
        let columns = compared + [comparison.batchSize].compactMap(\.self)
        return TextTable(
            kind: .results, title: "Every rule at every learning rate",
            caption: "Means over seeds, with the lowest and highest in brackets; at each learning rate the best first.",
            head: ["rule", "learning rate", "runs"] + columns.map(\.name),
            rows: comparison.lines(of: comparison.rules) { rule, rate in
                [rule.counts(at: rate)] + columns.map { $0.text(rule.runs(at: rate)) }
            })
    }
}
