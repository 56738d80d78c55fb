import CABSTraining
import Foundation
import Testing

@testable import CABSExport

/// TensorBoard's tags with their values, steps and times, read back by an independent reader.
@Suite(.timeLimit(.minutes(10))) struct EventValueTests {
    private static func withFolder(_ body: (URL) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "cabs-export-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url)
    }

    /// The table of tags in docs/formats.md: each tag with the key of `metrics.jsonl` that it shows.
    private static func documentedTags() throws -> [String: String] {
        let page = URL(filePath: #filePath).appending(path: "../../../docs/formats.md").standardizedFileURL
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
        let rows = lines.drop { !$0.hasPrefix("| tag |") }.dropFirst(2).prefix { $0.hasPrefix("|") }
        let pairs = rows.map { row in row.split(separator: "|").map { $0.trimmingCharacters(in: [" ", "`"]) } }
        return Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })
    }

    @Test func `each documented tag has its key's value, and there are no others`() throws {
        try Self.withFolder { folder in
            let documented = try Self.documentedTags()
            #expect(documented.count == 17 && documented["train/loss"] == "loss", "\(documented)")
            // Every key has a value of its own.
            var line: [String: Any] = [
                "step": 4, "examples": 56, "seconds": 12.5, "training_seconds": 3, "epoch": 0.25,
            ]
            let keys = Set(documented.values).subtracting(["shadow"]).sorted().filter { !$0.contains(" ") }
            for (index, key) in keys.enumerated() { line[key] = 100.5 + Double(index) }
            (line["batch_size"], line["second_moment"]) = (8, 500)
            line["shadow"] = ["norm-test:0.9": 33, "simigrad": 44]
            let run = RunDirectory(existing: folder)
            try JSONSerialization.data(withJSONObject: line).write(to: run.metricsFile)
            try FileHandle(forUpdating: run.metricsFile).closing {
                try $0.seekToEnd()
                try $0.write(contentsOf: Data("\n".utf8))
            }
            try Data().write(to: run.configurationFile)
            let began = Date(timeIntervalSince1970: 1_700_000_000)
            try FileManager.default.setAttributes([.modificationDate: began], ofItemAtPath: run.configurationFile.path)
            var export = try EventExport(run, to: folder.appending(path: "events"))
            _ = try export.update()

            let events = try EventReader.events(in: folder.appending(path: "events"))
            #expect(events.count == 2 && events[0].version == "brain.Event:2" && events[0].values.isEmpty)
            let event = try #require(events.last)
            #expect(event.step == 56 && event.wallTime == 1_700_000_012.5)
            var wanted: [String: Float] = ["shadow/norm-test:0.9": 33, "shadow/simigrad": 44]
            // S = (500 − g²) 8/7, and |∇F|² = g² − S/8.
            let norm = try #require(line["gradient_squared_norm"] as? Double)
            let variance = (500 - norm) * 8 / 7
            wanted["train/noise_scale"] = Float(variance / (norm - variance / 8))
            for (tag, key) in documented {
                if let value = line[key] as? Double { wanted[tag] = Float(value) }
                if let value = line[key] as? Int { wanted[tag] = Float(value) }
            }
            #expect(wanted.count == documented.count + 1)
            #expect(Set(event.values.keys) == Set(wanted.keys))
            for (tag, value) in wanted {
                let found = event.values[tag] ?? .nan
                #expect(abs(found - value) <= 1e-6 * abs(value), "\(tag): \(found), \(value)")
            }
        }
    }

    @Test func `a run's events are its metrics`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "cabs-export-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var options = TrainingOptions()
        (options.dataset, options.workers, options.steps, options.evaluations) = (.digits, 1, 12, 3)
        (options.validation, options.average, options.shadow) = (101, "ema:64", "noise-scale")
        let run = try TrainingRun(TrainingConfiguration(options), output: folder)
        _ = try await run.run()
        var export = try EventExport(run.directory, to: folder.appending(path: "events"))
        #expect(try export.update())
        let events = try EventReader.events(in: folder.appending(path: "events")).dropFirst()
        let lines = try String(contentsOf: run.directory.metricsFile, encoding: .utf8).split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(events.count == 12 && lines.count == 12)
        let began = try #require(
            FileManager.default.attributesOfItem(atPath: run.directory.configurationFile.path)[.modificationDate]
                as? Date)
        var evaluations = 0
        for (event, line) in zip(events, lines) {
            #expect(event.step == line["examples"] as? Int)
            let seconds = try #require(line["seconds"] as? Double)
            #expect(abs(event.wallTime - began.timeIntervalSince1970 - seconds) < 1e-5)
            for (tag, key) in try Self.documentedTags() {
                #expect(
                    event.values[tag] == (line[key] as? Double).map { Float($0) } || tag == "train/noise_scale"
                        || tag.hasPrefix("shadow"), "\(tag)")
            }
            let shadow = try #require(line["shadow"] as? [String: Double])
            #expect(event.values["shadow/noise-scale"] == Float(shadow["noise-scale"]!))
            evaluations +=
                event.values["test/accuracy_of_average"] != nil && event.values["validation/loss"] != nil ? 1 : 0
        }
        #expect(evaluations == 3)
    }
}

extension FileHandle {
    fileprivate func closing(_ body: (FileHandle) throws -> Void) throws {
        defer { try? close() }
        try body(self)
    }
}
