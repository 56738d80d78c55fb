import Foundation
import Testing

/// Where data sets are looked for, and what a run makes of data that have changed.
@Suite(.timeLimit(.minutes(10))) struct DataPlaceTests {
    @Test func `the environment's folder goes before the cache, and a folder that is named before both`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writeMNIST(in: folder.appending(path: "home/.cache/cabs/mnist"), trainingCount: 11)
            try SmallSets.writeMNIST(in: folder.appending(path: "named"), trainingCount: 13)
            let environment = folder.appending(path: "environment")
            func list(_ options: String = "") throws -> String {
                let result = try CommandTests.run(
                    ["data"] + options.split(separator: " ").map(String.init), in: folder,
                    environment: ["HOME": folder.appending(path: "home").path, "CABS_DATA": environment.path])
                return try #require(result.output.split(separator: "\n").first { $0.hasPrefix("mnist") }).description
            }
            #expect(try list().contains("11 training and 3 test examples"))
            try SmallSets.writeMNIST(in: environment.appending(path: "mnist"), trainingCount: 12)
            #expect(try list().contains("12 training and 3 test examples"))
            #expect(try list("--data named").contains("13 training and 3 test examples"))
        }
    }

    @Test func `a run does not go on with data that have changed`() throws {
        try CommandTests.withFolder { folder in
            let data = folder.appending(path: "data")
            try SmallSets.writeMNIST(in: data)
            let run = try FinishedRun(
                ["--dataset", "mnist", "--data", "data", "--model", "mlp", "--steps", "3"], in: folder)
            #expect(run.result.code == 0, "\(run.result.errors)")
            func resume(_ steps: String) throws -> CommandTests.Result {
                try CommandTests.run(["train", "--resume", "out", "--steps", steps], in: folder)
            }
            #expect(try resume("4").code == 0)
            for (name, position) in [("train-images-idx3-ubyte", 100), ("t10k-labels-idx1-ubyte", 9)] {
                let file = data.appending(path: name)
                let whole = try Data(contentsOf: file)
                var changed = whole
                changed[position] = changed[position] == 0 ? 1 : 0
                try changed.write(to: file)
                let refusal = try resume("5")
                #expect(refusal.code == 1 && refusal.errors.contains("data"), "\(name): \(refusal.errors)")
                try whole.write(to: file)
            }
            #expect(try resume("5").code == 0)
        }
    }
}
