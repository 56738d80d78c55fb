import Foundation
import Testing

/// `cabs policy`, asked as loops elsewhere ask it.
@Suite(.timeLimit(.minutes(10))) struct PolicyTests {
    static func run(_ options: [String], _ lines: [String], in folder: URL) throws -> CommandTests.Result {
        let input = folder.appending(path: "lines-\(UUID().uuidString)")
        try Data(lines.joined(separator: "\n").utf8).write(to: input)
        return try CommandTests.run(
            ["-c", "exec \"$0\" policy \"$@\" < \(input.path)", CommandTests.program.path] + options,
            of: URL(filePath: "/bin/sh"), in: folder)
    }

    private static func sizes(_ output: String) throws -> [Int] {
        try output.split(separator: "\n").map {
            try #require(
                (try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])?["next_batch_size"] as? Int)
        }
    }

    @Test(arguments: [[], ["--optimizer", "momentum:0.5"]])
    func `a run's metrics give the run's own batch sizes, in one piece or two`(optimizer: [String]) throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(
                ["--dataset", "digits", "--steps", "40", "--learning-rate", "4", "--minimum-batch-size", "4"]
                    + optimizer, in: folder)
            let lines = try String(contentsOf: run.directory.metricsFile, encoding: .utf8).split(separator: "\n")
                .map(String.init)
            let wanted = run.values("next_batch_size").map { Int($0) }
            #expect(Set(wanted).count > 3)
            let options = optimizer + ["--minimum-batch-size", "4"]
            let whole = try Self.run(options, lines, in: folder)
            #expect(try Self.sizes(whole.output) == wanted, "\(whole.errors)")
            let state = options + ["--state", "state.json"]
            let first = try Self.run(state, Array(lines[..<15]), in: folder)
            let second = try Self.run(state, ["{}"] + lines[15...], in: folder)
            #expect(try Self.sizes(first.output) == wanted[..<15].map { $0 }, "\(first.errors)")
            #expect(try Self.sizes(second.output) == wanted[14...].map { $0 }, "\(second.errors)")
            let other = try Self.run(["--batch-size", "noise-scale", "--state", "state.json"], lines, in: folder)
            #expect(other.code != 0 && other.errors.contains("the run began with batch-size"), "\(other.errors)")
        }
    }

    @Test func `the first size, other rules, and micro-batches`() throws {
        try CommandTests.withFolder { folder in
            #expect(
                try Self.sizes(Self.run(["--initial-batch-size", "24"], ["{}", "", "{}"], in: folder).output) == [
                    24, 24,
                ])
            let steps = try Self.run(
                ["--batch-size", "step:2:1", "--examples-per-epoch", "10", "--minimum-batch-size", "4"],
                [#"{"batch_size": 8}"#, #"{"batch_size": 8}"#], in: folder)
            #expect(try Self.sizes(steps.output) == [4, 8], "\(steps.errors)")
            // S = (4·3 + 4·5 − 8·2) / 1 = 16 and m = 0.5 · 16 (7/8) / 0.25 = 28.
            let parts =
                #"[{"batch_size": 4, "gradient_squared_norm": 3}, {"batch_size": 4, "gradient_squared_norm": 5}]"#
            let common = #""loss": 0.25, "learning_rate": 0.5, "gradient_squared_norm": 2"#
            // With a significance the error of the second moment is read, from micro-batches too.
            let significant = ["--minimum-batch-size", "1", "--smoothing", "0", "--significant", "2"]
            let without = try Self.run(significant, ["{\(common), \"microbatches\": \(parts)}"], in: folder)
            #expect(without.code != 0 && without.errors.contains("second_moment_standard_error"), "\(without.errors)")
            let wide = try Self.run(
                significant, ["{\(common), \"microbatches\": \(parts), \"second_moment_standard_error\": 100}"],
                in: folder)
            #expect(try Self.sizes(wide.output) == [1], "\(wide.errors)")
            let micro = try Self.run(
                ["--minimum-batch-size", "1", "--smoothing", "0"], ["{\(common), \"microbatches\": \(parts)}"],
                in: folder)
            let variance = try Self.run(
                ["--minimum-batch-size", "1", "--smoothing", "0"], ["{\(common), \"batch_size\": 8, \"variance\": 14}"],
                in: folder)
            #expect(micro.output == variance.output && micro.code == 0, "\(micro.output) \(variance.output)")
            #expect(try Self.sizes(micro.output) == [28], "\(micro.output)")
        }
    }

    @Test func `a rule asks for what it reads alone, over epochs of any length`() throws {
        try CommandTests.withFolder { folder in
            let moments = #""gradient_squared_norm": 2, "variance": 14"#
            for rule in ["simigrad", "noise-scale", "norm-test", "big-batch"] {
                let result = try Self.run(["--batch-size", rule], ["{\"batch_size\": 8, \(moments)}"], in: folder)
                #expect(try result.code == 0 && Self.sizes(result.output).count == 1, "\(rule): \(result.errors)")
                let without = try Self.run(
                    ["--batch-size", rule], [#"{"batch_size": 8, "loss": 1, "learning_rate": 1}"#], in: folder)
                #expect(
                    without.code != 0 && without.errors.contains("no gradient_squared_norm, which batch-size \(rule)"))
            }
            let longest = try Self.run(
                ["--batch-size", "adadamp", "--examples-per-epoch", "\(Int.max)"],
                [#"{"batch_size": 8, "loss": 1}"#], in: folder)
            #expect(try Self.sizes(longest.output) == [16], "\(longest.errors)")
        }
    }

    @Test(
        arguments: [
            ([], "{", "no JSON object"), ([], "[1]", "no JSON object"), ([], #"{"loss": 1}"#, "batch_size"),
            ([], #"{"batch-size": 16}"#, "batch_size"),
            ([], #"{"batch_size": 16.5}"#, "a whole one"),
            (
                [], #"{"batch_size": 4, "loss": 1, "learning_rate": 1, "gradient_squared_norm": -1, "variance": 1}"#,
                "gradient_squared_norm is below zero"
            ),
            ([], #"{"batch_size": 0, "loss": 1}"#, "batch_size of 1"),
            ([], #"{"batch_size": 4, "loss": 1, "learning_rate": 1}"#, "gradient_squared_norm"),
            ([], #"{"batch_size": 4, "loss": 1, "learning_rate": 1, "gradient_squared_norm": 1}"#, "second_moment"),
            (
                [],
                #"{"loss":1,"learning_rate":1,"gradient_squared_norm":1,"microbatches":[{"batch_size":9223372036854775807,"gradient_squared_norm":1},{"batch_size":1,"gradient_squared_norm":1}]}"#,
                "batch_size of 1"
            ),
            (
                ["--batch-size", "adadamp:2"], #"{"batch_size": 16, "Loss": 0.5}"#,
                "no loss, which batch-size adadamp:2 reads"
            ),
            (["--batch-size", "step"], "{}", "--examples-per-epoch"), (["--optimizer", "adam"], "{}", "Adam"),
        ] as [([String], String, String)])
    func `what is wrong is said`(options: [String], line: String, reason: String) throws {
        try CommandTests.withFolder { folder in
            let result = try Self.run(options, [line], in: folder)
            #expect(result.code != 0 && result.errors.contains(reason), "\(result.errors)")
        }
    }
}
