import ArgumentParser
import CABSReport
import CABSTerminal
import Foundation

/// `cabs report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draw runs and comparisons as one page of HTML, its figures as SVG and its tables in Markdown.",
        usage: "cabs report <path> ... [<options>]",
        discussion: "Needs gnuplot. The page is one file that opens from disk and asks no network for anything.")

    @Argument(help: "Folders of runs, of `cabs compare` or of `cabs branch`.")
    var paths: [String]

    @Option(help: ArgumentHelp("The page. (default: report.html, in the folder where there is one)", valueName: "file"))
    var output: String?

    @Option(help: ArgumentHelp("The page's title.", valueName: "text"))
    var title: String?

    @Option(
        help: ArgumentHelp(
            "The rule of a comparison that differences are taken from. (default: cabs, or the first rule)",
            valueName: "rule"))
    var baseline: String?

    @Option(
        help: ArgumentHelp(
            "The test accuracy to which examples and seconds are counted. (default: what half of the rules end at)",
            valueName: "part"))
    var targetAccuracy: Double?

    @Option(
        help: ArgumentHelp(
            "The training loss to which they are counted. (default: what half of the rules end at)", valueName: "loss"))
    var targetLoss: Double?

    func validate() throws {
        if let targetAccuracy, !(0...1).contains(targetAccuracy) {
            throw ValidationError("--target-accuracy is a part of the test examples, from 0 to 1")
        }
        if let targetLoss, !targetLoss.isFinite { throw ValidationError("--target-loss is a number") }
    }

    func run() throws {
        var options = ComparisonOptions()
        (options.baseline, options.targetAccuracy, options.targetLoss) = (baseline, targetAccuracy, targetLoss)
        let report = try Report(paths, page: output.map { URL(userPath: $0) }, title: title, comparing: options)
        for note in report.notes { StandardStream.errors.write("Note: \(note)\n") }
        try report.write()
        // A page that goes to standard output is alone there.
        guard let figureFolder = report.figureFolder else { return }
        StandardStream.output.write("report \(report.page.relativePath)\n")
        StandardStream.output.write("figures \(figureFolder.relativePath)\n")
        if let tableFolder = report.tableFolder {
            StandardStream.output.write("tables \(tableFolder.relativePath)\n")
        }
    }
}
