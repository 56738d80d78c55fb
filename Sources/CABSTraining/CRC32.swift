import CZlib
import Foundation

/// The checksum of zlib and gzip, by zlib: what tells a damaged file.
struct CRC32 {
    private var value = crc32(0, nil, 0)

    mutating func add(_ data: Data) {
        data.withUnsafeBytes { bytes in
            value = crc32_z(value, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
        }
    }

    /// Eight hexadecimal digits.
    var text: String { String(format: "%08lx", value) }
}
