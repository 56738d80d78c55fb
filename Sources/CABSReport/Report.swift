import CABSTraining
import Foundation

/// A page about runs and comparisons, in one file of HTML, with its figures beside it as SVG.
public struct Report: Sendable {
    /// The page.
    public let page: URL
    /// The folder of the figures: the page's name with `-figures` in place of `.html`; none where the page is a pipe or a device, which
    /// has no place beside it.
    public let figureFolder: URL?
    private let title: String
    private let collection: RunCollection

    /// Where the page goes if nothing else is said: into the folder where there is one, else to the current one.
    public static func defaultPage(for paths: [String]) -> URL {
        paths.count == 1
            ? URL(userPath: paths[0]).appending(path: "report.html")
            : URL(filePath: "report.html")
    }

    /// Reads the runs.
    ///
    /// - Parameters:
    ///   - paths: Folders of runs, of comparisons and of branches.
    ///   - page: The page to write.
    ///   - title: Its title; the folder's name where not given.
    /// - Throws: ``ReportError`` for folders that hold none of these; `TrainingError` for damaged files in them.
    public init(_ paths: [String], page: URL, title: String? = nil) throws {
        collection = try RunCollection(paths)
        self.page = page
        let stem =
            page.pathExtension == "html" ? page.deletingPathExtension().lastPathComponent : page.lastPathComponent
        figureFolder =
            if case .file = try OutputPlace(page) {
                page.deletingLastPathComponent().appending(path: "\(stem)-figures")
            } else {
                nil
            }
        self.title =
            title
            ?? (paths.count == 1
                ? "Report on \(URL(userPath: paths[0]).standardizedFileURL.lastPathComponent)"
                : "Report on \(collection.runs.count) runs")
    }

    /// Draws the figures and writes everything.
    ///
    /// - Throws: ``ReportError``.
    public func write() throws { try write(with: Gnuplot()) }

    func write(with gnuplot: Gnuplot) throws {
        let groups = RunGroup.groups(of: collection.runs)
        let palette = RulePalette(
            collection.runs.map { ($0.rule, $0.batchSizeRule) }
                + collection.runs.flatMap(\.shadows).map { ($0, Self.rule($0)) })
        if let figureFolder {
            do {
                try FileManager.default.createDirectory(at: figureFolder, withIntermediateDirectories: true)
            } catch {
                throw ReportError.unwritable(path: figureFolder.path, reason: error.localizedDescription)
            }
        }
        let sections = try groups.map { group in
            var figures =
                CurveFigures(group, palette: palette).figures + SensitivityFigures(group, palette: palette).figures
            if group.runs.count == 1, let figure = EstimatorFigure(group.runs[0]).figure { figures.append(figure) }
            if groups.count > 1 {
                for index in figures.indices {
                    figures[index].name =
                        "\(FileName.part(group.dataset))-\(FileName.part(group.model))-\(figures[index].name)"
                }
            }
            return ReportSection(
                group: group,
                figures: try figures.map { ($0, try draw($0, with: gnuplot)) })
        }
        let branches = try collection.branches.enumerated().map { index, branching in
            let section = BranchSection(setting: branching.setting, table: try branching.table(), number: index + 1)
            return (section, try section.figure.map { ($0, try draw($0, with: gnuplot)) })
        }
        let html = ReportPage(
            title: title, sections: sections, branches: branches, pendingCount: collection.pendingCount,
            palette: palette,
            folder: figureFolder?.deletingLastPathComponent() ?? URL(filePath: ".")
        ).html
        try Self.write(Data(html.utf8), to: page)
    }

    /// Draws a figure, also into its file.
    private func draw(_ figure: Figure, with gnuplot: Gnuplot) throws -> Data {
        let image = try gnuplot.draw(figure)
        if let figureFolder { try Self.write(image, to: figureFolder.appending(path: "\(figure.name).svg")) }
        return image
    }

    private static func rule(_ text: String) -> BatchSizeRule? { try? BatchSizeRule(text) }

    private static func write(_ data: Data, to file: URL) throws(ReportError) {
        do {
            try DurableFile.write(data, to: file)
        } catch {
            guard case .unwritable(let path, let reason) = error else { preconditionFailure("\(error)") }
            throw .unwritable(path: path, reason: reason)
        }
    }
}

/// A group of runs with its figures as SVG.
struct ReportSection {
    let group: RunGroup
    let figures: [(figure: Figure, image: Data)]
}
