/// How rules got to where they ended.
struct CourseTables {
    let comparison: RuleComparison

    var tables: [TextTable] { [costs, course, equalExamples].compactMap(\.self) }

    /// Examples and seconds until the targets.
    private var costs: TextTable? {
        typealias Reach = (RunCourse) -> RunCourse.Cost?
        let targets: [(name: String, reach: Reach)] = [
            comparison.targets.accuracy.map { target in
                ("test accuracy \(number(target))", { $0.cost(ofAccuracy: target) })
            },
            comparison.targets.loss.map { target in ("training loss \(number(target))", { $0.cost(ofLoss: target) }) },
        ].compactMap(\.self)
        guard !targets.isEmpty else { return nil }
        return TextTable(
            name: "costs", title: "Examples and seconds to fixed accuracies and losses",
            caption:
                "How many examples were drawn, and how many seconds steps had taken, when an evaluation first had the accuracy, and when the mean "
                + "loss over a part of the run, 1/150 of it, was first as low. Seconds are those of the machine that a run was made on, and of what else it did.",
            head: ["rule", "learning rate", "runs"]
                + targets.flatMap { ["examples to \($0.name)", "seconds to \($0.name)"] },
            rows: comparison.lines(of: comparison.rules) { rule, rate in
                let runs = rule.runs(at: rate)
                return ["\(runs.count)"]
                    + targets.flatMap { target in
                        let costs = runs.map { target.reach($0.course) }
                        return [Self.text(costs) { Double($0.examples) }, Self.text(costs, \.seconds)]
                    }
            })
    }

    private static func text(_ costs: [RunCourse.Cost?], _ value: (RunCourse.Cost) -> Double) -> String {
        let missing = costs.count { $0 == nil }
        guard missing == 0, let spread = Spread(costs.compactMap(\.self).map(value)) else {
            return missing == costs.count ? "not reached" : "not reached by \(missing) of \(costs.count)"
        }
        return spread.text { number($0.rounded()) }
    }

    /// Losses and batch sizes on the way, by tenths of the longest run, each rule at its best learning rate.
    private var course: TextTable? {
        let length = comparison.rules.flatMap(\.bestRuns).map(\.course.exampleCount).max() ?? 0
        // Shorter runs have no parts to take means of.
        guard length >= 10 else { return nil }
        let ends = (0...10).map { length * $0 / 10 }
        func lines(
            _ name: String, _ decimals: (Double) -> Int, _ mean: (RunCourse, Int, Int) -> Double?
        ) -> [[String]] {
            let values = comparison.ranked(comparison.rules, by: \.bestRuns).map { rule in
                let means = zip(ends, ends.dropFirst()).map { start, end in
                    Spread(rule.bestRuns.compactMap { mean($0.course, start, end) })?.mean
                }
                return (rule.name, means)
            }
            let digits = decimals(values.flatMap { $0.1.compactMap(\.self) }.max() ?? 1)
            return values.map { [$0.0, name] + $0.1.map { $0.map { fixed($0, decimals: digits) } ?? "–" } }
        }
        return TextTable(
            name: "course", title: "Losses and batch sizes on the way",
            caption:
                "Mean training loss and mean batch size over each tenth of the examples, each rule at its best learning rate; means over seeds.",
            head: ["rule", ""] + ends.dropFirst().map { "to \(number(Double($0)))" },
            rows: lines("loss", Measure.decimals) { $0.meanLoss(after: $1, to: $2) }
                + lines("batch size", { _ in 0 }) { $0.meanBatchSize(after: $1, to: $2) })
    }

    /// Where runs differ in length: their losses at equal numbers of examples, each rule at its best learning rate.
    private var equalExamples: TextTable? {
        let rules = comparison.ranked(comparison.rules, by: \.bestRuns).compactMap { rule in
            rule.bestRuns.map(\.course.exampleCount).min().map { (rule: rule, length: $0) }
        }.filter { $0.length >= 10 }.sorted { $0.length < $1.length }
        // Budgets of examples end within a batch of each other.
        guard let shortest = rules.first?.length, let longest = rules.last?.length, longest > shortest + shortest / 20
        else { return nil }
        let lengths = Set(rules.map(\.length)).sorted()
        let columns = comparison.measures.filter { $0.name != Measure.meanLossName }
        return TextTable(
            name: "equal-examples", title: "At equal numbers of examples",
            caption:
                "Mean training loss over the last tenth before as many examples as each of the rules drew, and what each came to at its own "
                + "end; each rule at its best learning rate.",
            head: ["rule", "learning rate", "examples"] + lengths.map { "loss at \(number(Double($0)))" }
                + columns.map { "\($0.name) at its end" },
            rows: rules.map { rule, length in
                let losses = lengths.map { end in
                    Spread(rule.bestRuns.compactMap { $0.course.meanLoss(after: end - end / 10, to: end) })
                        .map { $0.text { fixed($0, decimals: 3) } } ?? "–"
                }
                return [rule.name, rule.bestRate.map(RuleComparison.text) ?? "–", number(Double(length))] + losses
                    + columns.map { $0.text(rule.bestRuns) }
            })
    }
}
