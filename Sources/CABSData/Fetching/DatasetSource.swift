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
        guard let officialAddress else { return nil }
        return try DatasetSource(baseAddress: mirror ?? officialAddress, files: officialFiles)
    }

    private var officialAddress: String? {
        switch self {
        case .mnist: "https://ossci-datasets.s3.amazonaws.com/mnist/"
        case .fashionMNIST: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
        case .cifar10, .cifar100, .cifar100Coarse: "https://www.cs.toronto.edu/~kriz/"
        case .svhn: "http://ufldl.stanford.edu/housenumbers/"
        default: nil
        }
    }

    private var officialFiles: [DatasetSource.File] {
        switch self {
        case .mnist:
            [
                .init(name: "train-images-idx3-ubyte.gz", checksum: "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                .init(name: "train-labels-idx1-ubyte.gz", checksum: "d53e105ee54ea40749a09fcbcd1e9432"),
                .init(name: "t10k-images-idx3-ubyte.gz", checksum: "9fb629c4189551a2d022fa330f9573f3"),
                .init(name: "t10k-labels-idx1-ubyte.gz", checksum: "ec29112dd5afa0611ce80d1b7f02629c"),
            ]
        case .fashionMNIST:
            [
                .init(name: "train-images-idx3-ubyte.gz", checksum: "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                .init(name: "train-labels-idx1-ubyte.gz", checksum: "25c81989df183df01b3e8a0aad5dffbe"),
                .init(name: "t10k-images-idx3-ubyte.gz", checksum: "bef4ecab320f06d8554ea6380940ec79"),
                .init(name: "t10k-labels-idx1-ubyte.gz", checksum: "bb300cfdad3c16e7a12a480ee83cd310"),
            ]
        case .cifar10:
            [
                .init(
                    name: "cifar-10-binary.tar.gz", checksum: "c32a1d4ab5d03f1284b67883e8d87530",
                    members: ((1...5).map { "data_batch_\($0).bin" } + ["test_batch.bin"]).map {
                        .init(name: $0, byteCount: 10_000 * 3073)
                    })
            ]
        case .cifar100, .cifar100Coarse:
            [
                .init(
                    name: "cifar-100-binary.tar.gz", checksum: "03b5dce01913d631647c71ecec9e9cb8",
                    members: [
                        .init(name: "train.bin", byteCount: 50_000 * 3074),
                        .init(name: "test.bin", byteCount: 10_000 * 3074),
                    ])
            ]
        case .svhn:
            [
                .init(name: "train_32x32.mat", checksum: "e26dedcc434d2e4c54c9b2d4a06d8373"),
                .init(name: "test_32x32.mat", checksum: "eb5a983be6a315427106f1b164d9cef3"),
            ]
        default: []
        }
    }
}
