import CABSTraining
import Foundation

/// Standard output and error. Either may be closed, full, or a pipe that nobody reads any more: what a command makes does not depend on it.
package enum StandardStream: Int32 {
    case output = 1
    case errors = 2

    /// Prepares the process, before it opens anything: no file is ever given the number of a standard stream, a reader that is gone
    /// ends nothing.
    package static func prepare() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free, which is this one.
            _ = open("/dev/null", O_RDWR)
        }
        signal(SIGPIPE, SIG_IGN)
    }

    /// Writes a text, as far as that is possible.
    ///
    /// - Returns: Why it was not possible; nothing where all is written.
    @discardableResult
    package func write(_ text: String) -> String? {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(rawValue, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                // Somebody made the stream one that does not wait: wait.
                var descriptor = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
                poll(&descriptor, 1, -1)
                continue
            }
            guard count >= 0 else { return String(cString: strerror(errno)) }
            bytes = bytes.dropFirst(count)
        }
        return nil
    }
}

/// Prints a line that a command was called for.
///
/// - Throws: `TrainingError` where it cannot be written: the command has then failed.
package func printResult(_ text: String) throws {
    if let reason = StandardStream.output.write(text + "\n") {
        throw TrainingError.unwritable(path: "standard output", reason: reason)
    }
}

/// Prints a warning.
package func printWarning(_ text: String) { StandardStream.errors.write("Warning: \(text)\n") }

extension String {
    /// The text in one line, without what a terminal would obey: for names that others chose.
    package var printable: String {
        String(map { $0.unicodeScalars.contains { $0.properties.generalCategory == .control } ? "\u{fffd}" : $0 })
    }
}
