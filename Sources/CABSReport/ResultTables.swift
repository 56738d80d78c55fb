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
        var best: Best? = nil
        var isWord = false

        enum Best { case smallest, largest }

        init(_ html: HTML, isWord: Bool = false) {
            self.html = html
            self.isWord = isWord
        }

        init(_ text: String, isWord: Bool = false) {
            self.init(HTML(markup: HTML.escaped(text)), isWord: isWord)
        }

        /// A value, with the smallest and largest behind a mean where they differ.
        init(_ spread: Spread?, digits: Int = 4, best: Best? = nil) {
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
        let rows = group.rules.map { rule -> (String, [Cell]) in
            let best = rule.best
            func cell(_ digits: Int, _ best: Cell.Best? = nil, _ value: (RunSummary) -> Double?) -> Cell {
                Cell(rule.best?.statistics(value), digits: digits, best: best)
            }
            return (
                rule.rule,
                [
                    Cell(best.map { number($0.learningRate, digits: 6) } ?? "–"),
                    Cell(Self.counts(rule)),
                ] + (hasValidation ? [cell(4, .largest, \.validationAccuracy)] : []) + [
                    cell(4, .largest, \.testAccuracy), cell(4, .smallest, \.testLoss),
                    cell(4, .smallest, \.trainingLoss), cell(3, nil, meanBatchSize), cell(4) { Double($0.steps) },
                    cell(3, .smallest, \.trainingSeconds),
                ]
            )
        }
        return table(
            [
                "best learning rate", "finished",
            ] + (hasValidation ? ["validation accuracy"] : []) + [
                "test accuracy", "test loss", "training loss", "mean batch size",
                "steps", "seconds",
            ],
            rows)
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
        let rows = group.runs.map { run -> (String, [Cell]) in
            // Of a run that has not ended, what its last line says.
            let last = run.summary == nil ? run.lastRecord : nil
            func cell(_ digits: Int, _ best: Cell.Best? = nil, _ value: (RunSummary) -> Double?) -> Cell {
                Cell(
                    Spread([run.summary.flatMap(value)].compactMap(\.self)), digits: digits,
                    best: run.status == .finished ? best : nil)
            }
            let steps = run.summary.map { "\(number(Double($0.steps)))" } ?? last.map { number(Double($0.step + 1)) }
            let mean =
                run.summary.flatMap(meanBatchSize)
                ?? last.map { Double($0.examples) / Double($0.step + 1) }
            return (
                run.rule,
                [
                    Cell(number(run.learningRate, digits: 6)), Cell("\(run.seed)"),
                    Cell(run.statusText, isWord: true), Cell(steps ?? "–"),
                    Cell(mean.map { number($0, digits: 3) } ?? "–"), cell(4, .smallest, \.trainingLoss),
                ] + (hasValidation ? [cell(4, .largest, \.validationAccuracy)] : []) + [
                    cell(4, .smallest, \.testLoss), cell(4, .largest, \.testAccuracy),
                    cell(3, .smallest, \.trainingSeconds),
                    configuration(of: run).map { Cell(HTML("code", "cabs train --config \($0)"), isWord: true) }
                        ?? Cell("its options were not kept", isWord: true),
                ]
            )
        }
        return table(
            [
                "learning rate", "seed", "status", "steps", "mean batch size", "training loss",
            ] + (hasValidation ? ["validation accuracy"] : []) + [
                "test loss",
                "test accuracy", "seconds", "to repeat it",
            ], rows)
    }

    private func meanBatchSize(_ summary: RunSummary) -> Double? {
        summary.steps > 0 ? Double(summary.examples) / Double(summary.steps) : nil
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
