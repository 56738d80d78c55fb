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
    /// - Throws: ``ReportError``.
    func draw(_ figure: Figure) throws -> Data {
        // From a file: a pipe to a program that ends early would end this one by a signal.
        let script = FileManager.default.temporaryDirectory.appending(path: "cabs-figure-\(UUID().uuidString)")
        do {
            try Data(GnuplotScript(figure).text.utf8).write(to: script)
        } catch {
            throw ReportError.unwritable(path: script.path, reason: error.localizedDescription)
        }
        defer { try? FileManager.default.removeItem(at: script) }
        let process = Process()
        process.executableURL = program
        // Without the user's own settings.
        process.arguments = ["-d", "-"]
        process.standardInput = try FileHandle(forReadingFrom: script)
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        do {
            try process.run()
        } catch {
            throw ReportError.gnuplotFailed(figure: figure.name, reason: error.localizedDescription)
        }
        let image = output.fileHandleForReading.readDataToEndOfFile()
        let message = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0, String(decoding: image.suffix(32), as: UTF8.self).contains("</svg>")
        else {
            let reason = String(decoding: message, as: UTF8.self).split(separator: "\n").joined(separator: " ")
            throw ReportError.gnuplotFailed(figure: figure.name, reason: reason)
        }
        return image
    }
}
