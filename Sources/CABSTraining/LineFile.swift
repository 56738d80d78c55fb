import Foundation

/// A file that grows by whole lines.
struct LineFile {
    private let handle: FileHandle
    private let path: String

    /// Makes the file; one that exists is emptied.
    init(creating file: URL) throws(TrainingError) {
        guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
            throw .unwritable(path: file.path, reason: "the file cannot be made")
        }
        try self.init(file)
    }

    /// Takes a file up where it had that length, and cuts off what came after.
    init(continuing file: URL, at length: UInt64) throws(TrainingError) {
        try self.init(file)
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
            throw .unwritable(path: file.path, reason: error.localizedDescription)
        }
    }

    private init(_ file: URL) throws(TrainingError) {
        path = file.path
        do {
            handle = try FileHandle(forUpdating: file)
        } catch {
            throw .unwritable(path: path, reason: error.localizedDescription)
        }
    }

    func append(_ line: Data) throws(TrainingError) {
        do {
            try handle.write(contentsOf: line)
        } catch {
            throw .unwritable(path: path, reason: error.localizedDescription)
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
            throw .unwritable(path: path, reason: error.localizedDescription)
        }
    }
}
