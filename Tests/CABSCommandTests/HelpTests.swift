import Foundation
import Testing

/// What each command says of itself, to the letter: a change is seen, and meant.
///
/// Written anew by `CABS_WRITE_HELP=1 swift test --filter HelpTests`.
@Suite(.timeLimit(.minutes(10))) struct HelpTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Resources/help")

    @Test(arguments: [
        "", "train", "evaluate", "predict", "measure", "branch", "compare", "report", "export", "policy", "data",
        "data list", "data fetch",
        "bench",
    ])
    func `the help of each command is as it was`(command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let result = try CommandTests.run(words + ["--help"], environment: ["COLUMNS": "80"])
        #expect(result.code == 0, "\(result.errors)")
        let file = Self.folder.appending(path: "\((["cabs"] + words).joined(separator: "-")).txt")
        if ProcessInfo.processInfo.environment["CABS_WRITE_HELP"] != nil {
            try Data(result.output.utf8).write(to: file)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == result.output)
        #expect(result.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }
}
