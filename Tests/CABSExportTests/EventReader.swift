import Foundation
import Testing

/// A file of TensorBoard's events, read by TensorFlow's framing of records and the wire format of protocol buffers, without the code that
/// wrote it.
struct EventReader {
    struct Event {
        var wallTime = 0.0
        var step = 0
        var version: String?
        var sessionStatus: Int?
        /// By tag.
        var values: [String: Float] = [:]
    }

    let events: [Event]

    init(_ file: URL) throws {
        var rest = [UInt8](try Data(contentsOf: file))[...]
        var events: [Event] = []
        while !rest.isEmpty {
            let length = Int(Self.number(rest.prefix(8)))
            try #require(rest.count >= length + 16, "a record of \(length) bytes is cut short")
            let data = rest.dropFirst(12).prefix(length)
            #expect(Self.number(rest.dropFirst(8).prefix(4)) == Self.masked(rest.prefix(8)))
            #expect(Self.number(rest.dropFirst(12 + length).prefix(4)) == Self.masked(data))
            events.append(try Self.event(data))
            rest = rest.dropFirst(16 + length)
        }
        self.events = events
    }

    /// The events of the only file in a folder.
    static func events(in folder: URL) throws -> [Event] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        try #require(names.count == 1 && names[0].contains("tfevents"), "\(names)")
        return try EventReader(folder.appending(path: names[0])).events
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// CRC-32C bit by bit, masked as TensorFlow does.
    private static func masked(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        crc = ~crc
        return UInt64(((crc >> 15) | (crc << 17)) &+ 0xA282_EAD8)
    }

    private enum Field {
        case whole(UInt64)
        case fixed(UInt64)
        case bytes(ArraySlice<UInt8>)
    }

    /// The fields of a message, by their numbers.
    private static func fields(_ message: ArraySlice<UInt8>) throws -> [(number: Int, field: Field)] {
        var rest = message
        func varint() throws -> UInt64 {
            var (value, shift) = (UInt64(0), UInt64(0))
            while let byte = rest.popFirst() {
                value |= UInt64(byte & 127) << shift
                if byte < 128 { return value }
                shift += 7
            }
            throw CocoaError(.coderReadCorrupt)
        }
        var found: [(Int, Field)] = []
        while !rest.isEmpty {
            let key = try varint()
            let field: Field
            switch key & 7 {
            case 0: field = .whole(try varint())
            case 1: (field, rest) = (.fixed(number(rest.prefix(8))), rest.dropFirst(8))
            case 5: (field, rest) = (.fixed(number(rest.prefix(4))), rest.dropFirst(4))
            default:
                let length = Int(try varint())
                (field, rest) = (.bytes(rest.prefix(length)), rest.dropFirst(length))
            }
            found.append((Int(key >> 3), field))
        }
        return found
    }

    /// An `Event` of TensorFlow's event.proto, as far as scalars need it.
    private static func event(_ message: ArraySlice<UInt8>) throws -> Event {
        var event = Event()
        for (number, field) in try fields(message) {
            switch (number, field) {
            case (1, .fixed(let bits)): event.wallTime = Double(bitPattern: bits)
            case (2, .whole(let step)): event.step = Int(step)
            case (3, .bytes(let text)): event.version = String(decoding: text, as: UTF8.self)
            case (5, .bytes(let summary)):
                for case (1, .bytes(let value)) in try fields(summary) {
                    var (tag, scalar): (String?, Float?) = (nil, nil)
                    for case (let number, let field) in try fields(value) {
                        switch (number, field) {
                        case (1, .bytes(let text)): tag = String(decoding: text, as: UTF8.self)
                        case (2, .fixed(let bits)): scalar = Float(bitPattern: UInt32(bits))
                        default: Issue.record("field \(number) of a value")
                        }
                    }
                    let name = try #require(tag)
                    #expect(event.values[name] == nil, "\(name) twice")
                    event.values[name] = scalar
                }
            case (7, .bytes(let session)):
                for case (1, .whole(let status)) in try fields(session) { event.sessionStatus = Int(status) }
            default: Issue.record("field \(number) of an event")
            }
        }
        return event
    }
}
