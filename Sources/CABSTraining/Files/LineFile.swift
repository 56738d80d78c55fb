import CABSData
import Foundation

/// A file that grows by whole lines.
struct LineFile {
    private let handle: FileHandle
    private let path: String

    /// Makes the file; one that exists is emptied. A pipe or a device is written into, and a link stays one.
    init(creating file: URL) throws(TrainingError) {
        try self.init(file, flags: O_WRONLY | O_CREAT | O_TRUNC)
    }

    /// Takes a file up where it had that length, and cuts off what came after.
    init(continuing file: URL, at length: UInt64) throws(TrainingError) {
        try self.init(file, flags: O_RDWR)
        do {
            let found = try handle.seekToEnd()
            guard found >= length else {
                throw TrainingError.unreadable(
                    path: file.path, reason: "it has \(found) bytes where the checkpoint counted \(length)")
            }
            try handle.truncate(atOffset: length)
        } catch let error as TrainingError {
            throw error
        } catch {
            throw .unwritable(path: file.path, reason: error.systemReason)
        }
    }

    private init(_ file: URL, flags: Int32) throws(TrainingError) {
        path = file.path
        let descriptor = try OutputPlace(file).open(flags)
        guard descriptor >= 0 else { throw .unwritable(path: path, reason: String(cString: strerror(errno))) }
        handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func append(_ line: Data) throws(TrainingError) {
        do {
            try handle.write(contentsOf: line)
        } catch {
            throw .unwritable(path: path, reason: error.systemReason)
        }
    }

    /// Has the disk take what was written.
    ///
    /// - Returns: The file's length.
    func sync() throws(TrainingError) -> UInt64 {
        do {
            try handle.synchronize()
            return try handle.offset()
        } catch {
            throw .unwritable(path: path, reason: error.systemReason)
        }
    }
}
