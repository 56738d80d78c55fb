import ArgumentParser
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
        let folder = data.map { URL(filePath: $0) }
        for name in DatasetName.allCases {
            let title = name.rawValue.padding(toLength: 16, withPad: " ", startingAt: 0)
            do {
                let place = name == .digits ? "built in" : try name.locate(in: folder).path
                let loaded = try name.load(from: folder)
                print(
                    "\(title) \(loaded.training.count) training and \(loaded.test.count) test examples, "
                        + "\(loaded.training.targetCount) classes; \(place)")
            } catch .notFound(_, _, _, let advice) {
                print("\(title) not found; \(advice)")
            } catch {
                print("\(title) \(error)")
            }
        }
    }
}
