import CABSData
import Foundation

/// Files that are whole or not there, whatever happens to the process or the machine.
package enum DurableFile {
    /// Writes a file beside its place, has the disk take it, and moves it there; then has the disk take the folder.
    ///
    /// A file that stood there before stays whole until the moment of the move, and for good where anything fails. A link stays a link: the
    /// file that it names is written. A pipe or a device is never replaced, but written into.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    package static func write(_ data: Data, to file: URL) throws(TrainingError) {
        let place = try OutputPlace(file)
        guard case .file(let file) = place else {
            do throws(SystemCallError) {
                try write(data, to: place)
            } catch {
                throw .unwritable(path: file.path, reason: error.reason)
            }
            return
        }
        let temporary = temporary(for: file)
        do throws(SystemCallError) {
            try write(data, to: .file(temporary))
            try temporary.moveDurably(to: file)
        } catch {
            unlink(temporary.path)
            throw .unwritable(path: file.path, reason: error.reason)
        }
    }

    /// The file beside it.
    static func temporary(for file: URL) -> URL {
        file.deletingLastPathComponent().appending(path: ".\(file.lastPathComponent).partial")
    }

    private static func write(_ data: Data, to place: OutputPlace) throws(SystemCallError) {
        let descriptor = place.open(O_WRONLY | O_CREAT | O_TRUNC)
        try SystemCallError.check(descriptor)
        defer { close(descriptor) }
        var rest = data[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            try SystemCallError.check(count < 0 ? -1 : 0)
            rest = rest.dropFirst(count)
        }
    }
}
