import ArgumentParser
import CABSTerminal
import Foundation

/// `cabs export`: hands over to `cabs-export`, which needs libraries that nothing else does.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a trained network, or what a run measured, for other tools: ONNX, Hugging Face, TensorBoard.",
        usage: "cabs export <run> [<options>]")

    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("What cabs-export is given.", visibility: .hidden))
    var arguments: [String] = []

    private static let program = "cabs-export"

    func run() async throws {
        guard let path = Self.places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw ValidationError(
                "\(Self.program) is not beside this program, nor on the path; build it with: swift build -c release --product \(Self.program)"
            )
        }
        let words = [path] + arguments
        var pointers = words.map { strdup($0) } + [nil]
        execv(path, &pointers)
        throw ValidationError("\(path) cannot be run: \(String(cString: strerror(errno)))")
    }

    /// Where the program may be: beside this one, then on the path.
    private static var places: [String] {
        let own = (Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])).resolvingSymlinksInPath()
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return ([own.deletingLastPathComponent().path] + folders).map { "\($0)/\(program)" }
    }
}
