import ArgumentParser
import CABSReport
import CABSTerminal
import Foundation

/// `cabs report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draw runs and comparisons as one page of HTML, and its figures as SVG.",
        usage: "cabs report <path> ... [<options>]",
        discussion: "Needs gnuplot. The page is one file that opens from disk and asks no network for anything.")

    @Argument(help: "Folders of runs, or of `cabs compare`.")
    var paths: [String]

    @Option(help: ArgumentHelp("The page. (default: report.html, in the folder where there is one)", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("The page's title.", valueName: "text"))
    var title: String?

    func run() throws {
        let page = output.map { URL(userPath: $0) } ?? Report.defaultPage(for: paths)
        let report = try Report(paths, page: page, title: title)
        try report.write()
        // A page that goes to standard output is alone there.
        guard let figureFolder = report.figureFolder else { return }
        StandardStream.output.write("report \(page.relativePath)\n")
        StandardStream.output.write("figures \(figureFolder.relativePath)\n")
    }
}
