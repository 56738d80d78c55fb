import Foundation
import Testing

/// The built program, run as users run it.
@Suite(.timeLimit(.minutes(10))) struct CommandTests {
    struct Result {
        let code: Int32
        let output: String
        let errors: String
    }

    /// The program stands beside the tests.
    static let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "cabs")

    static func run(
        _ arguments: [String], of executable: URL = program, in folder: URL? = nil, environment: [String: String] = [:]
    ) throws -> Result {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let errorText = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return Result(code: process.terminationStatus, output: text, errors: errorText)
    }

    /// A folder for one test's files, removed after `body`.
    static func withFolder(_ body: (URL) throws -> Void) throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "cabs-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: url) }
        try body(url)
    }

    /// Links the stand-in of gnuplot, which draws every figure empty, into a folder; `PageTests` has the real one.
    static func linkGnuplot(in folder: URL) throws {
        let program = URL(filePath: #filePath).appending(path: "../../Programs/gnuplot").standardizedFileURL
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "gnuplot"), withDestinationURL: program)
    }

    @Test func `a run ends with its accuracy and folder, which can be evaluated`() throws {
        try Self.withFolder { folder in
            let run = try Self.run(
                ["train", "--dataset", "digits", "--epochs", "3", "--trace", "t.jsonl", "--output", "out"], in: folder)
            #expect(run.code == 0, "\(run.errors)")
            let lines = run.output.split(separator: "\n")
            #expect(lines.last == "run directory out")
            let accuracy = try #require(lines.first { $0.hasPrefix("test accuracy") })
            for path in [
                "out/config.yaml", "out/metrics.jsonl", "out/summary.json", "out/checkpoints/final.safetensors",
            ] {
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: path).path))
            }
            let evaluation = try Self.run(["evaluate", "out"], in: folder)
            #expect(evaluation.output.contains(accuracy))
            let file = try Self.run(
                ["evaluate", "out/checkpoints/final.safetensors", "--dataset", "digits", "--model", "mlp"], in: folder)
            #expect(file.output.contains(accuracy))

            let again = try Self.run(
                ["train", "--config", "out/config.yaml", "--epochs", "1", "--output", "out"], in: folder)
            #expect(again.code == 1)
            #expect(again.errors.contains("out exists already"))
        }
    }

    @Test(arguments: [
        (["train", "--batch-size", "some"], "cabs train"), (["bench", "--models", "some"], "cabs bench"),
        (["data", "fetch", "folder"], "cabs data fetch"),
    ])
    func `wrong usage that is found out late is still that of its command`(arguments: [String], command: String) throws
    {
        try Self.withFolder { folder in
            let result = try Self.run(arguments, in: folder)
            #expect(result.code == 64 && result.errors.contains("\nUsage: \(command) "), "\(result.errors)")
            #expect(result.errors.hasSuffix("See '\(command) --help' for more information.\n"), "\(result.errors)")
        }
    }

    @Test func `why a file cannot be read is said in the system's words`() throws {
        try Self.withFolder { folder in
            let missing = try Self.run(["train", "--config", "nowhere.yaml"], in: folder)
            #expect(missing.errors.hasSuffix("nowhere.yaml: No such file or directory\n"), "\(missing.errors)")
        }
    }

    @Test func `a run is drawn, or without gnuplot the error says how to get it`() throws {
        try Self.withFolder { folder in
            _ = try Self.run(["train", "--dataset", "digits", "--steps", "5", "--output", "out"], in: folder)
            let without = try Self.run(["report", "out"], in: folder, environment: ["PATH": folder.path])
            #expect(without.code == 1 && without.errors.contains("apt-get install gnuplot-nox"), "\(without.errors)")
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "out/report.html").path))

            try Self.linkGnuplot(in: folder)
            let path = ["PATH": folder.path]
            let report = try Self.run(["report", "out"], in: folder, environment: path)
            #expect(report.code == 0, "\(report.errors)")
            #expect(report.output == "report out/report.html\nfigures out/report-figures\n")
            let other = try Self.run(
                ["report", "out", "--output", "my page.html", "--title", "Mine"], in: folder, environment: path)
            #expect(other.code == 0, "\(other.errors)")
            let page = try String(contentsOf: folder.appending(path: "my page.html"), encoding: .utf8)
            #expect(page.contains("<h1>Mine</h1>") && page.contains("cabs train --config out/config.yaml"))
            let figure = folder.appending(path: "my page-figures/loss-by-examples.svg")
            #expect(FileManager.default.fileExists(atPath: figure.path))
            let unwritable = try Self.run(
                ["report", "out", "--output", "out/config.yaml/page.html"], in: folder, environment: path)
            #expect(unwritable.code == 1 && unwritable.errors.contains("cannot write"), "\(unwritable.errors)")
        }
    }

    @Test func `a comparison is measured by the rule and the targets that are asked for`() throws {
        try Self.withFolder { folder in
            let grid = [
                "compare", "grid", "--dataset", "digits", "--steps", "5", "--rules", "constant:8,constant:16",
                "--learning-rates", "0.1", "--seeds", "0,1", "--quiet",
            ]
            #expect(try Self.run(grid, in: folder).code == 0)
            try Self.linkGnuplot(in: folder)
            func report(_ options: [String]) throws -> Result {
                try Self.run(["report", "grid"] + options, in: folder, environment: ["PATH": folder.path])
            }
            func table(_ name: String) throws -> String {
                try String(contentsOf: folder.appending(path: "grid/report-tables/\(name).md"), encoding: .utf8)
            }
            let plain = try report([])
            #expect(plain.output.hasSuffix("tables grid/report-tables\n"), "\(plain.errors)")
            #expect(try table("differences").hasPrefix("Less constant:8 at 0.1,"))
            let asked = try report([
                "--baseline", "constant:16", "--target-accuracy", "0.001", "--target-loss", "1e-9",
            ])
            #expect(asked.code == 0, "\(asked.errors)")
            #expect(try table("differences").hasPrefix("Less constant:16 at 0.1,"))
            let costs = try table("costs")
            #expect(costs.contains("to test accuracy 0.001") && costs.contains("to training loss 1e-09"))
            #expect(costs.contains("| not reached | not reached |\n"))
            let unknown = try report(["--baseline", "cabs"])
            #expect(unknown.code == 1 && unknown.errors.contains("--baseline takes one of: constant:8, constant:16"))
        }
    }

    @Test func `a folder that holds no data is not taken for the digits`() throws {
        try Self.withFolder { folder in
            let run = try Self.run(["train", "--data", ".", "--steps", "2"], in: folder)
            #expect(run.code != 0 && run.errors.contains("cannot tell what data"), "\(run.output)\(run.errors)")
            let digits = try Self.run(["train", "--dataset", "digits", "--steps", "2"], in: folder)
            #expect(digits.output.hasPrefix("data   digits: 1438 training, 359 test examples of 8x8x1, 10 classes"))
        }
    }

    /// Wrong usage: one line that says what, and exit code 64.
    @Test(
        arguments: [
            (["train", "--estimator", "roughly"], "estimator"),
            (["train", "--dataset", "imagenet"], "dataset"),
            (["train", "--model", "resnet"], "there is no model named \"resnet\""),
            (["train", "--steps", "3", "--epochs", "1"], "give one of them"),
            (["train", "--steps", "0"], "length of 0 steps"),
            (["train", "--minimum-batch-size", "8", "--maximum-batch-size", "4"], "exceeds"),
            (["train", "--initial-batch-size", "4"], "outside 16 to 2048"),
            (["train", "--batch-size", "huge"], "huge"),
            (["train", "--batch-size", "constant:0"], "0 is not positive"),
            (["train", "--batch-size", "constant:8", "--smoothing", "0.5"], "means nothing"),
            (["train", "--first-example", "3"], "sequential"),
            (["train", "--estimator", "none"], "batch-size cabs needs gradient statistics"),
            (
                ["train", "--estimator", "none", "--batch-size", "constant:8", "--shadow", "cabs"],
                "shadow cabs needs gradient statistics"
            ),
            (["train", "--shadow", "foo"], "shadow is \"foo\", but must be all, or some of these"),
            (["train", "--shadow", "all,cabs-per-second", "--fixed-cost", "9"], "shadow is \"all,cabs-per-second\""),
            (["train", "--shadow", "constant:200000000"], "shadow is \"200000000\", but must be from 1 to"),
            (["train", "--shadow", "step:2:0"], "the number of epochs of shadow step:2:0 is 0.0"),
            (["train", "--steps", "-5", "--dataset", "digits"], "a length of -5 steps"),
            (["train", "--resume", "x", "--output", "y"], "leave out"),
            (["train", "--checkpoint-every", "often"], "checkpoint-every"),
            (["train", "--keep-checkpoints", "0"], "keep-checkpoints"),
            (["train", "--batch-size", "norm-test:0"], "tolerance"),
            (["train", "--shadow", "huge"], "huge"),
            (["compare", "o"], "add --rules"),
            (["compare", "o", "--rules", "cabs", "--learning-rates", "a"], "\"a\" is not a learning rate"),
            (["train", "--workers", "0"], "0 workers"),
            (["train", "--workers", "100000"], "100000 workers"),
            (["train", "--batch-size", "constant:99999999999"], "99999999999"),
            (["train", "--learning-rate=-1"], "learning rate"),
            (["train", "--learning-rate", "fast"], "fast"),
            (["evaluate"], "path"),
            (["report"], "path"),
            (["report", "here", "--target-accuracy", "76"], "from 0 to 1"),
            (["report", "here", "--target-loss", "nan"], "is a number"),
            (["evaluate", "Package.swift"], "add --dataset and --model"),
            (["data", "fetch", "imagenet"], "imagenet"),
            (["data", "fetch", "mnist", "--from", "here"], "\"here\" is not an address"),
            (["fly"], "fly"),
        ] as [([String], String)])
    func `wrong usage ends with 64`(arguments: [String], mentions: String) throws {
        let result = try Self.run(arguments)
        #expect(result.code == 64, "\(result.errors)")
        let first = try #require(result.errors.split(separator: "\n").first)
        #expect(first.hasPrefix("Error: ") && first.contains(mentions), "\(result.errors)")
    }

    /// Bad data and files: one line that says what, and exit code 1.
    @Test(arguments: [
        (["train", "--dataset", "cifar10", "--data", "."], "cifar10 is not here"),
        (["train", "--dataset", "mnist", "--data", "cut"], "cut short"),
        (["train", "--dataset", "mnist", "--data", "swapped"], "is not an IDX file"),
        (["train", "--dataset", "mnist", "--data", "label"], "has the label 10"),
        (["train", "--dataset", "digits", "--order", "sequential", "--first-example", "99999"], "no example 99999"),
        (["train", "--dataset", "digits", "--initial-parameters", "missing"], "cannot read"),
        (["train", "--dataset", "digits", "--initial-parameters", "garbage"], "cannot be used"),
        (["train", "--dataset", "digits", "--config", "missing.yaml"], "missing.yaml"),
        (["train", "--dataset", "digits", "--config", "garbage"], "garbage"),
        (["train", "--dataset", "digits", "--output", "garbage/run"], "cannot write"),
        (["train", "--dataset", "digits", "--output", "."], "exists already"),
        (["train", "--dataset", "digits", "--trace", "no/such/folder.jsonl"], "cannot write"),
        (["train", "--dataset", "digits", "--learning-rate", "1e30"], "the loss is"),
        (["train", "--dataset", "digits", "--batch-size", "constant:256", "--loss-bound", "2.0"], "step 0"),
        (["train", "--resume", "nowhere"], "cannot read"),
        (["compare", ".", "--rules", "cabs"], "exists already"),
        (["compare", "o", "--config", "garbage"], "garbage"),
        (["train", "--dataset", "svhn", "--data", "."], "cabs data fetch svhn"),
        (
            ["data", "fetch", "mnist", "--data", ".", "--from", "http://127.0.0.1:1/"],
            "cannot reach http://127.0.0.1:1/"
        ),
        (["data", "fetch", "mnist", "--data", "garbage"], "cannot write"),
        (["evaluate", "nowhere"], "no such file"),
        (["report", "nowhere"], "nowhere is no run"),
        (["report", "cut"], "cut is no run"),
        (["evaluate", "garbage", "--dataset", "digits", "--model", "mlp"], "cannot be used"),
    ])
    func `bad data ends with 1`(arguments: [String], mentions: String) throws {
        try Self.withFolder { folder in
            try Data("no tensors here: [".utf8).write(to: folder.appending(path: "garbage"))
            try Self.writeSet(in: folder.appending(path: "cut")) { $0["train-images-idx3-ubyte"]!.removeLast() }
            try Self.writeSet(in: folder.appending(path: "swapped")) {
                $0["train-images-idx3-ubyte"] = $0["train-labels-idx1-ubyte"]
            }
            try Self.writeSet(in: folder.appending(path: "label")) {
                $0["train-labels-idx1-ubyte"]![9] = 10
            }
            let result = try Self.run(arguments, in: folder)
            #expect(result.code == 1, "\(result.errors)")
            let lines = result.errors.split(separator: "\n")
            #expect(lines.count == 1, "\(result.errors)")
            #expect(lines.first?.contains(mentions) == true, "\(result.errors)")
        }
    }

    @Test func `parameters of another model are refused by name and shape`() throws {
        try Self.withFolder { folder in
            _ = try Self.run(
                ["train", "--dataset", "digits", "--model", "logistic-regression", "--steps", "1", "--output", "o"],
                in: folder)
            let result = try Self.run(
                ["train", "--dataset", "digits", "--initial-parameters", "o/checkpoints/final.safetensors"], in: folder)
            #expect(result.code == 1)
            #expect(result.errors.contains("parameter dense1.weight has shape [10, 64]"), "\(result.errors)")
        }
    }

    @Test func `data sets are listed with what to do for those that are missing`() throws {
        let result = try Self.run(["data", "--data", "/nowhere"])
        #expect(result.code == 0)
        #expect(result.output.contains("digits           1438 training and 359 test examples"))
        #expect(result.output.contains("cifar10          not found; get it with cabs data fetch cifar10"))
    }

    @Test func `a comparison ends with a table that names models and rules in full`() throws {
        try Self.withFolder { folder in
            let rules = "cabs,step:1.5:0.3333333333333333"
            let result = try Self.run(
                [
                    "compare", "grid", "--rules", rules, "--datasets", "digits", "--models", "mlp,logistic-regression",
                    "--examples", "64", "--validation", "38", "--workers", "1",
                ], in: folder)
            #expect(result.code == 0, "\(result.errors)")
            let table = result.output.split(separator: "\n").drop { !$0.hasPrefix("data set") }
            #expect(table.count == 6)
            for model in ["mlp", "logistic-regression"] {
                for rule in rules.split(separator: ",") {
                    #expect(
                        table.contains { $0.contains("  \(model) ") && $0.contains("  \(rule)  ") }, "\(result.output)")
                }
            }
            let lines = try String(contentsOf: folder.appending(path: "grid/results.csv"), encoding: .utf8).split(
                separator: "\n")
            let columns = lines[0].split(separator: ",")
            // One run of each rule: the means at the end of its line are the run's own.
            for (line, row) in zip(lines.dropFirst(), table.dropFirst()) {
                let values = Dictionary(
                    uniqueKeysWithValues: zip(columns, line.split(separator: ",", omittingEmptySubsequences: false)))
                let expected = ["training_loss", "test_loss", "test_accuracy"].compactMap {
                    values[$0].flatMap { Double($0) }.map { String(format: "%.4f", $0) }
                }
                #expect(row.split(separator: " ").suffix(3).map(String.init) == expected)
            }
            let column = try #require(columns.firstIndex(of: "validation_accuracy"))
            #expect(
                lines.dropFirst().allSatisfy {
                    Double($0.split(separator: ",", omittingEmptySubsequences: false)[column]) != nil
                })
        }
    }

    @Test func `the digits need no fetching`() throws {
        let result = try Self.run(["data", "fetch", "digits"])
        #expect(result.code == 0)
        #expect(result.output.contains("nothing to fetch"))
    }

    /// A small set in MNIST's format, changed by `change`.
    static func writeSet(in folder: URL, _ change: (inout [String: [UInt8]]) -> Void) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var files: [String: [UInt8]] = [:]
        for split in ["train", "t10k"] {
            files["\(split)-images-idx3-ubyte"] =
                [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2] + [UInt8](repeating: 9, count: 8)
            files["\(split)-labels-idx1-ubyte"] = [0, 0, 8, 1, 0, 0, 0, 2, 3, 4]
        }
        change(&files)
        for (name, bytes) in files { try Data(bytes).write(to: folder.appending(path: name)) }
    }
}
