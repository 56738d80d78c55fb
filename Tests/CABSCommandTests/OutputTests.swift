import Foundation
import Testing

/// Outputs under the names of open files, and places that are no files.
@Suite(.timeLimit(.minutes(10))) struct OutputTests {
    private static func shell(_ line: String, in folder: URL) throws -> CommandTests.Result {
        let program = CommandTests.program.path.replacing("'", with: "'\\''")
        return try CommandTests.run(
            ["-c", "cabs() { '\(program)' \"$@\"; }; \(line)"], of: URL(filePath: "/bin/bash"), in: folder)
    }

    private static let training = "cabs train --dataset digits --model mlp --workers 1 --steps 5 --output out"

    @Test(arguments: ["> log", ">> log", "| cat > log"])
    func `a trace to standard output stands among the other lines`(redirection: String) throws {
        try CommandTests.withFolder { folder in
            let result = try Self.shell(
                "echo before > log; \(Self.training) --trace /dev/stdout \(redirection)", in: folder)
            #expect(result.code == 0, "\(result.errors)")
            let lines = try String(contentsOf: folder.appending(path: "log"), encoding: .utf8).split(separator: "\n")
            #expect(lines.filter { $0.hasPrefix("{") && $0.hasSuffix("}") }.count == 5, "\(lines)")
            #expect(lines.last == "run directory out")
            #expect((lines.first == "before") == (redirection == ">> log"))
        }
    }

    @Test func `a trace may go to a pipe or nowhere, but not over the run's own lines`() throws {
        try CommandTests.withFolder { folder in
            let result = try Self.shell(
                "\(Self.training) --trace /dev/null && cabs train --resume out --steps 8 --trace >(cat > copy) && sleep 0.5 "
                    + "&& cmp copy out/metrics.jsonl && ! cabs train --resume out --steps 9 --trace out/metrics.jsonl "
                    + "&& test -c /dev/null && wc -l < out/metrics.jsonl", in: folder)
            #expect(result.code == 0, "\(result.errors)")
            #expect(result.output.split(separator: "\n").last == "8", "\(result.output)")
            #expect(result.errors.contains("the run's own file"), "\(result.errors)")
        }
    }

    @Test func `a file in the place of the folder of runs is named`() throws {
        try CommandTests.withFolder { folder in
            let result = try Self.shell("touch runs; cabs train --dataset digits --model mlp --steps 1", in: folder)
            #expect(result.code == 1 && result.errors.hasPrefix("Error: cannot write"), "\(result.errors)")
        }
    }

    @Test func `a report may go to standard output, and leaves nothing beside it`() throws {
        try CommandTests.withFolder { folder in
            try CommandTests.linkGnuplot(in: folder)
            let result = try Self.shell(
                "\(Self.training) >/dev/null; PATH=$PWD:$PATH cabs report out --output /dev/stdout | cat; ls -d /dev/stdout-figures",
                in: folder)
            #expect(
                result.output.hasPrefix("<!") && result.output.hasSuffix("</html>\n"), "\(result.output.suffix(99))")
            #expect(result.code != 0)
        }
    }

    @Test func `the command of a page in a folder behind a link works there`() throws {
        try CommandTests.withFolder { folder in
            try CommandTests.linkGnuplot(in: folder)
            let result = try Self.shell(
                "\(Self.training) >/dev/null; mkdir -p deep/er; ln -s deep/er pages; PATH=$PWD:$PATH cabs report out --output pages/p.html "
                    + ">/dev/null; cd pages; c=$(grep -o 'cabs train --config [^<]*' p.html | head -1); eval \"$c --output again\"",
                in: folder)
            #expect(result.code == 0, "\(result.errors)")
        }
    }

    @Test func `a run that diverged is evaluated at its last checkpoint and said to have diverged`() throws {
        try CommandTests.withFolder { folder in
            let result = try Self.shell(
                "cabs train --dataset digits --model mlp --workers 1 --learning-rate 1e30 --output out; cabs evaluate out",
                in: folder)
            #expect(result.code == 0, "\(result.errors)")
            #expect(result.output.contains("after 0 steps (the run diverged later)"), "\(result.output)")
        }
    }
}
