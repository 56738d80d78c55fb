import CABSTraining
import Foundation
import Testing

/// Output that is closed, full or gone, signals, and places: what the shell and the system do to a run.
@Suite(.timeLimit(.minutes(10))) struct StreamTests {
    /// Runs a line of a shell, in which `cabs` is the program.
    private static func shell(
        _ line: String, in folder: URL, environment: [String: String] = [:]
    ) throws -> CommandTests.Result {
        let program = CommandTests.program.path.replacing("'", with: "'\\''")
        return try CommandTests.run(
            ["-c", "cabs() { '\(program)' \"$@\"; }; \(line)"], of: URL(filePath: "/bin/bash"), in: folder,
            environment: environment)
    }

    private static let training = "cabs train --dataset digits --model mlp --workers 1 --steps 30 --output out"

    #if os(Linux)
        @Test(arguments: [">/dev/full", ">&-", "<&- >&- 2>&-", "| true"])
        func `a run needs nowhere to print`(redirection: String) throws {
            try CommandTests.withFolder { folder in
                let result = try Self.shell("\(Self.training) \(redirection)", in: folder)
                #expect(result.code == 0, "\(result.errors)")
                let metrics = try String(contentsOf: folder.appending(path: "out/metrics.jsonl"), encoding: .utf8)
                #expect(metrics.split(separator: "\n").count == 30)
                for file in ["lock", "config.yaml", "metrics.jsonl", "summary.json"] {
                    let text = try String(contentsOf: folder.appending(path: "out/\(file)"), encoding: .utf8)
                    #expect(!text.contains("test accuracy") && !text.contains("data   digits"), "\(file)")
                }
            }
        }

        @Test func `a result that nobody wants to see is no error`() throws {
            try CommandTests.withFolder { folder in
                _ = try Self.shell(Self.training, in: folder)
                for command in ["evaluate out", "data list", "measure out --examples 64"] {
                    let result = try Self.shell("cabs \(command) >&-", in: folder)
                    #expect(result.code == 0, "\(command): \(result.errors)")
                }
            }
        }

        @Test func `a result that cannot be printed is an error in one line`() throws {
            try CommandTests.withFolder { folder in
                _ = try Self.shell(Self.training, in: folder)
                for command in ["evaluate out", "data list", "bench --models mlp --batch-sizes 4 --repeats 1 --json"] {
                    let result = try Self.shell("cabs \(command) >/dev/full", in: folder)
                    #expect(result.code == 1, "\(command)")
                    #expect(result.errors.contains("cannot write standard output"), "\(result.errors)")
                    #expect(result.errors.split(separator: "\n").count <= 2, "\(result.errors)")
                }
            }
        }

        @Test func `what was measured is stored before it is told`() throws {
            try CommandTests.withFolder { folder in
                let result = try Self.shell("\(Self.training) && cabs measure out --examples 64 >/dev/full", in: folder)
                #expect(result.code == 1 && result.errors.contains("cannot write standard output"))
                let run = RunDirectory(existing: folder.appending(path: "out"))
                #expect(try run.measurement()?.exampleCount == 64)
            }
        }
    #endif

    private static let endless = "cabs train --dataset digits --model mlp --workers 1 --seconds 60 --output out"

    /// Starts an endless run, lets it come to its first steps, and sends a signal.
    private static func interrupted(by signal: String, _ command: String, in folder: URL) throws -> CommandTests.Result
    {
        try shell(
            """
            \(command) >log 2>&1 & p=$!
            for i in $(seq 100); do [ -s out/metrics.jsonl ] && break; sleep 0.1; done
            child=$(pgrep -P $p || echo $p)
            kill -\(signal) $child; sleep 0.3
            kill -0 $child 2>/dev/null && echo alive
            kill -TERM $child 2>/dev/null
            wait $p
            """, in: folder)
    }

    @Test(arguments: [("HUP", 129), ("INT", 130), ("TERM", 143)])
    func `signals end a run with a checkpoint and their code`(signal: String, code: Int32) throws {
        try CommandTests.withFolder { folder in
            let result = try Self.interrupted(by: signal, Self.endless, in: folder)
            #expect(result.code == code)
            let log = try String(contentsOf: folder.appending(path: "log"), encoding: .utf8)
            #expect(log.contains("go on with: cabs train --resume out"), "\(log)")
            let steps = try #require(log.firstMatch(of: /stopped after ([0-9]+) steps/)?.1)
            let evaluation = try Self.shell("cabs evaluate out", in: folder)
            #expect(evaluation.output.contains("after \(steps) steps (the run has not ended)"), "\(evaluation.output)")
        }
    }

    @Test func `a hang-up that is ignored from the start stays so`() throws {
        try CommandTests.withFolder { folder in
            let result = try Self.interrupted(by: "HUP", "trap '' HUP; " + Self.endless, in: folder)
            #expect(result.output.contains("alive") && result.code == 143)
        }
    }

    @Test func `home is what the environment says, also behind an equals sign`() throws {
        try CommandTests.withFolder { folder in
            let set = folder.appending(path: "home/.cache/cabs/mnist")
            try FileManager.default.createDirectory(at: set, withIntermediateDirectories: true)
            for split in ["train", "t10k"] {
                try Data([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 9, 7]).write(
                    to: set.appending(path: "\(split)-images-idx3-ubyte"))
                try Data([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]).write(to: set.appending(path: "\(split)-labels-idx1-ubyte"))
            }
            let home = ["HOME": folder.appending(path: "home").path]
            let list = try Self.shell("cabs data", in: folder, environment: home)
            #expect(list.output.contains("mnist            2 training and 2 test examples"), "\(list.output)")
            let run = try Self.shell(
                "cabs train --dataset mnist --model mlp '--data=~/.cache/cabs/mnist' --steps 1 --output out",
                in: folder,
                environment: home)
            #expect(run.code == 0 && run.output.contains("2 training, 2 test examples"), "\(run.errors)")
        }
    }

    @Test func `a run of another folder is evaluated and goes on from anywhere`() throws {
        try CommandTests.withFolder { folder in
            for line in [
                "cabs data >/dev/null; mkdir -p a/set b; cd a; \(Self.imageFiles); "
                    + "cabs train --dataset mnist --model mlp --data set --steps 3 --output run",
                "cd b; cabs evaluate ../a/run", "cd b; cabs train --resume ../a/run --steps 5",
                "cd b; cabs train --config ../a/run/config.yaml --output again",
                "cd b; cabs train --resume ../a/run | grep -q 'nothing was left to train'",
            ] {
                let result = try Self.shell(line, in: folder)
                #expect(result.code == 0, "\(line): \(result.errors)")
            }
        }
    }

    @Test func `a configuration may come through a pipe, and not from a folder`() throws {
        try CommandTests.withFolder { folder in
            let piped = try Self.shell(
                "cabs train --config <(printf 'dataset: digits\\nsteps: 2\\n') --output out", in: folder)
            #expect(piped.code == 0 && piped.output.contains("2 steps"), "\(piped.errors)")
            let refused = try Self.shell("cabs train --config out", in: folder)
            #expect(refused.code == 1 && refused.errors.contains("it is a folder"), "\(refused.errors)")
        }
    }

    private static let imageFiles = """
        for s in train t10k; do printf '\\0\\0\\10\\3\\0\\0\\0\\2\\0\\0\\0\\1\\0\\0\\0\\1\\7\\11' > set/$s-images-idx3-ubyte; \
        printf '\\0\\0\\10\\1\\0\\0\\0\\2\\0\\1' > set/$s-labels-idx1-ubyte; done
        """

    @Test func `runs that begin in the same second have folders of their own`() throws {
        try CommandTests.withFolder { folder in
            let line = "cabs train --dataset digits --model mlp --workers 1 --steps 1 --seed $i >/dev/null"
            let result = try Self.shell(
                "for i in 1 2 3 4 5 6; do (\(line) || echo failed) & done; wait; ls runs | wc -l; cat runs/*/config.yaml | grep -c ^seed",
                in: folder)
            #expect(result.output.split(separator: "\n") == ["6", "6"], "\(result.output) \(result.errors)")
        }
    }
}
