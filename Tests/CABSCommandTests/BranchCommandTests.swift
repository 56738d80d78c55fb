import CABSTraining
import Foundation
import Testing

/// `cabs branch`.
@Suite(.timeLimit(.minutes(10))) struct BranchCommandTests {
    @Test func `continuations of a checkpoint are compared, and made once`() throws {
        try CommandTests.withFolder { folder in
            _ = try FinishedRun(
                ["--dataset", "digits", "--steps", "40", "--checkpoint-every", "20", "--learning-rate", "0.2"],
                in: folder)
            let common = ["branch", "out/checkpoints/step-000000020.safetensors", "branch"]
            let options = ["--examples", "512", "--evaluate", "400", "--workers", "1"]
            let first = try CommandTests.run(
                common + options + ["--batch-sizes", "512,16", "--orders", "2", "--tolerance", "0.05", "--quiet"],
                in: folder)
            #expect(first.code == 0, "\(first.errors)")
            #expect(first.output.hasPrefix("mlp on digits, after 20 steps: loss "), "\(first.output)")
            for words in [
                "512 examples on, learning rate 0.2 for all", "cabs would choose", "noise-scale would choose",
                "adadamp would",
            ] {
                #expect(first.output.contains(words), "\(words): \(first.output)")
            }
            #expect(first.output.contains("no harm (within 0.05): 16\n  order by order 16 to 16"), "\(first.output)")
            #expect(first.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(first.output)")
            #expect(first.errors.isEmpty)

            let file = folder.appending(path: "branch/branches.csv")
            let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            #expect(lines.count == 5)
            let more = try CommandTests.run(
                common + options + ["--batch-sizes", "16,64,512", "--orders", "3"], in: folder)
            #expect(more.output.components(separatedBy: "made before").count == 5, "\(more.output)")
            let all = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            #expect(all.count == 10 && Array(all[..<5]) == lines)

            let other = try CommandTests.run(
                common + options + ["--batch-sizes", "16,64", "--scale-rate", "sqrt"], in: folder)
            #expect(
                other.code == 1 && other.errors.contains("made with scale-rate nothing, and now it is sqrt")
                    && !other.errors.contains("Usage"),
                "\(other.errors)")
            let scaled = try CommandTests.run(
                [
                    "branch", "out", "scaled", "--batch-sizes", "16,64", "--scale-rate", "sqrt", "--orders", "1",
                    "--quiet",
                ]
                    + options, in: folder)
            #expect(scaled.code == 0 && scaled.errors.isEmpty, "\(scaled.errors)")
            #expect(scaled.output.contains("learning rate 0.2 at a batch of 16, following the batch (sqrt)"))
        }
    }

    @Test(arguments: [
        (["nowhere", "b", "--batch-sizes", "16,32"], "there is no such file"),
        (["out", "b", "--batch-sizes", "16"], "give two sizes or more"),
        (["out", "b", "--batch-sizes", "16,16"], "each once"), (["out", "b", "--batch-sizes", "16,x"], "\"x\" is not"),
        (["out", "b", "--batch-sizes", "16,32", "--orders", "0"], "0 orders"),
        (["out", "b", "--batch-sizes", "16,32", "--examples", "0"], "from 1 to"),
        (["out", "b", "--batch-sizes", "16,600", "--examples", "500"], "at most the 500 examples"),
        (["out", "b", "--batch-sizes", "16,32", "--learning-rate", "0"], "add --learning-rate"),
        (["out", "b", "--batch-sizes", "16,32", "--tolerance=-1"], "must be 0 or more"),
        (["out", "b", "--batch-sizes", "16,32", "--tolerance", "-1"], "must be 0 or more"),
        (["out", "b", "--batch-sizes", "-1,32"], "\"-1\" is not"),
        (["out", "b", "--batch-sizes", "16,32", "--evaluate", "3"], "evaluate is \"3\", but must be 16 or more"),
        (["out", "out", "--batch-sizes", "16,32"], "exists already"),
        (["out/config.yaml", "b", "--batch-sizes", "16,32"], "no checkpoint in a run's folder"),
    ])
    func `what is wrong is refused by name`(options: [String], message: String) throws {
        try CommandTests.withFolder { folder in
            _ = try FinishedRun(["--dataset", "digits", "--steps", "2"], in: folder)
            let result = try CommandTests.run(["branch"] + options, in: folder)
            #expect(result.code != 0 && result.errors.contains(message), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "b").path))
        }
    }
}
