import Foundation
import Testing

@testable import CABSTraining

/// What each option of `cabs compare` does, seen in the table that it writes.
@Suite(.timeLimit(.minutes(10))) struct GridOptionTests {
    /// The lines of `results.csv`, by column.
    typealias Table = [[String: String]]

    struct Effect: Sendable, CustomTestStringConvertible {
        let given: [String]
        /// Whether the option did what it is there for, seen in the table.
        let isSeen: @Sendable (Table) -> Bool

        init(_ given: String, _ isSeen: @escaping @Sendable (Table) -> Bool) {
            self.given = given.split(separator: " ").map(String.init)
            self.isSeen = isSeen
        }

        var testDescription: String { given.joined(separator: " ") }

        /// The options with what a grid needs beside them.
        var options: [String] {
            var options = given
            func add(_ option: String, _ value: String, unless others: Set<String> = []) {
                if others.union([option]).isDisjoint(with: given) { options += [option, value] }
            }
            add("--rules", "constant:8", unless: ["--config"])
            add("--datasets", "digits", unless: ["--config"])
            add("--models", "logistic-regression", unless: ["--config"])
            add("--examples", "16", unless: ["--config", "--seconds", "--epochs", "--steps"])
            add("--workers", "1")
            return options
        }
    }

    private static func column(_ name: String, _ table: Table) -> [String] { table.map { $0[name] ?? "" } }

    static let effects = [
        Effect("--config grid.yaml") {
            column("rule", $0) == ["constant:4", "constant:4"] && column("learning_rate", $0) == ["0.25", "0.5"]
                && column("steps", $0) == ["3", "3"]
        },
        // What is given on the command line goes before.
        Effect("--config grid.yaml --learning-rates 0.125") { column("learning_rate", $0) == ["0.125"] },
        Effect("--rules constant:4,constant:16") {
            column("rule", $0) == ["constant:4", "constant:16"] && column("steps", $0) == ["4", "1"]
        },
        Effect("--learning-rates 0.5,0.25") {
            column("learning_rate", $0) == ["0.5", "0.25"] && Set(column("test_loss", $0)).count == 2
        },
        Effect("--seeds 1,7,1000") {
            column("seed", $0) == ["1", "7", "1000"] && Set(column("test_loss", $0)).count == 3
        },
        Effect("--datasets mnist,digits --models logistic-regression") {
            column("dataset", $0) == ["mnist", "digits"]
        },
        Effect("--models mlp,logistic-regression") { column("model", $0) == ["mlp", "logistic-regression"] },
        Effect("--datasets mnist --data other --examples 24") { column("examples", $0) == ["24"] },
        Effect("--seconds 0.5") {
            Double(column("training_seconds", $0)[0])! >= 0.5
        },
        Effect("--epochs 0.5") { column("examples", $0) == ["719"] },
        Effect("--steps 3") { column("steps", $0) == ["3"] },
        Effect("--config grid.yaml --dataset mnist --model mlp --seed 9 --weight-decay 0.5") {
            column("dataset", $0) == ["mnist", "mnist"] && column("model", $0) == ["mlp", "mlp"]
                && column("seed", $0) == ["9", "9"]
        },
        // One seed in place of a file's list.
        Effect("--config seeds.yaml --seed 9") { column("seed", $0) == ["9"] },
        Effect("--quiet") { column("steps", $0) == ["2"] },
        Effect("--validation 100") { Double(column("validation_accuracy", $0)[0]) != nil },
    ]

    private static func table(_ options: [String], in folder: URL) throws -> Table {
        let result = try CommandTests.run(
            ["compare", "grid"] + options, in: folder,
            environment: ["CABS_DATA": folder.appending(path: "data").path])
        #expect(result.code == 0, "\(result.errors)")
        let lines = try String(contentsOf: folder.appending(path: "grid/results.csv"), encoding: .utf8)
            .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
    }

    private static func withFiles(_ body: (URL) throws -> Void) throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writeMNIST(in: folder.appending(path: "data/mnist"))
            try SmallSets.writeMNIST(in: folder.appending(path: "other"), trainingCount: 10)
            let grid = """
                options: {dataset: digits, model: logistic-regression, steps: 3}
                rules: [constant:4]
                learning-rates: [0.25, 0.5]
                """
            try Data(grid.utf8).write(to: folder.appending(path: "grid.yaml"))
            let seeds = grid.replacing("[0.25, 0.5]", with: "[0.25]\nseeds: [0, 1]")
            try Data(seeds.utf8).write(to: folder.appending(path: "seeds.yaml"))
            try body(folder)
        }
    }

    @Test(arguments: effects)
    func `an option has its effect`(effect: Effect) throws {
        try Self.withFiles { folder in
            let table = try Self.table(effect.options, in: folder)
            #expect(effect.isSeen(table), "\(table)")
        }
    }

    @Test func `evaluations, workers and the data's folder come to the runs`() throws {
        try Self.withFiles { folder in
            _ = try Self.table(
                [
                    "--rules", "constant:4", "--datasets", "mnist", "--data", "other", "--models", "mlp",
                    "--examples", "40", "--evaluations", "5", "--workers", "2",
                ], in: folder)
            let run = RunDirectory(existing: folder.appending(path: "grid/runs/mnist_mlp_constant-4_0.1_0"))
            let options = try TrainingOptions(contentsOf: run.configurationFile)
            #expect(options.workers == 2)
            #expect(options.data.map { URL(filePath: $0).lastPathComponent } == "other")
            let lines = try String(contentsOf: run.metricsFile, encoding: .utf8).split(separator: "\n")
            #expect(lines.count { $0.contains("test_loss") } == 5)
        }
    }

    @Test func `several processes share a grid, and make each run once`() throws {
        try CommandTests.withFolder { folder in
            func call(_ name: String) -> String {
                "'\(CommandTests.program.path)' compare \(name) --dataset digits --model logistic-regression --rules constant:8,constant:16 "
                    + "--learning-rates 0.1,0.2 --seeds 0,1,2 --epochs 1 --workers 1"
            }
            let script = """
                for i in 1 2 3 4; do \(call("shared")) >output$i 2>errors$i || touch failed & done; wait
                \(call("alone")) >/dev/null 2>&1
                """
            _ = try CommandTests.run(["-c", script], of: URL(filePath: "/bin/bash"), in: folder)
            func text(_ name: String) throws -> String {
                try String(contentsOf: folder.appending(path: name), encoding: .utf8)
            }
            let errors = try (1...4).map { try text("errors\($0)") }.joined()
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "failed").path), "\(errors)")
            let outputs = try (1...4).map { try text("output\($0)") }.joined()
            let made = outputs.matches(of: /rate [0-9.]+ seed [0-9]  test accuracy/)
            #expect(made.count == 12, "\(outputs)")
            // All but the seconds.
            func results(_ name: String) throws -> [Substring] {
                try text("\(name)/results.csv").split(separator: "\n").map { $0.prefix(upTo: $0.lastIndex(of: ",")!) }
            }
            #expect(try results("shared").count == 13 && results("shared") == results("alone"))
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "shared/curves").path).count
                    == 12)
        }
    }
}
