import CABSTraining
import Foundation
import Testing

/// What is given to a network that is there already, and what is given without a word on what it is.
@Suite(.timeLimit(.minutes(10))) struct GivenDataTests {
    private static let training = [
        "train", "--dataset", "folder", "--data", "pictures", "--model", "logistic-regression", "--steps", "30",
        "--learning-rate", "0.01", "--workers", "1", "--quiet", "--output", "out",
    ]

    /// The accuracy that a command printed.
    private static func accuracy(_ text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix("test accuracy ") }
            .flatMap { Double($0.dropFirst("test accuracy ".count)) }
    }

    @Test func `a new folder is evaluated whole, and so are its parts by hand`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            try SmallSets.writePictures(in: folder.appending(path: "new"), parts: ["": 12])
            // One of the dark ones lies among the bright ones.
            try FileManager.default.moveItem(
                at: folder.appending(path: "new/dark/3.png"), to: folder.appending(path: "new/bright/wrong.png"))
            #expect(try CommandTests.run(Self.training, in: folder).code == 0)
            let whole = try CommandTests.run(["evaluate", "out", "--data", "new"], in: folder)
            #expect(whole.output.contains("all 24 examples"), "\(whole.output)\(whole.errors)")
            let predicted = try CommandTests.run(["predict", "out", "new", "--top", "1"], in: folder)
            let right = predicted.output.split(separator: "\n").filter { line in
                line.contains("/dark/") == line.contains("  dark ")
            }
            #expect(try abs(#require(Self.accuracy(whole.output)) - Double(right.count) / 24) < 1e-4)
            // The run's own data are tested on their own part, wherever they lie.
            let own = try CommandTests.run(["evaluate", "out"], in: folder)
            #expect(own.output.contains("the 16 test examples of folder (64 examples in all)"))
            #expect(try CommandTests.run(["evaluate", "out", "--data", "pictures"], in: folder).output == own.output)
            // A run's parameters by name are the run's, whatever else is said.
            let parameters = try CommandTests.run(
                [
                    "evaluate", "out/checkpoints/final.safetensors", "--dataset", "folder", "--data", "pictures",
                    "--model", "logistic-regression",
                ], in: folder)
            #expect(Self.accuracy(parameters.output) == Self.accuracy(own.output), "\(parameters.errors)")
        }
    }

    @Test func `a run on undivided pictures that were moved is tested on what it was not trained on`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"), parts: ["": 30])
            #expect(try CommandTests.run(Self.training, in: folder).code == 0)
            let own = try CommandTests.run(["evaluate", "out"], in: folder)
            try FileManager.default.moveItem(
                at: folder.appending(path: "pictures"), to: folder.appending(path: "moved"))
            let moved = try CommandTests.run(["evaluate", "out", "--data", "moved"], in: folder)
            #expect(moved.code == 0 && moved.output == own.output, "\(moved.output)\(moved.errors)")
        }
    }

    @Test func `data without a data set are told by what they are, or refused`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            let short = ["--steps", "2", "--model", "logistic-regression", "--workers", "1", "--output", "a"]
            let run = try CommandTests.run(["train", "--data", "pictures"] + short, in: folder)
            #expect(run.code == 0 && run.output.contains("data   folder: 48 training"), "\(run.output)\(run.errors)")
            try Data("a,b\n1,2\n".utf8).write(to: folder.appending(path: "iris.csv"))
            for command in [
                ["train", "--data", "iris.csv", "--output", "b"], ["train", "--data", "nothing", "--output", "b"],
                ["compare", "c", "--rules", "cabs", "--data", "iris.csv"],
            ] {
                let refused = try CommandTests.run(command, in: folder)
                let place = command.contains("nothing") ? "nothing" : "iris.csv"
                #expect(refused.code != 0 && refused.errors.contains(place), "\(refused.errors)")
                #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "b").path))
            }
        }
    }

    @Test func `one number that is too large ends neither a run nor predictions`() throws {
        try CommandTests.withFolder { folder in
            let count = 20
            func inputs(_ bad: Int?) -> [Float] {
                (0..<count * 3).map { Float(($0 * 5) % 7) / 7 }.enumerated().map { $0 / 3 == bad ? 3e38 : $1 }
            }
            let labels = (0..<count).map { UInt8($0 % 2) }
            try ArrayArchive.write(
                floats: [("x_train", [count, 3], inputs(nil)), ("x_test", [count, 3], inputs(5))],
                labels: [("y_train", labels), ("y_test", labels)], to: folder.appending(path: "arrays.npz"))
            let run = try CommandTests.run(
                [
                    "train", "--data", "arrays.npz", "--model", "mlp", "--epochs", "3", "--batch-size", "constant:5",
                    "--workers", "1", "--output", "out",
                ], in: folder)
            #expect(run.code == 0 && run.errors.contains("test example 5"), "\(run.output)\(run.errors)")
            // Once, however often it is evaluated.
            #expect(run.errors.ranges(of: "test example 5").count == 1)
            let summary = try #require(try RunDirectory(existing: folder.appending(path: "out")).summary())
            #expect(summary.status == .finished && summary.testLoss?.isFinite == true)
            let text = try CommandTests.run(["predict", "out", "arrays.npz"], in: folder)
            let json = try CommandTests.run(["predict", "out", "arrays.npz", "--json"], in: folder)
            for result in [text, json] {
                let lines = result.output.split(separator: "\n")
                #expect(result.code == 1 && lines.count == count, "\(result.errors)")
                for (index, line) in lines.enumerated() { #expect(line.contains("not finite") == (index == 5)) }
            }
        }
    }
}
