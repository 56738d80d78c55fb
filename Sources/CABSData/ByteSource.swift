import CZlib
import Foundation

/// The bytes of a file, decompressed on the way where it is a gzip file (RFC 1952): of any number of members, whatever follows the last
/// one left out, as `gzip` does.
///
/// Memory grows with what the file really holds, never with what its headers promise.
struct ByteSource: ~Copyable {
    private let name: String
    private let compressed: Data
    private var position = 0
    /// Whether members may follow each other.
    private let hasMembers: Bool
    private var stream: UnsafeMutablePointer<z_stream>?
    private var isAtEnd = false

    /// Opens a file.
    init(file: URL) throws(DatasetError) {
        let data: Data
        do {
            data = try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw .unreadable(file: file.path, reason: error.systemReason)
        }
        try self.init(data, name: file.path)
    }

    /// Opens bytes in memory.
    init(_ data: Data, name: String) throws(DatasetError) {
        // 15 bits of window, and 16 for gzip's header.
        try self.init(data, name: name, windowBits: data.starts(with: Self.gzipSignature) ? 15 + 16 : nil)
    }

    /// Opens bytes in memory that are compressed in zlib's own format.
    init(zlib data: Data, name: String) throws(DatasetError) {
        try self.init(data, name: name, windowBits: 15)
    }

    private static let gzipSignature: [UInt8] = [0x1f, 0x8b]

    private init(_ data: Data, name: String, windowBits: Int32?) throws(DatasetError) {
        self.name = name
        compressed = data
        hasMembers = windowBits.map { $0 > 15 } ?? false
        guard let windowBits else { return }
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            stream.deallocate()
            throw .damagedCompression(file: name)
        }
        self.stream = stream
    }

    deinit {
        if let stream {
            inflateEnd(stream)
            stream.deallocate()
        }
    }

    /// Reads up to `count` bytes; fewer only at the end.
    mutating func read(upTo count: Int) throws(DatasetError) -> [UInt8] {
        guard let stream else {
            let end = position + min(compressed.count - position, max(count, 0))
            defer { position = end }
            return Array(compressed[(compressed.startIndex + position)..<(compressed.startIndex + end)])
        }
        var result: [UInt8] = []
        while result.count < count, !isAtEnd {
            result += try inflate(stream, upTo: min(count - result.count, 1 << 20))
        }
        return result
    }

    private mutating func inflate(
        _ stream: UnsafeMutablePointer<z_stream>, upTo count: Int
    ) throws(DatasetError) -> [UInt8] {
        let inputCount = min(compressed.count - position, 1 << 20)
        var status: Int32 = Z_OK
        let chunk = [UInt8](unsafeUninitializedCapacity: count) { output, outputCount in
            compressed.withUnsafeBytes { (input: UnsafeRawBufferPointer) in
                let start = input.baseAddress.map { $0 + position }
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: start?.assumingMemoryBound(to: UInt8.self))
                stream.pointee.avail_in = UInt32(inputCount)
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(count)
                status = CZlib.inflate(stream, Z_NO_FLUSH)
                outputCount = count - Int(stream.pointee.avail_out)
            }
        }
        position += inputCount - Int(stream.pointee.avail_in)
        switch status {
        case Z_STREAM_END:
            let rest = compressed[(compressed.startIndex + position)...]
            isAtEnd = !(hasMembers && rest.starts(with: Self.gzipSignature) && inflateReset(stream) == Z_OK)
        case Z_OK where !chunk.isEmpty || position < compressed.count:
            break
        default:
            // Damaged, or cut: the input is used up and the stream has not ended.
            throw .damagedCompression(file: name)
        }
        return chunk
    }
}
