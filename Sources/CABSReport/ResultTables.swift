import CABSTraining
import Foundation

/// The tables of a group's results.
struct ResultTables {
    private let group: RunGroup
    private let palette: RulePalette
    /// The folder of the page, from which commands name configurations.
    private let folder: URL

    init(_ group: RunGroup, palette: RulePalette, folder: URL) {
        self.group = group
        self.palette = palette
        self.folder = folder
    }

    /// A cell that may be the best of its column.
    private struct Cell {
        let html: HTML
        var value: Double? = nil
        var best: RunColumn.Best? = nil
        var isWord = false

        init(_ html: HTML, isWord: Bool = false) {
            self.html = html
            self.isWord = isWord
        }

        init(_ text: String, isWord: Bool = false) {
            self.init(HTML(markup: HTML.escaped(text)), isWord: isWord)
        }

        /// A value, with the smallest and largest behind a mean where they differ.
        init(_ spread: Spread?, digits: Int = 4, best: RunColumn.Best? = nil) {
            guard let spread else { self.init("–"); return }
            var text = HTML.escaped(number(spread.mean, digits: digits))
            if spread.low < spread.high {
                let range = "\(number(spread.low, digits: digits)) – \(number(spread.high, digits: digits))"
                text += " " + HTML("span", [("class", "range")], range).text
            }
            self.init(HTML(markup: text))
            value = spread.mean
            self.best = best
        }
    }

    /// A line for each rule: its best learning rate, and means over seeds there.
    var summary: HTML {
        let columns: [RunColumn] =
            (hasValidation ? [.validationAccuracy] : []) + [
                .testAccuracy, .testLoss, .trainingLoss, .meanBatchSize, .steps, .trainingSeconds,
            ]
        let rows = group.rules.map { rule -> (String, [Cell]) in
            let best = rule.best
            let numbers = columns.map {
                Cell(best?.statistics($0.value), digits: $0.digits, best: $0.best)
            }
            return (
                rule.rule,
                [Cell(best.map { number($0.learningRate, digits: 6) } ?? "–"), Cell(Self.counts(rule))] + numbers
            )
        }
        return table(["best learning rate", "finished"] + columns.map(\.heading), rows)
    }

    /// Whether any run held examples back.
    private var hasValidation: Bool { group.runs.contains { $0.summary?.validationAccuracy != nil } }

    private static func counts(_ rule: RuleRuns) -> String {
        let finished = rule.runs.filter { $0.status == .finished }.count
        let diverged = rule.runs.filter { $0.status == .diverged }.count
        let rewound = rule.runs.filter { $0.status == .rewound }.count
        return "\(finished) of \(rule.runs.count)" + (diverged > 0 ? ", \(diverged) diverged" : "")
            + (rewound > 0 ? ", \(rewound) at a smaller rate" : "")
    }

    /// A line for each run.
    var runs: HTML {
        let columns: [RunColumn] =
            [.trainingLoss] + (hasValidation ? [.validationAccuracy] : []) + [
                .testLoss, .testAccuracy, .trainingSeconds,
            ]
        let rows = group.runs.map { run -> (String, [Cell]) in
            // Of a run that has not ended, what its last line says.
            let last = run.summary == nil ? run.lastRecord : nil
            func text(_ column: RunColumn, _ ofLast: (StepRecord) -> Double) -> String {
                (run.summary.flatMap(column.value) ?? last.map(ofLast)).map { number($0, digits: column.digits) } ?? "–"
            }
            return (
                run.rule,
                [
                    Cell(number(run.learningRate, digits: 6)), Cell("\(run.seed)"), Cell(run.statusText, isWord: true),
                    Cell(text(.steps) { Double($0.step + 1) }),
                    Cell(text(.meanBatchSize) { Double($0.examples) / Double($0.step + 1) }),
                ]
                    + columns.map { column in
                        Cell(
                            Spread([run.summary.flatMap(column.value)].compactMap(\.self)), digits: column.digits,
                            best: run.status == .finished ? column.best : nil)
                    } + [
                        configuration(of: run).map { Cell(HTML("code", "cabs train --config \($0)"), isWord: true) }
                            ?? Cell("its options were not kept", isWord: true)
                    ]
            )
        }
        let (steps, size) = (RunColumn.steps.heading, RunColumn.meanBatchSize.heading)
        return table(
            ["learning rate", "seed", "status", steps, size] + columns.map(\.heading) + ["to repeat it"], rows)
    }

    private func table(_ columns: [String], _ rows: [(rule: String, cells: [Cell])]) -> HTML {
        let best = columns.indices.map { column -> Double? in
            let cells = rows.map { $0.cells[column] }.filter { $0.best != nil }
            // One alone is not the best of anything.
            guard cells.count > 1 else { return nil }
            let values = cells.compactMap(\.value)
            return cells[0].best == .largest ? values.max() : values.min()
        }
        let head = columns.indices.map { column in
            let isWord = rows.contains { $0.cells[column].isWord }
            return HTML("th", [("scope", "col")] + (isWord ? [("class", "word")] : []), columns[column])
        }
        let body = rows.map { row in
            let line = HTML("span", [("class", "line"), ("style", "border-color: \(palette[row.rule].color)")], "")
            let name = HTML(
                "th", [("class", "name"), ("scope", "row")], [line, HTML(markup: HTML.escaped(row.rule))])
            return HTML(
                "tr",
                [name]
                    + row.cells.enumerated().map { column, cell in
                        let isBest = cell.best != nil && cell.value != nil && cell.value == best[column]
                        let kind = isBest ? "best" : cell.isWord ? "word" : nil
                        return HTML("td", kind.map { [("class", $0)] } ?? [], [cell.html])
                    })
        }
        return HTML(
            "div", [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Table of results")],
            [
                HTML(
                    "table",
                    [
                        HTML(
                            "thead", [HTML("tr", [HTML("th", [("class", "name"), ("scope", "col")], "rule")] + head)]),
                        HTML("tbody", body),
                    ])
            ])
    }

    /// The path of a run's configuration from the page's folder, as a shell takes it; nothing where it was not kept.
    private func configuration(of run: ReportedRun) -> String? {
        run.directory.map { ShellWord.quoted(relativePath(of: $0.configurationFile, from: folder)) }
    }
}

/// The path from one place to another; both behind any links, as `..` leads to the folder that holds a link's target.
func relativePath(of file: URL, from folder: URL) -> String {
    let (target, start) = (
        file.resolvingSymlinksInPath().pathComponents, folder.resolvingSymlinksInPath().pathComponents
    )
    let shared = zip(target, start).prefix { $0 == $1 }.count
    return (Array(repeating: "..", count: start.count - shared) + target.dropFirst(shared)).joined(separator: "/")
}
