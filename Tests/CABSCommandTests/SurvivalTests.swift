import Foundation
import Testing

/// What happens to the process, the disk and the folder of a run, and what is left of it.
@Suite(.timeLimit(.minutes(10))) struct SurvivalTests {
    /// Starts a run of the digits with a checkpoint every 20 steps, and waits until it is under way.
    static func startLongRun(in folder: URL, _ arguments: [String], wrappedIn shell: String = "exec") throws -> (
        Process, Pipe
    ) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "\(shell) \"$0\" \"$@\"", CommandTests.program.path, "train"] + arguments
        process.currentDirectoryURL = folder
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let checkpoints = folder.appending(path: "out/checkpoints").path
        while process.isRunning, (try? FileManager.default.contentsOfDirectory(atPath: checkpoints))?.isEmpty ?? true {
            usleep(5_000)
        }
        return (process, errors)
    }

    static let longRun = ["--dataset", "digits", "--steps", "3000", "--checkpoint-every", "20", "--output", "out"]

    /// The bytes of a run's last parameters, without the header.
    static func tensors(_ run: String, in folder: URL) throws -> Data {
        let data = try Data(contentsOf: folder.appending(path: "\(run)/checkpoints/final.safetensors"))
        let header = data.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return data.dropFirst(8 + header)
    }

    @Test func `a run that is killed goes on to the same bytes`() throws {
        try CommandTests.withFolder { folder in
            let whole = try CommandTests.run(["train"] + Self.longRun.dropLast() + ["whole"], in: folder)
            #expect(whole.code == 0, "\(whole.errors)")
            var arguments = Self.longRun
            for milliseconds in [30, 110, 60] {
                let (process, _) = try Self.startLongRun(in: folder, arguments)
                usleep(UInt32(milliseconds) * 1000)
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                arguments = ["--resume", "out"]
            }
            let last = try CommandTests.run(["train", "--resume", "out"], in: folder)
            #expect(last.code == 0, "\(last.errors)")
            #expect(try Self.tensors("out", in: folder) == Self.tensors("whole", in: folder))
            let lines = try String(contentsOf: folder.appending(path: "out/metrics.jsonl"), encoding: .utf8)
            #expect(lines.split(separator: "\n").count == 3000)
        }
    }

    @Test func `a disk that is full at a checkpoint leaves the one before`() throws {
        try CommandTests.withFolder { folder in
            // Parameters of 600 KB beside metrics of 30 KB, so that a limit on the size of files meets the checkpoint first.
            try Data("layers: [flatten, {dense: {units: 2000}}, relu, {dense: {units: 10}}]".utf8)
                .write(to: folder.appending(path: "wide.yaml"))
            let options = ["--dataset", "digits", "--model", "wide.yaml", "--checkpoint-every", "20"]
            func train(_ arguments: [String]) throws {
                let run = try CommandTests.run(["train"] + arguments, in: folder)
                #expect(run.code == 0, "\(run.errors)")
            }
            try train(options + ["--steps", "80", "--output", "whole"])
            try train(options + ["--steps", "40", "--output", "out"])
            let (process, errors) = try Self.startLongRun(
                in: folder, ["--resume", "out", "--steps", "80"], wrappedIn: "trap '' XFSZ; ulimit -f 400; exec")
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 1)
            #expect(text.hasPrefix("Error: cannot write") && text.contains("step-000000060.safetensors"), "\(text)")
            let files = try FileManager.default.contentsOfDirectory(
                atPath: folder.appending(path: "out/checkpoints").path)
            #expect(
                files.sorted() == ["step-000000000", "step-000000020", "step-000000040"].map { "\($0).safetensors" })
            try train(["--resume", "out", "--steps", "80"])
            #expect(try Self.tensors("out", in: folder) == Self.tensors("whole", in: folder))
        }
    }

    #if os(Linux)
        /// The quick form of `make soak`.
        @Test func `the memory of a run does not grow with its steps`() throws {
            try CommandTests.withFolder { folder in
                let (process, _) = try Self.startLongRun(
                    in: folder,
                    Self.longRun.map { $0 == "3000" ? "3000000" : $0 } + ["--evaluate-every", "100", "--factor", "8"]
                        + ["--shadow", "all", "--compare-estimators", "100"])
                func residentKilobytes(afterMetricsOf bytes: Int) throws -> Int {
                    let metrics = folder.appending(path: "out/metrics.jsonl").path
                    while process.isRunning,
                        try FileManager.default.attributesOfItem(atPath: metrics)[.size] as? Int ?? 0 < bytes
                    {
                        usleep(10_000)
                    }
                    let status = try String(
                        contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
                    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
                    return try #require(line.split(separator: " ").compactMap { Int($0) }.first)
                }
                let early = try residentKilobytes(afterMetricsOf: 200_000)
                let late = try residentKilobytes(afterMetricsOf: 1_200_000)
                kill(process.processIdentifier, SIGKILL)
                process.waitUntilExit()
                #expect(late < early + 1024, "\(early) KB, later \(late) KB")
            }
        }
    #endif

    @Test func `a full disk ends a run with an error, and its last checkpoint loads`() throws {
        try CommandTests.withFolder { folder in
            // A limit on the size of files stands for it: the metrics soon exceed 100 KB, the checkpoints do not.
            let (process, errors) = try Self.startLongRun(
                in: folder, Self.longRun, wrappedIn: "trap '' XFSZ; ulimit -f 200; exec")
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 1)
            #expect(text.hasPrefix("Error: cannot write") && text.contains("metrics.jsonl"), "\(text)")
            let resumed = try CommandTests.run(["train", "--resume", "out"], in: folder)
            #expect(resumed.code == 0, "\(resumed.errors)")
        }
    }

    @Test func `a run whose folder vanishes ends with an error`() throws {
        try CommandTests.withFolder { folder in
            let (process, errors) = try Self.startLongRun(
                in: folder, Self.longRun.map { $0 == "3000" ? "3000000" : $0 })
            try FileManager.default.moveItem(
                at: folder.appending(path: "out"), to: folder.appending(path: "elsewhere"))
            let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 1)
            #expect(text.hasPrefix("Error: cannot write"), "\(text)")
        }
    }

    @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, 143)] as [(Int32, Int32)])
    func `a signal stops a run with a checkpoint, and it can be resumed`(signal: Int32, code: Int32) throws {
        try CommandTests.withFolder { folder in
            let arguments = ["train", "--dataset", "digits", "--steps", "1000000", "--output", "out"]
            let process = Process()
            process.executableURL = CommandTests.program
            process.arguments = arguments
            process.currentDirectoryURL = folder
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            // Once there are metrics the run is under way.
            let metrics = folder.appending(path: "out/metrics.jsonl").path
            while ((try? FileManager.default.attributesOfItem(atPath: metrics)[.size]) as? Int ?? 0) < 2000 {
                usleep(10_000)
            }
            let second = try CommandTests.run(["train", "--resume", "out"], in: folder)
            #expect(second.code == 1 && second.errors.contains("in use by process \(process.processIdentifier)"))
            kill(process.processIdentifier, signal)
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == code && process.terminationReason == .exit)
            let last = try #require(text.split(separator: "\n").last)
            #expect(last.hasPrefix("stopped after") && last.hasSuffix("go on with: cabs train --resume out"))
            let steps = try #require(last.split(separator: " ").compactMap { Int($0) }.first)

            let shrunk = try CommandTests.run(["train", "--resume", "out", "--steps", "\(steps + 5)"], in: folder)
            #expect(shrunk.code == 1 && shrunk.errors.contains("the run began with steps 1000000"))
        }
    }

    @Test func `a second interrupt ends a run at once, in the middle of a step`() throws {
        try CommandTests.withFolder { folder in
            let process = Process()
            process.executableURL = CommandTests.program
            // A single step that takes far longer than this test.
            process.arguments = [
                "train", "--dataset", "digits", "--steps", "1", "--batch-size", "constant:2000000", "--output", "out",
            ]
            process.currentDirectoryURL = folder
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let metrics = folder.appending(path: "out/metrics.jsonl").path
            while process.isRunning, !FileManager.default.fileExists(atPath: metrics) { usleep(10_000) }
            kill(process.processIdentifier, SIGINT)
            usleep(300_000)
            #expect(process.isRunning)
            kill(process.processIdentifier, SIGINT)
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 130 && process.terminationReason == .exit)
            #expect(!text.contains("stopped after"), "\(text)")
        }
    }
}
