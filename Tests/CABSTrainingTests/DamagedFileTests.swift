import Foundation
import Testing

@testable import CABSTraining

/// Every reader of files against bytes that were changed at random: the quick form of `make fuzz`.
@Suite(.timeLimit(.minutes(10))) struct DamagedFileTests {
    struct Reader: Sendable, CustomTestStringConvertible {
        let name: String
        let seed: Data
        let read: @Sendable (URL) throws -> Void
        var testDescription: String { name }
    }

    static let tensors: Data = {
        let header = Data(
            "{\"a\": {\"dtype\": \"F32\", \"shape\": [2, 2], \"data_offsets\": [0, 16]}, \"__metadata__\": {\"b\": \"c\"}}"
                .utf8)
        return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header + Data(count: 16)
    }()

    static let readers: [Reader] = [
        Reader(name: "IDX", seed: Data([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2] + (0..<8))) {
            _ = try IDXFile(contentsOf: $0, rank: 3)
        },
        // Python: zlib.compressobj(9, zlib.DEFLATED, 31) over 0 0 8 1 0 0 0 3 and abc.
        Reader(
            name: "gzip",
            seed: Data([
                31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 224, 96, 100, 96, 96, 96, 78, 76,
                74, 6, 0, 84, 36, 37, 196, 11, 0, 0, 0,
            ])
        ) { _ = try IDXFile(contentsOf: $0, rank: 1) },
        Reader(name: "CIFAR", seed: Data([3, 77]) + Data(count: 3072)) {
            _ = try CIFARFile(contentsOf: $0, kind: .cifar100Fine)
        },
        Reader(name: "safetensors", seed: tensors) { _ = try Safetensors.read($0) },
        Reader(
            name: "configuration",
            seed: Data("dataset: digits\nbatch-size: step:2:3\nmodel: {layers: [flatten, {dense: {units: 10}}]}\n".utf8)
        ) { _ = try TrainingConfiguration(TrainingOptions(contentsOf: $0)) },
        Reader(name: "grid", seed: Data(ComparisonTests.text.utf8)) { _ = try ComparisonGrid(contentsOf: $0).runs() },
    ]

    @Test(arguments: readers)
    func `damaged bytes give an error or are read`(reader: Reader) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "f")
        var random = RandomStream(seed: 1, purpose: .shuffling, index: 0)
        var errorCount = 0
        for round in 0..<400 {
            var bytes = reader.seed
            for _ in 0...random.nextInteger(below: 4) {
                guard !bytes.isEmpty else { break }
                let position = random.nextInteger(below: bytes.count)
                switch random.nextInteger(below: 4) {
                case 0: bytes[position] = UInt8(random.nextInteger(below: 256))
                case 1: bytes[position] ^= 1 << UInt8(random.nextInteger(below: 8))
                case 2: bytes = Data(bytes.prefix(position))
                default: bytes.insert([0, 0x7f, 0xff][random.nextInteger(below: 3)], at: position)
                }
            }
            if round == 0 { bytes = Data() }
            try bytes.write(to: file)
            do { try reader.read(file) } catch { errorCount += 1 }
        }
        #expect(errorCount > 20)
    }

    /// Headers that promise more than any memory, in files of a few bytes.
    @Test func `what a header promises is not allocated`() throws {
        let folder = try TemporaryFolder()
        func expectError(_ bytes: [UInt8], _ read: (URL) throws -> Void) throws {
            let file = folder.url.appending(path: "f")
            try Data(bytes).write(to: file)
            #expect(throws: (any Error).self) { try read(file) }
        }
        let huge: [UInt8] = [0xff, 0xff, 0xff, 0xff]
        try expectError([0, 0, 8, 3] + huge + huge + huge + [1, 2]) { _ = try IDXFile(contentsOf: $0, rank: 3) }
        try expectError([0, 0, 8, 1] + huge + [1, 2]) { _ = try IDXFile(contentsOf: $0, rank: 1) }
        try expectError(huge + huge + [1]) { _ = try Safetensors.read($0) }
        let header = Data("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4],\"data_offsets\":[0,68719476736]}}".utf8)
        try expectError([UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header) { _ = try Safetensors.read($0) }
    }
}
