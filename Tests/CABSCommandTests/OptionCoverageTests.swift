import Foundation
import Testing

@testable import CABSTraining

/// That no option is without a test, and what the smaller commands' options do.
@Suite(.timeLimit(.minutes(10))) struct OptionCoverageTests {
    /// What `--experimental-dump-help` says of a command, as far as this needs it.
    struct Help: Decodable {
        struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable {
                    let kind: String
                    let name: String
                }
                let names: [Name]?
            }
            let commandName: String
            let arguments: [Argument]?
            let subcommands: [Command]?

            /// The long options of this command and those below it.
            var options: Set<String> {
                let own = (arguments ?? []).flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map(\.name)
                return (subcommands ?? []).reduce(Set(own)) { $0.union($1.options) }
            }
        }
        let command: Command
    }

    static func options(_ command: [String]) throws -> Set<String> {
        let result = try CommandTests.run(command + ["--experimental-dump-help"])
        return try JSONDecoder().decode(Help.self, from: Data(result.output.utf8)).command.options
            .subtracting(["help", "version"])
    }

    /// The options that lists of effects give.
    static func given(_ effects: [[String]]) -> Set<String> {
        Set(effects.joined().filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) })
    }

    /// Options that only several processes show: those that scripts/test-mpi gives.
    static var ofSeveralProcesses: Set<String> {
        get throws {
            let root = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL
            let script = try String(contentsOf: root.appending(path: "scripts/test-mpi"), encoding: .utf8)
            return Set(["mpi", "mpi-timeout", "exchange"].filter { script.contains("\"--\($0)\"") })
        }
    }

    @Test func `each option of train and compare has an effect that is tested`() throws {
        let train =
            TrainOptionTests.ofData + TrainOptionTests.ofModel + TrainOptionTests.ofLearningRate
            + TrainOptionTests.ofBatchSize + TrainOptionTests.ofRun
        // Runs that go on are `SurvivalTests`' and `ResumeTests`', one that may take no memory `OwnDataTests`'; all runs of these tests
        // have a folder.
        let elsewhere: Set<String> = try Self.ofSeveralProcesses.union(["resume", "output", "cache-images"])
        #expect(try Self.options(["train"]).subtracting(elsewhere) == Self.given(train.map(\.given)))
        // What a grid does not vary are the options of a run, with the same effects there.
        let compare = Self.given(GridOptionTests.effects.map(\.given) + train.map(\.given))
        #expect(try Self.options(["compare"]).subtracting(compare).subtracting(elsewhere) == [])
    }

    @Test func `each option of the other commands is given in a test`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
        let sources = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
            .map {
                try String(contentsOf: folder.appending(path: $0), encoding: .utf8)
            }.joined()
        for option in try Self.options([]).subtracting(Self.ofSeveralProcesses) {
            #expect(sources.contains("\"--\(option)\"") || sources.contains("--\(option) "), "--\(option)")
        }
    }

    @Test func `evaluate takes other data, another folder and another loss than the run's`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writeMNIST(in: folder.appending(path: "data/mnist"))
            try Data(SmallSets.zeroModel.utf8).write(to: folder.appending(path: "zero.yaml"))
            let run = try FinishedRun(
                [
                    "--dataset", "mnist", "--data", "data", "--model", "zero.yaml", "--steps", "1", "--learning-rate",
                    "1e-30", "--workers", "1",
                ], in: folder)
            #expect(run.result.code == 0, "\(run.result.errors)")
            func evaluate(_ options: String) throws -> String {
                let result = try CommandTests.run(
                    ["evaluate", "out"] + options.split(separator: " ").map(String.init), in: folder)
                return result.code == 0 ? result.output : result.errors
            }
            // All test images are of class 9, and outputs of zero are taken for class 0.
            #expect(try evaluate("--workers 1").contains("the 3 test examples of mnist (23 examples in all)"))
            #expect(
                try evaluate("--workers 2").contains(
                    "test loss \(String(format: "%.4f", log(10.0)))\ntest accuracy 0.0000"))
            #expect(
                try evaluate("--loss sigmoid-cross-entropy").contains("test loss \(String(format: "%.4f", log(2.0)))"))
            #expect(try evaluate("--data nowhere").contains("mnist is not here"))
            #expect(try evaluate("--dataset digits").contains("the network was trained on an image of 4x4x1"))
            #expect(try evaluate("--model mlp").contains("parameter dense1.weight has shape [10, 16]"))
        }
    }
}
