import CZlib
import Foundation

/// The checksum of zlib and gzip, by zlib: what tells a damaged file, or one data set from another.
package struct CRC32 {
    /// The checksum of what was added.
    package private(set) var value = crc32(0, nil, 0)

    package init() {}

    package mutating func add(_ data: Data) { data.withUnsafeBytes { add($0) } }

    package mutating func add(_ values: [UInt8]) { values.withUnsafeBytes { add($0) } }

    /// Adds the bytes that files have of floats.
    package mutating func add(_ values: [Float]) { values.withLittleEndianBytes { add($0) } }

    /// Adds so many bytes of which the checksum is known.
    mutating func add(_ checksum: UInt, of count: Int) {
        value = crc32_combine(value, checksum, count)
    }

    private mutating func add(_ bytes: UnsafeRawBufferPointer) {
        value = crc32_z(value, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
    }

    /// Eight hexadecimal digits.
    package var text: String { String(format: "%08lx", value) }
}
