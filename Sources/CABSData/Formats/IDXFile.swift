import Foundation

/// A file in the IDX format of MNIST: a big-endian magic number (0, 0, type, rank), the size of each dimension, and the
/// values; plain or compressed with gzip. Values of every type are read as long as they are whole numbers from 0 to 255.
public struct IDXFile: Sendable, Hashable {
    /// The size of each dimension; the first counts the examples.
    public let sizes: [Int]
    /// The values in row-major order.
    public let values: [UInt8]

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - file: The file, plain or compressed with gzip.
    ///   - rank: The number of dimensions that it must have: 3 for images, 1 for labels.
    /// - Throws: ``DatasetError`` where the file cannot be read, is of another format or rank, its length is not what
    ///   its header announces, or a value does not fit a byte.
    public init(contentsOf file: URL, rank: Int) throws(DatasetError) {
        var source = try ByteSource(file: file)
        try self.init(&source, name: file.path, ranks: [rank])
    }

    /// Reads labels: a file of rank 1, or a table whose first column they are, as QMNIST has it.
    ///
    /// - Throws: As ``init(contentsOf:rank:)`` does.
    public init(labelsIn file: URL) throws(DatasetError) {
        var source = try ByteSource(file: file)
        try self.init(&source, name: file.path, ranks: [1, 2])
    }

    /// Reads bytes in memory; `name` stands for the file in errors.
    init(_ data: Data, name: String, rank: Int) throws(DatasetError) {
        var source = try ByteSource(data, name: name)
        try self.init(&source, name: name, ranks: [rank])
    }

    /// - Parameter ranks: The numbers of dimensions that are accepted; where 2 is one of them, of a table the first column alone is
    ///   taken.
    private init(_ source: inout ByteSource, name: String, ranks: [Int]) throws(DatasetError) {
        let names = ranks.map { "\($0) dimension\($0 == 1 ? "" : "s")" }.joined(separator: " or ")
        let expected = "an IDX file of \(names)"
        let magic = try source.read(upTo: 4)
        guard magic.count == 4, magic[0] == 0, magic[1] == 0, let type = ElementType(rawValue: magic[2]),
            ranks.contains(Int(magic[3]))
        else {
            let beginning = magic + (try source.read(upTo: FileContent.prefixCount))
            throw .wrongFormat(file: name, expected: expected, found: FileContent.descriptionOrBytes(beginning))
        }
        let rank = Int(magic[3])
        let header = try source.read(upTo: 4 * rank)
        guard header.count == 4 * rank else {
            throw .truncated(file: name, expectedBytes: 4 + 4 * rank, foundBytes: 4 + header.count)
        }
        let sizes = Self.sizes(header)
        var byteCount = type.byteCount
        for size in sizes {
            let (product, overflows) = byteCount.multipliedReportingOverflow(by: size)
            guard !overflows else {
                throw .wrongFormat(file: name, expected: expected, found: "its sizes are \(sizes)")
            }
            byteCount = product
        }
        let bytes = try source.read(upTo: byteCount)
        let headerCount = 4 + header.count
        guard bytes.count == byteCount else {
            throw .truncated(
                file: name, expectedBytes: headerCount.addingReportingOverflow(byteCount).partialValue,
                foundBytes: headerCount + bytes.count)
        }
        guard try source.read(upTo: 1).isEmpty else {
            throw .trailingBytes(file: name, expectedBytes: headerCount + byteCount)
        }
        let isTable = ranks.contains(2) && rank == 2
        self.sizes = isTable ? [sizes[0]] : sizes
        values = try Self.values(bytes, type, every: isTable ? sizes[1] : 1, name: name)
    }

    private static func sizes(_ header: [UInt8]) -> [Int] {
        stride(from: 0, to: header.count, by: 4).map { header[$0..<($0 + 4)].reduce(0) { $0 << 8 | Int($1) } }
    }

    private static func values(
        _ bytes: [UInt8], _ type: ElementType, every step: Int, name: String
    ) throws(DatasetError) -> [UInt8] {
        if type == .unsignedByte, step == 1 { return bytes }
        var values: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: max(type.byteCount * step, 1)) {
            let value = type.value(bytes[start..<(start + type.byteCount)])
            guard let byte = UInt8(exactly: value) else {
                throw .valueOutOfRange("\(value)", position: values.count, file: name, type: type.description)
            }
            values.append(byte)
        }
        return values
    }

    /// What a header announces, in words; nothing where it is none of this format.
    static func description(ofHeader bytes: [UInt8]) -> String? {
        guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0, let type = ElementType(rawValue: bytes[2]), bytes[3] > 0,
            bytes.count >= 4 + 4 * Int(bytes[3])
        else { return nil }
        let sizes = sizes(Array(bytes[4..<(4 + 4 * Int(bytes[3]))]))
        return "an IDX file of \(type) with \(sizes.count) dimension\(sizes.count == 1 ? "" : "s"), "
            + sizes.map(String.init).joined(separator: "x")
    }

    /// The types of values by the format's numbers for them.
    private enum ElementType: UInt8, CustomStringConvertible {
        case unsignedByte = 0x08
        case signedByte = 0x09
        case short = 0x0b
        case integer = 0x0c
        case float = 0x0d
        case double = 0x0e

        var byteCount: Int {
            switch self {
            case .unsignedByte, .signedByte: 1
            case .short: 2
            case .integer, .float: 4
            case .double: 8
            }
        }

        /// The value of big-endian bytes.
        func value(_ bytes: ArraySlice<UInt8>) -> Double {
            let bits = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return switch self {
            case .unsignedByte: Double(bits)
            case .signedByte: Double(Int8(truncatingIfNeeded: bits))
            case .short: Double(Int16(truncatingIfNeeded: bits))
            case .integer: Double(Int32(truncatingIfNeeded: bits))
            case .float: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
            case .double: Double(bitPattern: bits)
            }
        }

        var description: String {
            switch self {
            case .unsignedByte: "unsigned bytes"
            case .signedByte: "signed bytes"
            case .short: "16-bit integers"
            case .integer: "32-bit integers"
            case .float: "32-bit floats"
            case .double: "64-bit floats"
            }
        }
    }
}
