import Foundation

/// Arrays as NumPy's `savez` writes them: a ZIP archive, not compressed, of `.npy` files.
enum ArrayArchive {
    static func write(_ arrays: [(name: String, shape: [Int], bytes: [UInt8])], to file: URL) throws {
        try write(arrays.map { ($0.name, "|u1", $0.shape, $0.bytes) }, to: file)
    }

    /// Arrays of floats, and the class of each of their examples.
    static func write(
        floats: [(name: String, shape: [Int], values: [Float])], labels: [(name: String, values: [UInt8])], to file: URL
    ) throws {
        let inputs = floats.map { array in
            (array.name, "<f4", array.shape, array.values.flatMap { value in withUnsafeBytes(of: value, [UInt8].init) })
        }
        try write(inputs + labels.map { ($0.name, "|u1", [$0.values.count], $0.values) }, to: file)
    }

    private static func write(
        _ arrays: [(name: String, type: String, shape: [Int], bytes: [UInt8])], to file: URL
    ) throws {
        var (archive, directory) = (Data(), Data())
        for array in arrays {
            let shape = array.shape.map { "\($0), " }.joined()
            let text = "{'descr': '\(array.type)', 'fortran_order': False, 'shape': (\(shape)), }\n"
            let content = Data([0x93] + "NUMPY".utf8 + [1, 0]) + number(text.utf8.count, 2) + text.utf8 + array.bytes
            let name = Data("\(array.name).npy".utf8)
            // Checksum, both sizes, and how long the name is.
            let facts =
                number(checksum(content), 4) + number(content.count, 4) + number(content.count, 4)
                + number(name.count, 2)
            let offset = archive.count
            archive += number(0x0403_4b50, 4) + number(20, 2) + Data(count: 8) + facts + Data(count: 2) + name + content
            directory += number(0x0201_4b50, 4) + number(20, 2) + number(20, 2) + Data(count: 8) + facts
            directory += Data(count: 12) + number(offset, 4) + name
        }
        let count = number(arrays.count, 2)
        let end = number(0x0605_4b50, 4) + Data(count: 4) + count + count + number(directory.count, 4)
        try (archive + directory + end + number(archive.count, 4) + Data(count: 2)).write(to: file)
    }

    private static func number(_ value: Int, _ size: Int) -> Data {
        Data((0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
    }

    private static func checksum(_ data: Data) -> Int {
        var crc = UInt32.max
        for byte in data {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return Int(~crc)
    }
}
