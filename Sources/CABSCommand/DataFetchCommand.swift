import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs data fetch`.
struct DataFetchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Download a data set from its official place, check it, and unpack it.",
        discussion: """
            Files go into <dir>/<name> with --data, else into $CABS_DATA/<name> or ~/.cache/cabs/<name>, where `cabs train` \
            finds them. What is there already is not fetched again, and a download that broke goes on where it stopped.
            """)

    @Argument(help: "The data set; see `cabs data`.")
    var name: DatasetName

    @Option(help: ArgumentHelp("The folder to put the data set's own folder into.", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp(
            "The address of a folder with the same files, in place of the official one.", valueName: "url"))
    var from: String?

    func run() async throws {
        let source: DatasetSource?
        do {
            source = try name.source(mirror: from)
        } catch {
            throw ValidationError(error.description)
        }
        guard let source else {
            guard name == .digits else {
                throw ValidationError(
                    "\(name.rawValue) cannot be fetched; get its files, and name their place with --data")
            }
            try printResult("\(name.rawValue) comes with this program; there is nothing to fetch")
            return
        }
        let folder = name.fetchFolder(in: data.map { URL(userPath: $0) })
        let display = FetchDisplay()
        try await DatasetFetcher(source, into: folder).fetch { display.show($0) }
        try printResult("\(name.rawValue) is in \(folder.path)")
    }
}
