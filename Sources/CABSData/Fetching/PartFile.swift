import Foundation

/// A file that grows at its end while it is received.
struct PartFile: Sendable {
    let url: URL
    /// How much the file had when it was opened.
    let startCount: Int
    private let descriptor: Int32

    /// Opens a file, or makes one.
    init(_ url: URL) throws(FetchError) {
        self.url = url
        descriptor = open(url.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .unwritable(url) }
        startCount = max(Int(lseek(descriptor, 0, SEEK_END)), 0)
    }

    /// Drops what the file has.
    func empty() throws(FetchError) {
        guard startCount == 0 || ftruncate(descriptor, 0) == 0 else { throw .unwritable(url) }
    }

    /// Writes all bytes at the end.
    func append(_ data: Data) throws(FetchError) {
        var written = 0
        while written < data.count {
            let count = data.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count > 0 {
                written += count
            } else if count == 0 || errno != EINTR {
                throw .unwritable(url)
            }
        }
    }

    /// Closes the file; a second call would close another one.
    func close() {
        _ = Foundation.close(descriptor)
    }
}

extension URL {
    /// Gives a file its final name, after its content has reached the disk. A link stays one, and the file that it names is replaced.
    func store(as target: URL) throws(FetchError) {
        let target = target.resolvingSymlinksInPath()
        do {
            try moveDurably(to: target)
        } catch {
            throw .unwritable(target)
        }
    }
}
