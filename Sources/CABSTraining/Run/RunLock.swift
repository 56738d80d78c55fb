import Foundation

/// A run's folder in use by this process.
///
/// The system lets go of the lock when the process ends, however it ends, so a lock is never stale.
final class RunLock: Sendable {
    /// The file that is locked, in the folder.
    static let fileName = "lock"

    private let descriptor: Int32

    /// Locks a folder.
    ///
    /// - Parameters:
    ///   - folder: The folder.
    ///   - waits: Whether to wait for as long as another process has it.
    /// - Throws: ``TrainingError/inUse(path:by:)`` where another process has it, ``TrainingError/unwritable(path:reason:)`` where
    ///   the folder cannot be written.
    init(_ folder: URL, waits: Bool = false) throws(TrainingError) {
        let path = folder.appending(path: Self.fileName).path
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw .unwritable(path: path, reason: String(cString: strerror(errno)))
        }
        var result: Int32
        repeat { result = flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) } while result != 0 && errno == EINTR
        guard result == 0 else {
            close(descriptor)
            let holder = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            throw .inUse(path: folder.path, by: holder.isEmpty ? "another process" : holder)
        }
        let name = "process \(getpid()) on \(ProcessInfo.processInfo.hostName)"
        ftruncate(descriptor, 0)
        _ = name.withCString { write(descriptor, $0, strlen($0)) }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
