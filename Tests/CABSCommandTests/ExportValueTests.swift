import CABSTraining
import Foundation
import Testing

/// What `cabs export` takes of a run, and how it follows one that goes on.
@Suite(.timeLimit(.minutes(10))) struct ExportValueTests {
    @Test func `the average is exported where it is asked for, with its own results`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(["--dataset", "digits", "--steps", "30", "--average", "swa"], in: folder)
            for (options, file, key) in [
                ([], run.directory.finalParametersFile, "test_accuracy"),
                (["--average"], run.directory.finalAverageFile, "average_test_accuracy"),
            ] {
                let place = "hub-\(key)"
                let result = try CommandTests.run(["export", "out", "--hugging-face", place] + options, in: folder)
                #expect(result.code == 0, "\(result.errors)")
                let written = try Safetensors.read(folder.appending(path: "\(place)/model.safetensors"))
                let expected = try Safetensors.read(file)
                for name in expected.names { #expect(written[name] == expected[name], "\(name)") }
                let card = try String(contentsOf: folder.appending(path: "\(place)/README.md"), encoding: .utf8)
                let shown = try #require(
                    card.firstMatch(of: /\| test accuracy \| ([0-9.]+) \|/).flatMap { Double($0.output.1) })
                #expect(try abs(shown - #require(run.summary(key) as? Double)) <= 5.001e-5)
            }
            #expect(
                run.summary("test_loss") as? Double != run.summary("average_test_loss") as? Double)
        }
    }

    @Test func `events are followed until the run has ended`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "cabs-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let run = try FinishedRun(["--dataset", "digits", "--steps", "6"], in: folder)
        // As it was after three steps.
        let (metrics, summary) = (
            try Data(contentsOf: run.directory.metricsFile), try Data(contentsOf: run.directory.summaryFile)
        )
        let lines = metrics.split(separator: UInt8(ascii: "\n"))
        let half = Data(lines.prefix(3).joined(separator: [UInt8(ascii: "\n")])) + Data("\n".utf8)
        try half.write(to: run.directory.metricsFile)
        try FileManager.default.removeItem(at: run.directory.summaryFile)

        let process = Process()
        process.executableURL = CommandTests.program
        process.arguments = ["export", "out", "--tensorboard", "events", "--follow"]
        process.currentDirectoryURL = folder
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        // It has inherited blocked signals, SIGTERM among them.
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        let events = folder.appending(path: "events")
        func size() -> Int {
            let file = (try? FileManager.default.contentsOfDirectory(at: events, includingPropertiesForKeys: nil))?
                .first
            return file.flatMap { try? Data(contentsOf: $0) }?.count ?? 0
        }
        // Three events are more than the first record of any file, of 40 bytes.
        while size() < 300 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(process.isRunning)
        let before = size()
        try metrics.write(to: run.directory.metricsFile)
        try summary.write(to: run.directory.summaryFile)
        while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        #expect(process.terminationStatus == 0 && size() > before)
        // The same as of the whole run at once, but for the times of the files' beginnings.
        let whole = try CommandTests.run(["export", "out", "--tensorboard", "whole"], in: folder)
        #expect(whole.code == 0, "\(whole.errors)")
        func tail(_ name: String) throws -> Data {
            let place = folder.appending(path: name)
            let file = try #require(
                FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil).first)
            return try Data(contentsOf: file).dropFirst(40)
        }
        #expect(try tail("events") == tail("whole"))
    }

    /// Of a grid whose first run has not ended.
    @Test func `events are of every run of a grid, also behind one that goes on`() throws {
        try CommandTests.withFolder { folder in
            let made = try CommandTests.run(
                [
                    "compare", "grid", "--rules", "constant:8,constant:16", "--datasets", "digits", "--models",
                    "logistic-regression", "--steps", "6", "--workers", "1",
                ], in: folder)
            #expect(made.code == 0, "\(made.errors)")
            let runs = folder.appending(path: "grid/runs")
            let names = try FileManager.default.contentsOfDirectory(atPath: runs.path).sorted()
            #expect(names.count == 2)
            for name in names {
                // One after the other is the one that has not ended.
                let summary = runs.appending(path: "\(name)/summary.json")
                let text = try Data(contentsOf: summary)
                try FileManager.default.removeItem(at: summary)
                let result = try CommandTests.run(["export", "grid", "--tensorboard", "events-\(name)"], in: folder)
                #expect(result.code == 0, "\(result.errors)")
                try text.write(to: summary)
                for other in names {
                    let place = folder.appending(path: "events-\(name)/\(other)")
                    let file = try #require(
                        FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil).first)
                    #expect(try Data(contentsOf: file).count > 600, "\(name): \(other)")
                }
            }
        }
    }
}
