import CABSTraining
import Foundation

/// A page about runs and comparisons, in one file of HTML, with its figures beside it as SVG, and the tables of comparisons in Markdown.
public struct Report: Sendable {
    /// The page.
    public let page: URL
    /// The folder of the figures: the page's name with `-figures` in place of `.html`; none where the page is a pipe or a device, which
    /// has no place beside it.
    public let figureFolder: URL?
    /// The folder of the tables that compare rules, named alike; none where there is nothing to compare either.
    public let tableFolder: URL?
    private let title: String
    private let groups: [(group: RunGroup, tables: [TextTable])]
    private let collection: RunCollection

    /// What of the paths is on the page once though it was named more often, a line for each path.
    public var notes: [String] { collection.notes }

    /// Reads the runs.
    ///
    /// - Parameters:
    ///   - paths: Folders of runs, of comparisons and of branches.
    ///   - page: The page to write; where not given `report.html`, in the folder where there is one, else in the current one.
    ///   - title: Its title; the folder's name where not given.
    ///   - options: What the rules of comparisons are measured by.
    /// - Throws: ``ReportError`` for folders that hold none of these, and a baseline that is not among the rules; `TrainingError` for damaged
    ///   files in them.
    public init(
        _ paths: [String], page: URL? = nil, title: String? = nil,
        comparing options: ComparisonOptions = ComparisonOptions()
    ) throws {
        collection = try RunCollection(paths)
        groups = try Self.groups(of: collection.runs, options)
        let folder = collection.folders.count == 1 ? collection.folders[0] : nil
        let page = page ?? folder?.appending(path: "report.html") ?? URL(filePath: "report.html")
        self.page = page
        let stem =
            page.pathExtension == "html" ? page.deletingPathExtension().lastPathComponent : page.lastPathComponent
        let isFile = if case .file = try OutputPlace(page) { true } else { false }
        func place(_ kind: String) -> URL { page.deletingLastPathComponent().appending(path: "\(stem)-\(kind)") }
        figureFolder = isFile ? place("figures") : nil
        tableFolder = isFile && groups.contains { !$0.tables.isEmpty } ? place("tables") : nil
        let name = folder?.standardizedFileURL.lastPathComponent ?? collection.contents
        self.title = title ?? "Report on \(name)"
    }

    /// The runs in groups, each with the tables that compare its rules, where there is more than one run.
    private static func groups(
        of runs: [ReportedRun], _ options: ComparisonOptions
    ) throws(ReportError) -> [(RunGroup, [TextTable])] {
        let groups = RunGroup.groups(of: runs)
        var rules: [String] = []
        for rule in groups.flatMap(\.rules) where !rules.contains(rule.rule) { rules.append(rule.rule) }
        if let baseline = options.baseline, !rules.contains(baseline) {
            throw .unknownBaseline(baseline, rules: rules)
        }
        return groups.map { ($0, $0.runs.count > 1 ? RuleComparison($0, options)?.tables ?? [] : []) }
    }

    /// Draws the figures and writes everything.
    ///
    /// - Throws: ``ReportError`` where a figure cannot be drawn, `TrainingError/unwritable(path:reason:)`.
    public func write() throws { try write(with: Gnuplot()) }

    func write(with gnuplot: Gnuplot) throws {
        let palette = RulePalette(
            collection.runs.map { ($0.rule, $0.batchSizeRule) }
                + collection.runs.flatMap(\.shadows).map { ($0, Self.rule($0)) })
        for folder in [figureFolder, tableFolder].compactMap(\.self) {
            try OutputFolder.make(at: folder)
        }
        let sections = try groups.map { group, tables in
            var figures =
                CurveFigures(group, palette: palette).figures + SensitivityFigures(group, palette: palette).figures
            if group.runs.count == 1, let figure = EstimatorFigure(group.runs[0]).figure { figures.append(figure) }
            if groups.count > 1 {
                for index in figures.indices { figures[index].name = fileName(figures[index].name, of: group) }
            }
            return ReportSection(
                group: group, figures: try figures.map { ($0, try draw($0, with: gnuplot)) }, tables: tables)
        }
        let branches = try collection.branches.enumerated().map { index, branching in
            let section = BranchSection(setting: branching.setting, table: try branching.table(), number: index + 1)
            return (section, try section.figure.map { ($0, try draw($0, with: gnuplot)) })
        }
        let html = ReportPage(
            title: title, sections: sections, branches: branches, pendingCount: collection.pendingCount,
            notes: notes, palette: palette,
            folder: figureFolder?.deletingLastPathComponent() ?? URL(filePath: ".")
        ).html
        try writeTables()
        try DurableFile.write(Data(html.utf8), to: page)
    }

    /// Writes each table into its file. What an earlier report had, and this one has not, goes.
    private func writeTables() throws(TrainingError) {
        guard let tableFolder else { return }
        for (group, tables) in groups {
            for kind in TextTable.Kind.allCases {
                let file = tableFolder.appending(path: "\(fileName(kind.rawValue, of: group)).md")
                if let table = tables.first(where: { $0.kind == kind }) {
                    try DurableFile.write(Data(table.markdown.utf8), to: file)
                } else {
                    try? FileManager.default.removeItem(at: file)
                }
            }
        }
    }

    /// The name of a file, with what sets it apart where there are several groups.
    private func fileName(_ name: String, of group: RunGroup) -> String {
        groups.count > 1 ? "\(group.fileName)-\(name)" : name
    }

    /// Draws a figure, also into its file.
    private func draw(_ figure: Figure, with gnuplot: Gnuplot) throws -> Data {
        let image = try gnuplot.draw(figure)
        if let figureFolder { try DurableFile.write(image, to: figureFolder.appending(path: "\(figure.name).svg")) }
        return image
    }

    private static func rule(_ text: String) -> BatchSizeRule? { try? BatchSizeRule(text) }
}

/// A group of runs with its figures as SVG, and the tables that compare its rules.
struct ReportSection {
    let group: RunGroup
    let figures: [(figure: Figure, image: Data)]
    let tables: [TextTable]
}
