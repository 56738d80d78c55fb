import CABSTraining
import CChecksum
import Foundation
import SwiftProtobuf

/// A file of TensorBoard's events: records of protocol buffers, each with its length and two checksums (CRC-32C).
struct EventFile {
    private let handle: FileHandle
    private let path: String

    /// Makes the file anew.
    init(creating file: URL) throws(TrainingError) {
        path = file.path
        guard FileManager.default.createFile(atPath: file.path, contents: nil),
            let handle = try? FileHandle(forWritingTo: file)
        else { throw .unwritable(path: file.path, reason: String(cString: strerror(errno))) }
        self.handle = handle
        try append(
            .with {
                $0.wallTime = Date().timeIntervalSince1970
                $0.fileVersion = "brain.Event:2"
            })
    }

    /// Adds an event.
    func append(_ event: TensorBoardEvent) throws(TrainingError) {
        do {
            let data: Data = try event.serializedBytes()
            var length = Data()
            withUnsafeBytes(of: UInt64(data.count).littleEndian) { length.append(contentsOf: $0) }
            try handle.write(contentsOf: length + Self.maskedChecksum(length) + data + Self.maskedChecksum(data))
        } catch {
            throw .unwritable(path: path, reason: error.systemReason)
        }
    }

    /// The checksum as TensorFlow's records have it, turned and shifted, so that one over data with checksums is no special one.
    private static func maskedChecksum(_ data: Data) -> Data {
        var bytes = Array(data)
        let checksum = ~crc32_iscsi(&bytes, Int32(bytes.count), ~0)
        let masked = (checksum >> 15 | checksum << 17) &+ 0xa282_ead8
        return withUnsafeBytes(of: masked.littleEndian) { Data($0) }
    }
}
