import Foundation

/// Where an output goes that a path names. What is no plain file is written into and never replaced.
package enum OutputPlace: Hashable {
    /// A file that the process has open, under a name such as `/dev/stdout`: what is written follows what was written there before.
    case descriptor(Int32)
    /// A pipe or a device.
    case stream(URL)
    /// A file, behind any links, also one that is not there yet.
    case file(URL)

    /// Follows links.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)`` for a link that leads to itself.
    package init(_ url: URL) throws(TrainingError) {
        var file = url
        // As many links as Linux follows.
        for _ in 0..<40 {
            if let match = file.path.wholeMatch(of: /\/(?:proc\/self|dev)\/fd\/([0-9]+)/), let number = Int32(match.1) {
                self = .descriptor(number)
                return
            }
            guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: file.path) else {
                self = Self.isStream(url) ? .stream(url) : .file(file)
                return
            }
            file = path.hasPrefix("/") ? URL(filePath: path) : file.deletingLastPathComponent().appending(path: path)
        }
        throw .unwritable(path: url.path, reason: "it is a link that leads to itself")
    }

    private static func isStream(_ file: URL) -> Bool {
        var status = stat()
        return stat(file.path, &status) == 0 && [S_IFIFO, S_IFCHR, S_IFBLK, S_IFSOCK].contains(status.st_mode & S_IFMT)
    }

    /// Opens the place to write.
    ///
    /// - Parameter flags: What else holds for a file.
    /// - Returns: A descriptor, or -1, and then the reason is in `errno`.
    func open(_ flags: Int32) -> Int32 {
        switch self {
        case .descriptor(let number): fcntl(number, F_DUPFD_CLOEXEC, 3)
        case .stream(let url): Foundation.open(url.path, O_WRONLY | O_CLOEXEC)
        case .file(let url): Foundation.open(url.path, flags | O_CLOEXEC, 0o644)
        }
    }
}
