/// How rules got to where they ended.
struct CourseTables {
    let comparison: RuleComparison

    var tables: [TextTable] { [costs, course, equalExamples].compactMap(\.self) }

    /// The number of examples of the longest run.
    private var longest: Int { comparison.runs.map(\.course.exampleCount).max() ?? 0 }

    // MARK: Examples and seconds until the targets

    private typealias Target = (name: String, arrival: (ComparedRun) -> RunCourse.Arrival)

    private var targets: [Target] {
        // As long for all, since shorter means are noisier, and what is noisier is sooner low.
        let width = max(longest / 150, 1)
        let accuracy: Target? = comparison.targets.accuracy.map { target in
            (
                "test accuracy \(number(target))",
                { $0.course.arrival(atAccuracy: target, last: $0.summary.testAccuracy) }
            )
        }
        let loss: Target? = comparison.targets.loss.map { target in
            ("training loss \(number(target))", { $0.course.arrival(atLoss: target, over: width) })
        }
        return [accuracy, loss].compactMap(\.self)
    }

    private var costs: TextTable? {
        let targets = targets
        guard !targets.isEmpty else { return nil }
        return TextTable(
            kind: .costs, title: "Examples and seconds to an accuracy and to a loss",
            caption:
                "How many examples were drawn, and how many seconds steps had taken, by the end of the part of the run, 1/150 of it, in which an "
                + "evaluation first had the accuracy, and in which the mean loss over as many examples as 1/150 of the longest run was first as "
                + "low. Seconds are those of the machine that a run was made on, and of what else it did.",
            head: ["rule", "learning rate", "runs"]
                + targets.flatMap { ["examples to \($0.name)", "seconds to \($0.name)"] },
            rows: comparison.lines(of: comparison.rules) { rule, rate in
                [rule.counts(at: rate)]
                    + targets.flatMap { target in
                        let arrivals = rule.runs(at: rate).map(target.arrival)
                        return [Self.text(arrivals) { Double($0.examples) }, Self.text(arrivals, \.seconds)]
                    }
            })
    }

    private static func text(_ arrivals: [RunCourse.Arrival], _ value: (RunCourse.Cost) -> Double) -> String {
        let known = arrivals.filter { $0 != .unknown }
        let costs = known.compactMap { if case .reached(let cost) = $0 { value(cost) } else { nil } }
        guard !known.isEmpty else { return "–" }
        guard let spread = Spread(costs) else { return "not reached" }
        guard costs.count == known.count else { return "not reached by \(known.count - costs.count) of \(known.count)" }
        return spread.text { number($0, digits: 3) }
    }

    // MARK: On the way

    /// Losses and batch sizes by tenths of the longest run, each rule at its best learning rate.
    private var course: TextTable? {
        // Shorter runs have no parts to take means of.
        guard longest >= 10 else { return nil }
        let tenth = longest / 10
        let ends = (1..<10).map { $0 * tenth } + [longest]
        typealias Mean = (RunCourse, Int, Int) -> Double?
        func lines(_ name: String, _ decimals: ([Double]) -> Int, _ mean: Mean) -> [[String]] {
            let values = comparison.ranked(comparison.rules, by: \.bestRuns).map { rule in
                let means = zip([0] + ends, ends).map { start, end -> Double? in
                    let values = rule.bestRuns.compactMap { mean($0.course, start, end) }
                    // Of all runs or of none, else the runs behind the means would change along a line.
                    return values.count == rule.bestRuns.count ? Spread(values)?.mean : nil
                }
                return (rule: rule.name, means: means)
            }.filter { $0.means.contains { $0 != nil } }
            let digits = decimals(values.flatMap { $0.means.compactMap(\.self) })
            return values.map { [$0.rule, name] + $0.means.map { $0.map { fixed($0, decimals: digits) } ?? "–" } }
        }
        return TextTable(
            kind: .course, title: "Losses and batch sizes on the way",
            caption:
                "Mean training loss and mean batch size over each tenth of the examples, of the longest run, each rule at its best learning rate; "
                + "means over seeds.",
            head: ["rule", ""] + ends.map { "to \(number(Double($0)))" },
            rows: lines("loss", Measure.decimals) { $0.meanLoss(after: $1, to: $2) }
                + lines("batch size", { _ in 0 }) { $0.meanBatchSize(after: $1, to: $2) })
    }

    // MARK: At equal numbers of examples

    /// Where runs differ in length: their losses at equal numbers of examples, each rule at its best learning rate.
    private var equalExamples: TextTable? {
        let rules = comparison.ranked(comparison.rules, by: \.bestRuns).compactMap { rule in
            rule.bestRuns.map(\.course.exampleCount).min().map { (rule: rule, length: $0) }
        }.filter { $0.length >= 10 }.sorted { $0.length < $1.length }
        // Budgets of examples end within a batch of each other.
        let lengths = rules.map(\.length).reduce(into: [Int]()) { lengths, length in
            if length > (lengths.last ?? 0) + (lengths.last ?? 0) / 20 { lengths.append(length) }
        }
        guard lengths.count > 1 else { return nil }
        let losses = lengths.map { end in
            Measure("loss at \(number(Double(end)))", of: rules.flatMap(\.rule.bestRuns)) {
                $0.course.meanLoss(after: end - end / 10, to: end)
            }
        }.compactMap(\.self)
        return TextTable(
            kind: .equalExamples, title: "At equal numbers of examples",
            caption:
                "Mean training loss over the last tenth before as many examples as each of the rules drew, and what each came to at its own "
                + "end; each rule at its best learning rate.",
            head: ["rule", "learning rate", "examples"] + losses.map(\.name)
                + comparison.results.map { "\($0.name) at its end" },
            rows: rules.map { rule, length in
                [rule.name, rule.bestRate.map(RuleComparison.text) ?? "–", number(Double(length))]
                    + (losses + comparison.results).map { $0.text(rule.bestRuns) }
            })
    }
}
