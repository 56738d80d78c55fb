import CABSTraining

/// The runs of one model on one data set.
struct RunGroup: Sendable {
    let dataset: String
    let model: String
    /// The rules in the order in which their runs came.
    let rules: [RuleRuns]

    var runs: [ReportedRun] { rules.flatMap(\.runs) }

    /// Whether the rules' best learning rates are chosen by examples held back from training.
    var choosesByValidation: Bool { rules.allSatisfy { $0.best == nil || $0.choosesByValidation } }

    /// What sets the files of this group apart from another's.
    var fileName: String { "\(FileName.part(dataset))-\(FileName.part(model))" }

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
        /// The runs that came to their length at this rate.
        let finishedRuns: [ReportedRun]
        /// What they came to.
        var finished: [RunSummary] { finishedRuns.compactMap(\.summary) }
        /// How many diverged at it, those that went on at a smaller one included.
        let divergedCount: Int

        /// The mean, smallest and largest value over the runs that have it.
        func statistics(_ value: (RunSummary) -> Double?) -> Spread? { Spread(finished.compactMap(value)) }
    }

    /// The learning rates, ascending, with what finished at each.
    var rates: [Rate] {
        grouped(runs) { $0.learningRate }.map { members in
            Rate(
                learningRate: members[0].learningRate,
                finishedRuns: members.filter { $0.status == .finished },
                divergedCount: members.filter { $0.status == .diverged || $0.status == .rewound }.count)
        }.sorted { $0.learningRate < $1.learningRate }
    }

    /// Whether the best learning rate is chosen by examples held back from training, as all runs that finished have some.
    var choosesByValidation: Bool {
        let finished = rates.flatMap(\.finished)
        return !finished.isEmpty && finished.allSatisfy { $0.validationAccuracy != nil }
    }

    /// Whether the runs predict values, of which there is no accuracy.
    var predictsValues: Bool {
        let finished = rates.flatMap(\.finished)
        return !finished.isEmpty && finished.allSatisfy { $0.testAccuracy == nil && $0.testLoss != nil }
    }

    /// What the best learning rate has most of: accuracy, or the least loss where values are predicted.
    private func quality(_ summary: RunSummary) -> Double? {
        if predictsValues { return summary.testLoss.map { -$0 } }
        return choosesByValidation ? summary.validationAccuracy : summary.testAccuracy
    }

    /// The learning rate with the highest mean accuracy on validation examples, else on test examples, or the lowest mean test loss where
    /// values are predicted; the smaller of two that are equal. Only where runs diverged at every rate may they have at this one, and then as
    /// few as at any. Means are over the seeds that finished at each of these rates, as another seed at one of them must not decide; over all
    /// where the rates share none.
    var best: Rate? {
        let candidates = rates.filter { !$0.finished.isEmpty }
        func lost(_ rate: Rate) -> Double {
            Double(rate.divergedCount) / Double(rate.finished.count + rate.divergedCount)
        }
        guard let fewest = candidates.map(lost).min() else { return nil }
        let eligible = candidates.filter { lost($0) == fewest }
        func seeds(_ rate: Rate) -> Set<UInt64> { Set(rate.finishedRuns.map(\.seed)) }
        let shared = eligible.reduce(seeds(eligible[0])) { $0.intersection(seeds($1)) }
        func mean(_ rate: Rate) -> Double {
            let counted = rate.finishedRuns.filter { shared.isEmpty || shared.contains($0.seed) }
            return Spread(counted.compactMap { $0.summary.flatMap(quality) })?.mean ?? -.infinity
        }
        return eligible.reduce(eligible[0]) { mean($1) > mean($0) ? $1 : $0 }
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

    init(mean: Double, low: Double, high: Double) {
        (self.mean, self.low, self.high) = (mean, low, high)
    }

    init?(_ values: [Double]) {
        let values = values.filter(\.isFinite)
        guard let low = values.min(), let high = values.max() else { return nil }
        mean = values.reduce(0, +) / Double(values.count)
        self.low = low
        self.high = high
    }

    /// The mean, with the smallest and largest in brackets where they can be told apart.
    func text(_ number: (Double) -> String) -> String {
        let (low, high) = (number(low), number(high))
        return number(mean) + (low == high ? "" : " (\(low) to \(high))")
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
