import Foundation

/// Downloads a data set's files, checks them, and unpacks them.
///
/// A file gets its name only when it is whole and its checksum is right. What came of one before a connection broke stays
/// beside it as `<name>.part`, and the next run goes on from there.
public struct DatasetFetcher: Sendable {
    /// What happens while files are fetched.
    public enum Event: Sendable, Hashable {
        /// A file is in its place already.
        case found(file: String)
        /// Part of a file has come.
        case received(file: String, bytes: Int, expectedBytes: Int?)
        /// An archive is whole, and is now unpacked.
        case unpacking(file: String)
        /// A file, or all that is wanted of an archive, is in its place.
        case stored(file: String)
    }

    /// Where the files come from.
    public let source: DatasetSource
    /// Where they go.
    public let folder: URL
    /// After how many seconds without a byte a transfer ends.
    let timeout: Double

    /// Creates a fetcher.
    public init(_ source: DatasetSource, into folder: URL) {
        self.init(source, into: folder, timeout: 60)
    }

    init(_ source: DatasetSource, into folder: URL, timeout: Double) {
        self.source = source
        self.folder = folder
        self.timeout = timeout
    }

    /// Fetches what is not there yet.
    ///
    /// - Parameter report: Called for every event, from any thread, one after the other.
    /// - Throws: ``FetchError`` for the first file that cannot be fetched.
    public func fetch(report: @escaping @Sendable (Event) -> Void) async throws(FetchError) {
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            throw .unwritable(path: folder.path, reason: error.systemReason)
        }
        for file in source.files { try await fetch(file, report: report) }
    }

    private func fetch(
        _ file: DatasetSource.File, report: @escaping @Sendable (Event) -> Void
    ) async throws(FetchError) {
        let target = folder.appending(path: file.name)
        let download = Download(
            address: source.baseAddress.appending(path: file.name), file: target, checksum: file.checksum,
            timeout: timeout)
        let archive = file.members.isEmpty ? nil : Archive(file: target, members: file.members)
        let isThere = if let archive { archive.isUnpacked(in: folder) } else { try download.isThere() }
        guard !isThere else { return report(.found(file: file.name)) }
        try await download.run { report(.received(file: file.name, bytes: $0, expectedBytes: $1)) }
        if let archive {
            report(.unpacking(file: file.name))
            try archive.unpack(into: folder)
            try? FileManager.default.removeItem(at: target)
        }
        report(.stored(file: file.name))
    }
}
