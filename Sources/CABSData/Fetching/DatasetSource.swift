import Foundation

/// Where a data set's files come from, and how to tell that they are the right ones.
public struct DatasetSource: Sendable, Hashable {
    /// A file to download.
    public struct File: Sendable, Hashable {
        /// Its name, at the server and here.
        public let name: String
        /// Its MD5 checksum in hexadecimal digits, as published.
        public let checksum: String
        /// For a `.tar.gz` archive the files that are wanted of it, which take its place; none for other files.
        public let members: [Member]

        /// Describes a file.
        public init(name: String, checksum: String, members: [Member] = []) {
            self.name = name
            self.checksum = checksum
            self.members = members
        }
    }

    /// A file in an archive.
    public struct Member: Sendable, Hashable {
        /// Its name, without a folder.
        public let name: String
        /// Its size.
        public let byteCount: Int

        /// Describes a file in an archive.
        public init(name: String, byteCount: Int) {
            self.name = name
            self.byteCount = byteCount
        }
    }

    /// The address of the folder that the files are in.
    public let baseAddress: URL
    /// The files.
    public let files: [File]

    /// Describes a source.
    ///
    /// - Throws: ``FetchError/invalidAddress(_:)`` where the address does not begin with `http://` or `https://`.
    public init(baseAddress: String, files: [File]) throws(FetchError) {
        guard let address = URL(string: baseAddress), ["http", "https"].contains(address.scheme?.lowercased()),
            address.host?.isEmpty == false
        else { throw .invalidAddress(baseAddress) }
        self.baseAddress = address
        self.files = files
    }
}

extension DatasetName {
    /// The official source of the data set's files; nil for one that needs none, or is not fetched.
    ///
    /// - Parameter mirror: The address of a folder with the same files, in place of the official one.
    /// - Throws: ``FetchError/invalidAddress(_:)`` for a mirror that is no web address.
    public func source(mirror: String? = nil) throws(FetchError) -> DatasetSource? {
        guard let official = descriptor.source else { return nil }
        return try DatasetSource(baseAddress: mirror ?? official.address, files: official.files)
    }
}
