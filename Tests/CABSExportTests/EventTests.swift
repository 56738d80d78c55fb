import CABSTraining
import Foundation
import SwiftProtobuf
import Testing

@testable import CABSExport

/// TensorBoard's events, taken apart again; scripts/check-export has TensorBoard read them.
@Suite(.timeLimit(.minutes(10))) struct EventTests {
    private static func withFolder(_ body: (URL) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "cabs-export-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url)
    }

    private static func events(in folder: URL) throws -> [TensorBoardEvent] {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.count == 1 && names[0].contains("tfevents"))
        var bytes = try Data(contentsOf: folder.appending(path: names[0]))[...]
        var events: [TensorBoardEvent] = []
        while !bytes.isEmpty {
            let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            events.append(try TensorBoardEvent(serializedBytes: Data(bytes.dropFirst(12).prefix(length))))
            bytes = bytes.dropFirst(16 + length)
        }
        return events
    }

    /// What TensorBoard shows: a session that starts takes back the points from its step on.
    private static func points(_ events: [TensorBoardEvent], _ tag: String) -> [Int: [Float]] {
        var points: [Int: [Float]] = [:]
        for event in events {
            if event.sessionLog.status == .start { points = points.filter { $0.key < Int(event.step) } }
            for value in event.summary.value where value.tag == tag {
                points[Int(event.step), default: []].append(value.simpleValue)
            }
        }
        return points
    }

    private static func line(_ examples: Int, loss: Double) -> String {
        "{\"step\": \(examples / 8 - 1), \"batch_size\": 8, \"loss\": \(loss), \"second_moment\": 5, "
            + "\"gradient_squared_norm\": 2, \"examples\": \(examples), \"seconds\": 1, \"shadow\": {\"noise-scale\": 40}}\n"
    }

    @Test func `a record's checksum is that of TensorFlow`() throws {
        try Self.withFolder { folder in
            let file = folder.appending(path: "x.tfevents")
            _ = try EventFile(creating: file)
            let bytes = [UInt8](try Data(contentsOf: file))
            // The first record of any file that TensorFlow writes, but for its time: 24 bytes, and the checksum of that length.
            #expect(Array(bytes.prefix(12)) == [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22])
        }
    }

    @Test func `each step's values stand at its examples, and only once`() throws {
        try Self.withFolder { folder in
            let run = RunDirectory(existing: folder)
            let first = Self.line(8, loss: 3) + Self.line(16, loss: 2)
            try Data((first + Self.line(24, loss: 1).dropLast(20)).utf8).write(to: run.metricsFile)
            var export = try EventExport(run, to: folder.appending(path: "events"))
            #expect(try !export.update())
            #expect(try !export.update())
            // The rest of the line, and another.
            try Data((first + Self.line(24, loss: 1) + Self.line(32, loss: 0.5)).utf8).write(to: run.metricsFile)
            #expect(try !export.update())
            let events = try Self.events(in: folder.appending(path: "events"))
            #expect(Self.points(events, "train/loss") == [8: [3], 16: [2], 24: [1], 32: [0.5]])
            #expect(Self.points(events, "shadow/noise-scale")[32] == [40])
            // S = (5 − 2) 8/7, and |g|² = 2 − S/8.
            let variance = 3.0 * 8 / 7
            let scale = try #require(Self.points(events, "train/noise_scale")[8]?.first)
            #expect(abs(Double(scale) - variance / (2 - variance / 8)) < 1e-5)
        }
    }

    @Test func `a run that went back takes its points back`() throws {
        try Self.withFolder { folder in
            let run = RunDirectory(existing: folder)
            let kept = Self.line(8, loss: 3) + Self.line(16, loss: 2)
            try Data((kept + Self.line(24, loss: 9) + Self.line(32, loss: 9)).utf8).write(to: run.metricsFile)
            var export = try EventExport(run, to: folder.appending(path: "events"))
            _ = try export.update()
            // As long as before, or shorter.
            try Data((kept + Self.line(24, loss: 5) + Self.line(32, loss: 5)).utf8).write(to: run.metricsFile)
            _ = try export.update()
            let place = folder.appending(path: "events")
            #expect(Self.points(try Self.events(in: place), "train/loss") == [8: [3], 16: [2], 24: [5], 32: [5]])
            try Data((kept + Self.line(24, loss: 1)).utf8).write(to: run.metricsFile)
            _ = try export.update()
            let wanted = [8: [3], 16: [2], 24: [1]] as [Int: [Float]]
            #expect(Self.points(try Self.events(in: place), "train/loss") == wanted)
        }
    }
}
