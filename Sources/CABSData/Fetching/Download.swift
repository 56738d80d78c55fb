import Foundation

/// One file that is received, checked, and only then put in its place.
struct Download: Sendable {
    let address: URL
    /// Where the file goes.
    let file: URL
    /// The MD5 checksum that it must have.
    let checksum: String
    /// After how many seconds without a byte the transfer ends.
    let timeout: Double

    /// What has come so far, from this run or one before.
    private var part: URL { file.appendingPathExtension("part") }

    /// Puts the file in its place, where it is not there yet.
    func run(progress: @escaping Transfer.Progress) async throws(FetchError) {
        guard try !isThere() else { return }
        do {
            try await Transfer.receive(address, into: part, timeout: timeout, progress: progress)
        } catch {
            removeEmptyPart()
            throw error
        }
        let found = try FileChecksum.md5(of: part)
        guard found == checksum else {
            try? FileManager.default.removeItem(at: part)
            throw .wrongChecksum(address: address.absoluteString, expected: checksum, found: found)
        }
        try part.store(as: file)
    }

    /// Leaves no trace of a transfer that brought nothing.
    private func removeEmptyPart() {
        guard (try? part.resourceValues(forKeys: [.fileSizeKey]).fileSize) == 0 else { return }
        try? FileManager.default.removeItem(at: part)
    }

    /// Whether the right file is in its place.
    func isThere() throws(FetchError) -> Bool {
        guard FileManager.default.fileExists(atPath: file.path) else { return false }
        return try FileChecksum.md5(of: file) == checksum
    }
}
