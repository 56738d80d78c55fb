import Foundation

/// A file in the IDX format of MNIST: a big-endian magic number (0, 0, type, rank), the size of each dimension, and the
/// values, here unsigned bytes; plain or compressed with gzip.
public struct IDXFile: Sendable, Hashable {
    /// The size of each dimension; the first counts the examples.
    public let sizes: [Int]
    /// The values in row-major order.
    public let values: [UInt8]

    /// Reads a file of unsigned bytes.
    ///
    /// - Parameters:
    ///   - file: The file, plain or compressed with gzip.
    ///   - rank: The number of dimensions that it must have: 3 for images, 1 for labels.
    /// - Throws: ``DatasetError`` where the file cannot be read, is of another format or rank, or its length is not what
    ///   its header announces.
    public init(contentsOf file: URL, rank: Int) throws(DatasetError) {
        var source = try ByteSource(file: file)
        try self.init(&source, name: file.path, rank: rank)
    }

    /// Reads bytes in memory; `name` stands for the file in errors.
    init(_ data: Data, name: String, rank: Int) throws(DatasetError) {
        var source = try ByteSource(data, name: name)
        try self.init(&source, name: name, rank: rank)
    }

    private init(_ source: inout ByteSource, name: String, rank: Int) throws(DatasetError) {
        let headerCount = 4 + 4 * rank
        let header = try source.read(upTo: headerCount)
        let expected = "an IDX file of unsigned bytes with \(rank) dimension\(rank == 1 ? "" : "s")"
        guard header.count >= 4 else {
            throw .truncated(file: name, expectedBytes: headerCount, foundBytes: header.count)
        }
        guard header[0] == 0, header[1] == 0, header[2] == 8, header[3] == UInt8(rank) else {
            let magic = header.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
            throw .wrongFormat(file: name, expected: expected, found: "it begins with \(magic)")
        }
        guard header.count == headerCount else {
            throw .truncated(file: name, expectedBytes: headerCount, foundBytes: header.count)
        }
        let sizes = (0..<rank).map { dimension in
            header[(4 + 4 * dimension)..<(8 + 4 * dimension)].reduce(0) { $0 << 8 | Int($1) }
        }
        var count = 1
        for size in sizes {
            let (product, overflows) = count.multipliedReportingOverflow(by: size)
            guard !overflows else {
                throw .wrongFormat(file: name, expected: expected, found: "its sizes are \(sizes)")
            }
            count = product
        }
        values = try source.read(upTo: count)
        guard values.count == count else {
            throw .truncated(
                file: name, expectedBytes: headerCount.addingReportingOverflow(count).partialValue,
                foundBytes: headerCount + values.count)
        }
        guard try source.read(upTo: 1).isEmpty else {
            throw .trailingBytes(file: name, expectedBytes: headerCount + count)
        }
        self.sizes = sizes
    }
}
