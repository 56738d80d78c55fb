import CABSTraining

/// The rules of a group beside each other, and what they are compared by.
struct RuleComparison: Sendable {
    let rules: [ComparedRule]
    /// The rule that differences are taken from.
    let baseline: ComparedRule
    let targets: Targets
    /// What the runs came to; the first is what rules are sorted by.
    let results: [Measure]
    /// What became of the training loss: at the end, and on the way as the area under its curve.
    let trainingLosses: [Measure]
    let batchSize: Measure?
    /// Whether the rules' best learning rates were chosen by examples held back from training.
    let choosesByValidation: Bool

    /// Nothing where no run finished.
    init?(_ group: RunGroup, _ options: ComparisonOptions) {
        rules = group.rules.map(ComparedRule.init)
        let finished = rules.filter { !$0.runs.isEmpty }
        guard let first = finished.first else { return nil }
        let wanted = [options.baseline, BatchSizeRule.cabs.name].compactMap(\.self)
        baseline = wanted.compactMap { name in finished.first { $0.name == name } }.first ?? first
        targets = Targets(options, rules)
        let runs = rules.flatMap(\.runs)
        results = Measure.results(of: runs)
        (trainingLosses, batchSize) = (Measure.trainingLosses(of: runs), Measure.batchSize(of: runs))
        choosesByValidation = group.choosesByValidation
    }

    var runs: [ComparedRun] { rules.flatMap(\.runs) }

    /// All rules but the one that differences are taken from.
    var others: [ComparedRule] { rules.filter { $0.name != baseline.name } }

    /// The learning rates at which runs ended.
    var rates: [Double] { Set(rules.flatMap(\.rates)).sorted() }

    /// Rules with some runs by what these came to, the best first, and last those of which nobody knows; those without runs are left out.
    func ranked(_ rules: [ComparedRule], by runs: (ComparedRule) -> [ComparedRun]) -> [ComparedRule] {
        let present = rules.filter { !runs($0).isEmpty }
        guard let measure = results.first else { return present }
        return present.map { rule in
            (rule, measure.mean(runs(rule)).map { measure.isQuality ? -$0 : $0 } ?? .infinity)
        }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// A line for each rule that ended at each of the rates, the best first at each: rule, learning rate, and what more there is to say.
    func lines(of rules: [ComparedRule], _ cells: (ComparedRule, Double) -> [String]?) -> [[String]] {
        rates.flatMap { rate in
            let finished = ranked(rules) { $0.runs(at: rate) }
            let failed = rules.filter { $0.runs(at: rate).isEmpty && $0.divergedCounts[rate] != nil }
            return (finished + failed).compactMap { rule in
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
