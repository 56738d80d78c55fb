import Foundation
import Testing

/// Resources/server.py, run for one test.
final class LocalServer {
    /// What the server hands out.
    let folder: TemporaryFolder
    let address: String
    private let log: URL
    private let process = Process()
    /// Open as long as the tests run.
    private let input = Pipe()

    static let isPossible = (try? run("python3", ["--version"])) == 0

    /// Starts a server of a folder's files.
    init(_ folder: TemporaryFolder, _ options: String...) throws {
        self.folder = folder
        log = folder.url.appending(path: "log-\(UUID().uuidString)")
        let script = try #require(
            Bundle.module.url(forResource: "server", withExtension: "py", subdirectory: "Resources"))
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", script.path, folder.url.path, log.path] + options
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = input
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
        address = "http://127.0.0.1:\(port)/"
    }

    deinit {
        // A child of one of Swift's worker threads inherits their blocked signals, SIGTERM among them.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// The requests so far: the path, and the Range or None.
    var requests: [String] {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    /// Runs a program to its end.
    @discardableResult
    static func run(_ program: String, _ arguments: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
