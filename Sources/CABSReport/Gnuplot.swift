import CABSTraining
import Foundation

/// The program that draws figures.
struct Gnuplot: Sendable {
    private let program: URL

    /// Finds the program among the folders of `PATH`.
    ///
    /// - Throws: ``ReportError/gnuplotMissing``.
    init(searchPath: String = ProcessInfo.processInfo.environment["PATH"] ?? "") throws(ReportError) {
        let candidates = searchPath.split(separator: ":").map { URL(filePath: "\($0)/gnuplot") }
        guard let program = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
            throw .gnuplotMissing
        }
        self.program = program
    }

    /// Draws a figure.
    ///
    /// - Returns: The figure as SVG.
    /// - Throws: ``ReportError/gnuplotFailed(figure:reason:)``, `TrainingError/unwritable(path:reason:)`.
    func draw(_ figure: Figure) throws -> Data {
        // Files and no pipes: one could be full while the other is waited for, or end this program by a signal.
        let folder = FileManager.default.temporaryDirectory.appending(path: "cabs-figure-\(UUID().uuidString)")
        let files = ["script", "image", "errors"].map { folder.appending(path: $0) }
        try OutputFolder.make(at: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        try DurableFile.write(Data(GnuplotScript(figure).text.utf8), to: files[0])
        let exit: Int32
        switch run(input: files[0], output: files[1], errors: files[2]) {
        case .success(let status): exit = status
        case .failure(let error):
            throw ReportError.gnuplotFailed(figure: figure.name, reason: String(cString: strerror(error.code)))
        }
        let image = (try? Data(contentsOf: files[1])) ?? Data()
        guard exit == 0, String(decoding: image.suffix(32), as: UTF8.self).contains("</svg>") else {
            let message = (try? Data(contentsOf: files[2])) ?? Data()
            let reason = String(decoding: message, as: UTF8.self).split(separator: "\n").joined(separator: " ")
            throw ReportError.gnuplotFailed(figure: figure.name, reason: reason)
        }
        return image
    }

    /// Runs the program to its end.
    ///
    /// Not by Foundation's `Process`, which fails where fewer than 256 files may be open.
    ///
    /// - Returns: The status that it ended with, zero where all went well; or the system's word for why it could not be run.
    private func run(input: URL, output: URL, errors: URL) -> Result<Int32, SystemError> {
        #if os(Linux)
            var actions = posix_spawn_file_actions_t()
        #else
            var actions: posix_spawn_file_actions_t?
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let writing = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, input.path, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output.path, writing, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors.path, writing, 0o600)
        // Without the user's own settings.
        var arguments = [program.path, "-d", "-"].map { (word: String) in strdup(word) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let status = posix_spawn(&process, program.path, &actions, nil, &arguments, environ)
        guard status == 0 else { return .failure(SystemError(code: status)) }
        var exit: Int32 = 0
        while waitpid(process, &exit, 0) < 0, errno == EINTR {}
        return .success(exit)
    }

    private struct SystemError: Error {
        let code: Int32
    }
}
