import Foundation
import Testing

/// How many threads a run takes.
@Suite(.timeLimit(.minutes(10))) struct WorkerTests {
    static let taskset = "/usr/bin/taskset"

    static func train(_ options: [String], in folder: URL, boundToOne: Bool = false) throws -> CommandTests.Result {
        let arguments = ["train", "--dataset", "digits", "--batch-size", "constant:700", "--steps", "6"] + options
        if boundToOne {
            return try CommandTests.run(
                ["-c", "0", CommandTests.program.path] + arguments, of: URL(filePath: taskset), in: folder)
        }
        return try CommandTests.run(arguments, in: folder)
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: taskset), "taskset is not there"))
    func `a process that is bound to one processor takes one worker`() throws {
        try CommandTests.withFolder { folder in
            let run = try Self.train(["--output", "out"], in: folder, boundToOne: true)
            #expect(run.code == 0, "\(run.errors)")
            #expect(run.output.contains("1 worker\n"))
            let configuration = try String(contentsOf: folder.appending(path: "out/config.yaml"), encoding: .utf8)
            #expect(configuration.contains("workers: 1\n"))
        }
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: taskset), "taskset is not there"))
    func `the bits do not depend on the processors that are free`() throws {
        try CommandTests.withFolder { folder in
            let model = ["--model", "mlp", "--workers", "2", "--batch-size", "constant:1400"]
            _ = try Self.train(model + ["--output", "free"], in: folder)
            let bound = try Self.train(model + ["--output", "bound"], in: folder, boundToOne: true)
            #expect(bound.errors.contains("2 workers share the 1 processor"))
            let logs = try ["free", "bound"].map {
                try String(contentsOf: folder.appending(path: "\($0)/metrics.jsonl"), encoding: .utf8)
                    .split(separator: "\n").map { $0.split(separator: "\"training_seconds\"")[0] }
            }
            #expect(logs[0] == logs[1])
        }
    }

    @Test func `more workers than may run are told of in one line`() throws {
        try CommandTests.withFolder { folder in
            let run = try Self.train(["--workers", "200"], in: folder)
            #expect(run.code == 0)
            #expect(run.errors.hasPrefix("Note: 200 workers share the "))
            #expect(run.errors.split(separator: "\n").count == 1)
            #expect(try Self.train(["--workers", "1"], in: folder).errors.isEmpty)
        }
    }
}
