import CABSTraining

/// The rules of a group beside each other, and what they are compared by.
struct RuleComparison: Sendable {
    let rules: [ComparedRule]
    /// The rule that differences are taken from.
    let baseline: ComparedRule
    let targets: Targets
    /// What the runs came to; the first is what rules are sorted by.
    let measures: [Measure]

    /// Nothing where no run finished.
    init?(_ group: RunGroup, _ options: ComparisonOptions) {
        rules = group.rules.map(ComparedRule.init)
        let runs = rules.flatMap(\.runs)
        guard !runs.isEmpty else { return nil }
        baseline = rules.first { $0.name == options.baseline ?? BatchSizeRule.cabs.name } ?? rules[0]
        targets = Targets(options, rules)
        measures = Measure.all(of: runs)
    }

    var runs: [ComparedRun] { rules.flatMap(\.runs) }

    /// All rules but the one that differences are taken from.
    var others: [ComparedRule] { rules.filter { $0.name != baseline.name } }

    /// The learning rates at which runs ended.
    var rates: [Double] { Set(rules.flatMap { $0.rates + $0.divergedCounts.keys }).sorted() }

    /// Rules with some runs by what these came to, the best first; those without are left out.
    func ranked(_ rules: [ComparedRule], by runs: (ComparedRule) -> [ComparedRun]) -> [ComparedRule] {
        guard let measure = measures.first else { return rules.filter { !runs($0).isEmpty } }
        let sign = measure.isQuality ? -1.0 : 1.0
        return rules.compactMap { rule in measure.mean(runs(rule)).map { (rule, sign * $0) } }
            .sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// Lines that begin with a rule and a learning rate, for each rule that finished at each of the rates, the best first at each.
    func lines(of rules: [ComparedRule], _ cells: (ComparedRule, Double) -> [String]?) -> [[String]] {
        rates.flatMap { rate in
            ranked(rules) { $0.runs(at: rate) }.compactMap { rule in
                cells(rule, rate).map { [rule.name, Self.text(rate)] + $0 }
            }
        }
    }

    /// A learning rate.
    static func text(_ rate: Double) -> String { number(rate, digits: 6) }

    /// All tables that have lines.
    var tables: [TextTable] {
        (DifferenceTables(comparison: self).tables + CourseTables(comparison: self).tables).filter { !$0.rows.isEmpty }
    }
}
