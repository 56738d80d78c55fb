import CABSExamples
import Foundation

/// An array in NumPy's format (NEP 1), of numbers of any type and byte order, in either order of memory.
struct NumPyArray {
    let header: NumPyHeader
    /// The values' bytes as the file has them.
    private let bytes: [UInt8]

    /// The size of each dimension.
    var shape: [Int] { header.shape }
    var count: Int { header.count }

    /// Reads an array, asking for as many bytes as are needed.
    init(source: String, read: (Int) throws(DatasetError) -> [UInt8]) throws(DatasetError) {
        header = try NumPyHeader(source: source, read: read)
        bytes = try read(header.byteCount)
        guard bytes.count == header.byteCount else {
            throw .truncated(file: source, expectedBytes: header.byteCount, foundBytes: bytes.count)
        }
    }

    /// How far an array's values reach.
    struct Extent {
        var low = Double.infinity
        var high = -Double.infinity
        /// Whether all values are whole numbers.
        var isWhole = true

        fileprivate mutating func add(_ value: Double) {
            (low, high) = (min(low, value), max(high, value))
            isWhole = isWhole && value == value.rounded()
        }
    }

    /// How far the values reach, found in one pass over them.
    var extent: Extent {
        var extent = Extent()
        for position in 0..<count { extent.add(value(at: position)) }
        return extent
    }

    /// What comes of the values in row-major order: the last index runs fastest.
    func map<Result>(_ transform: (Double) -> Result) -> [Result] {
        (0..<count).map { rowMajor in
            transform(value(at: header.isColumnMajor ? columnMajorPosition(of: rowMajor) : rowMajor))
        }
    }

    /// The values as bytes in row-major order; nothing where one of them is no whole number from 0 to 255.
    var byteValues: [UInt8]? {
        if header.type.kind == "u", header.type.size == 1, !header.isColumnMajor { return bytes }
        let values = map { UInt8(exactly: $0) }
        return values.contains(nil) ? nil : values.compactMap { $0 }
    }

    private func columnMajorPosition(of rowMajor: Int) -> Int {
        var (rest, position, stride) = (rowMajor, 0, count)
        for size in shape.reversed() {
            stride /= size
            position += rest % size * stride
            rest /= size
        }
        return position
    }

    private func value(at position: Int) -> Double {
        let type = header.type
        var bits: UInt64 = 0
        for offset in 0..<type.size {
            let byte = bytes[position * type.size + (type.isBigEndian ? offset : type.size - 1 - offset)]
            bits = bits << 8 | UInt64(byte)
        }
        switch (type.kind, type.size) {
        case ("f", 2): return Double(Float(halfBits: UInt16(bits)))
        case ("f", 4): return Double(Float(bitPattern: UInt32(bits)))
        case ("f", _): return Double(bitPattern: bits)
        case ("i", 1): return Double(Int8(truncatingIfNeeded: bits))
        case ("i", 2): return Double(Int16(truncatingIfNeeded: bits))
        case ("i", 4): return Double(Int32(truncatingIfNeeded: bits))
        case ("i", _): return Double(Int64(bitPattern: bits))
        default: return Double(bits)
        }
    }
}
