import CABSTraining

/// The runs of one model on one data set.
struct RunGroup: Sendable {
    let dataset: String
    let model: String
    /// The rules in the order in which their runs came.
    let rules: [RuleRuns]

    var runs: [ReportedRun] { rules.flatMap(\.runs) }

    /// Sorts runs into groups, in the order in which they come.
    static func groups(of runs: [ReportedRun]) -> [RunGroup] {
        grouped(runs) { [$0.dataset, $0.model] }.map { members in
            RunGroup(
                dataset: members[0].dataset, model: members[0].model,
                rules: grouped(members) { $0.rule }.map { RuleRuns(rule: $0[0].rule, runs: $0) })
        }
    }
}

/// The runs of one rule in a group.
struct RuleRuns: Sendable {
    let rule: String
    let runs: [ReportedRun]

    /// A learning rate with its runs that finished.
    struct Rate: Sendable {
        let learningRate: Double
        let finished: [RunSummary]

        /// The mean, smallest and largest value over the runs that have it.
        func statistics(_ value: (RunSummary) -> Double?) -> Spread? { Spread(finished.compactMap(value)) }
    }

    /// The learning rates, ascending, with what finished at each.
    var rates: [Rate] {
        grouped(runs) { $0.learningRate }.map { members in
            Rate(
                learningRate: members[0].learningRate,
                finished: members.filter { $0.status == .finished }.compactMap(\.summary))
        }.sorted { $0.learningRate < $1.learningRate }
    }

    /// The learning rate with the highest mean test accuracy over the runs that finished; the smaller of two that are equal.
    var best: Rate? {
        rates.filter { !$0.finished.isEmpty }.reduce(nil) { (best: Rate?, rate) in
            func accuracy(_ rate: Rate?) -> Double { rate?.statistics(\.testAccuracy)?.mean ?? -1 }
            return best == nil || accuracy(rate) > accuracy(best) ? rate : best
        }
    }

    /// The runs that curves are drawn of: those that finished at the best learning rate, or where none finished those at the
    /// first learning rate that can still finish.
    var shown: [ReportedRun] {
        if let best { return runs.filter { $0.status == .finished && $0.learningRate == best.learningRate } }
        let open = runs.filter { $0.status == .unfinished }
        return open.filter { $0.learningRate == open[0].learningRate }
    }
}

/// A mean with the smallest and largest value behind it.
struct Spread: Sendable, Hashable {
    let mean: Double
    let low: Double
    let high: Double

    init?(_ values: [Double]) {
        let values = values.filter(\.isFinite)
        guard let low = values.min(), let high = values.max() else { return nil }
        mean = values.reduce(0, +) / Double(values.count)
        self.low = low
        self.high = high
    }
}

/// Elements with equal keys together, in the order in which the keys come first.
private func grouped<Element, Key: Hashable>(_ elements: [Element], by key: (Element) -> Key) -> [[Element]] {
    var indices: [Key: Int] = [:]
    var groups: [[Element]] = []
    for element in elements {
        if let index = indices[key(element)] {
            groups[index].append(element)
        } else {
            indices[key(element)] = groups.count
            groups.append([element])
        }
    }
    return groups
}
