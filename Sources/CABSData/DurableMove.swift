import Foundation

/// A system call that failed.
package struct SystemCallError: Error {
    /// The system's word for why.
    package let reason: String

    /// Takes a call's result.
    ///
    /// - Throws: Itself where that is negative.
    package static func check(_ result: Int32) throws(SystemCallError) {
        guard result >= 0 else { throw SystemCallError(reason: String(cString: strerror(errno))) }
    }
}

extension URL {
    /// Gives a file another place in its folder, in place of what is there: the disk has taken the file before, and the folder after.
    ///
    /// - Throws: ``SystemCallError``; what was there is then still there.
    package func moveDurably(to target: URL) throws(SystemCallError) {
        try Self.sync(self)
        try SystemCallError.check(rename(path, target.path))
        try Self.sync(target.deletingLastPathComponent())
    }

    /// Has the disk take a file or a folder.
    package static func sync(_ url: URL) throws(SystemCallError) {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        try SystemCallError.check(descriptor)
        defer { close(descriptor) }
        try SystemCallError.check(fsync(descriptor))
    }
}
