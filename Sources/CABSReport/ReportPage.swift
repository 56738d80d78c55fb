import CABSTraining
import Foundation

/// The page of a report.
struct ReportPage {
    let title: String
    let sections: [ReportSection]
    let branches: [(section: BranchSection, figure: (figure: Figure, image: Data)?)]
    let pendingCount: Int
    /// What was named more often than it counts.
    let notes: [String]
    let palette: RulePalette
    /// The page's folder.
    let folder: URL

    /// Tables are folded away where they have more lines.
    private static let longTable = 12

    /// The whole file.
    var html: String {
        let head = HTML(
            "head",
            [
                HTML(markup: "<meta charset=\"utf-8\">\n"),
                HTML(markup: "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"),
                // An icon of nothing, which keeps browsers from asking for one.
                HTML(markup: "<link rel=\"icon\" href=\"data:,\">\n"),
                HTML("title", title), HTML(markup: "\n<style>\n\(ReportStyle.sheet)\n</style>\n"),
            ])
        let body = HTML(
            "body",
            [
                HTML(
                    "header", [HTML("h1", title), overview] + notes.map { HTML("p", [("class", "muted")], "\($0).") }),
                HTML("main", sections.flatMap(section) + branches.map(branch)),
            ])
        return "<!DOCTYPE html>\n" + HTML("html", [("lang", "en")], [head, body]).text + "\n"
    }

    private var runs: [ReportedRun] { sections.flatMap(\.group.runs) }

    private var overview: HTML {
        if runs.count == 1, pendingCount == 0 { return facts(of: runs[0]) }
        if runs.isEmpty { return Self.tiles([("branches", "\(branches.count)")]) }
        func count(_ status: ReportedRun.Status) -> Int { runs.filter { $0.status == status }.count }
        let all: [(String, String, Bool)] = [
            ("runs", "\(runs.count + pendingCount)", true), ("finished", "\(count(.finished))", true),
            ("diverged", "\(count(.diverged))", count(.diverged) > 0),
            ("finished at a smaller rate", "\(count(.rewound))", count(.rewound) > 0),
            ("unfinished", "\(count(.unfinished))", count(.unfinished) > 0),
            ("not begun", "\(pendingCount)", pendingCount > 0),
            ("rules", "\(Set(runs.map(\.rule)).count)", true),
            ("learning rates", "\(Set(runs.map(\.learningRate)).count)", true),
            ("seeds", "\(Set(runs.map(\.seed)).count)", true),
        ]
        return Self.tiles(all.filter(\.2).map { ($0.0, $0.1) })
    }

    private func facts(of run: ReportedRun) -> HTML {
        let summary = run.summary
        let all: [(String, String?)] = [
            ("status", run.status.rawValue), ("rule", run.rule),
            ("learning rate", number(run.learningRate, digits: 6)),
            ("test accuracy", summary?.testAccuracy.map { number($0) }),
            ("test loss", summary?.testAccuracy == nil ? summary?.testLoss.map { number($0) } : nil),
            ("training loss", summary?.trainingLoss.map { number($0) }),
            ("steps", summary.map { number(Double($0.steps)) }),
            ("epochs", summary.flatMap { $0.epochs.isFinite ? number($0.epochs, digits: 3) : nil }),
            ("training time", summary.map { "\(number($0.trainingSeconds, digits: 3)) s" }),
        ]
        return Self.tiles(all.compactMap { name, value in value.map { (name, $0) } })
    }

    private static func tiles(_ facts: [(name: String, value: String)]) -> HTML {
        HTML("dl", [("class", "facts")], facts.map { HTML("div", [HTML("dt", $0.name), HTML("dd", $0.value)]) })
    }

    private func branch(
        _ branch: (section: BranchSection, figure: (figure: Figure, image: Data)?)
    ) -> HTML {
        HTML("section", branch.section.parts(branch.figure.map { figure($0.figure, $0.image) }))
    }

    private func section(_ section: ReportSection) -> [HTML] {
        let group = section.group
        let tables = ResultTables(group, palette: palette, folder: folder)
        let isOne = group.runs.count == 1
        var parts = [HTML("h2", "\(group.model) on \(group.dataset)"), HTML("p", [("class", "muted")], note(group))]
        if !isOne { parts += [HTML("h3", "Rules at their best learning rate"), tables.summary] }
        if !section.figures.isEmpty {
            parts += [HTML("h3", "Figures"), HTML("div", [("class", "figures")], section.figures.map(figure))]
        }
        parts += section.tables.flatMap(comparison)
        parts.append(HTML("h3", isOne ? "Result" : "All runs"))
        let commands = HTML("p", [("class", "muted")], "Commands name files from the folder of this page.")
        if group.runs.count > Self.longTable {
            parts.append(
                HTML(
                    "details",
                    [HTML("summary", "All \(group.runs.count) runs and how to repeat them"), tables.runs, commands]))
        } else {
            parts += [tables.runs, commands]
        }
        parts += isOne ? findings(of: group.runs[0]) : group.runs.compactMap(foldedFindings)
        if isOne, let options = try? group.runs[0].options.yaml() {
            parts.append(
                HTML(
                    "details",
                    [HTML("summary", "All options"), HTML("div", [("class", "scroll")], [HTML("pre", options)])]))
        }
        return [HTML("section", parts)]
    }

    private func comparison(_ table: TextTable) -> [HTML] {
        table.rows.count > Self.longTable
            ? [HTML("details", [HTML("summary", table.title)] + table.parts)]
            : [HTML("h3", table.title)] + table.parts
    }

    /// What was found out about one of several runs, folded away; nothing where there is nothing.
    private func foldedFindings(of run: ReportedRun) -> HTML? {
        let parts = findings(of: run)
        guard !parts.isEmpty else { return nil }
        let name = "\(run.rule) at \(number(run.learningRate, digits: 6)), seed \(run.seed)"
        return HTML("details", [HTML("summary", "What was found out about \(name)")] + parts)
    }

    /// What was found out about a run, beside its course.
    private func findings(of run: ReportedRun) -> [HTML] {
        let sections: [[HTML]?] = [
            run.divergence.map { DivergenceSection(divergence: $0).parts },
            run.measurement.map { MeasurementSection(measurement: $0).parts },
            run.confusion.map { ConfusionSection(confusion: $0).parts },
        ]
        return sections.compactMap(\.self).flatMap(\.self)
    }

    /// Which runs the figures show.
    private func note(_ group: RunGroup) -> String {
        if group.runs.count == 1 {
            switch group.runs[0].status {
            case .finished: return "Losses and statistics are averages over short stretches of the run."
            case .rewound:
                return "The run diverged at the learning rate that it was given: it \(group.runs[0].statusText)."
            case .diverged: return group.runs[0].divergenceText
            case .unfinished: return "The run has not ended; the figures show it as far as it went."
            }
        }
        let best = group.rules.compactMap { rule in
            rule.best.map { "\(rule.rule) at \(number($0.learningRate, digits: 6))" }
        }
        let diverged = group.runs.filter { $0.status == .diverged }.count
        let rewound = group.runs.filter { $0.status == .rewound }.count
        return [
            best.isEmpty
                ? "No run has finished at the learning rate that it was given; figures show the unfinished ones."
                : "Curves show each rule at its best learning rate: \(best.joined(separator: ", ")). \(selection(group))",
            diverged > 0 ? "\(diverged) of \(group.runs.count) runs diverged and are not drawn." : nil,
            rewound > 0
                ? "\(rewound) of \(group.runs.count) runs diverged at the learning rate that they were given and finished at a "
                    + "smaller one; they are not counted at either."
                : nil,
        ].compactMap(\.self).joined(separator: " ")
    }

    /// By what the best learning rates were chosen.
    private func selection(_ group: RunGroup) -> String {
        let among = "over the seeds that they share, among the rates at which the fewest runs diverged"
        if group.rules.allSatisfy({ $0.best == nil || $0.predictsValues }) {
            return "It has the lowest mean test loss at the end \(among)."
        }
        if group.choosesByValidation {
            return
                "It has the highest mean accuracy at the end on validation examples, which no run trains on, \(among)."
        }
        return
            "It has the highest mean test accuracy at the end \(among). So the figures shown are those that the choice was made by, which "
            + "flatters every rule; runs with --validation choose by examples held back from training."
    }

    private func figure(_ figure: Figure, _ image: Data) -> HTML {
        let source = "data:image/svg+xml;base64,\(image.base64EncodedString())"
        let alternative = HTML.escaped(figure.alternativeText)
        return HTML(
            "figure",
            [
                HTML(markup: "<img src=\"\(source)\" alt=\"\(alternative)\">"),
                HTML(
                    "figcaption",
                    [HTML("strong", "\(figure.title)."), HTML(markup: " " + HTML.escaped(figure.caption))]),
            ])
    }
}
