import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs data list`.
struct DataListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the data sets: which are found, where, and how many examples they have.",
        discussion: """
            Looked for in --data, or else in $CABS_DATA/<name>, ~/.cache/cabs/<name> and, for fashion-mnist, the folder of \
            Debian's package dataset-fashion-mnist.
            """)

    @Option(help: ArgumentHelp("A folder to look in.", valueName: "dir"))
    var data: String?

    func run() async throws {
        let folder = data.map { URL(userPath: $0) }
        for name in DatasetName.allCases where !name.isOwn {
            try printResult(
                "\(name.rawValue.padding(toLength: 16, withPad: " ", startingAt: 0)) \(Self.state(of: name, in: folder))"
            )
        }
    }

    private static func state(of name: DatasetName, in folder: URL?) -> String {
        do {
            let loaded = try name.load(from: folder)
            return "\(loaded.training.count) training and \(loaded.test.count) test examples, "
                + "\(loaded.training.target.count) classes; \(name == .digits ? "built in" : loaded.source ?? "")"
        } catch .notFound(_, _, _, let advice) {
            return "not found; \(advice)"
        } catch {
            return "\(error)"
        }
    }
}
