import CABSTraining
import Foundation
import Testing

/// From own pictures and arrays to what a network says of others, as users go.
@Suite(.timeLimit(.minutes(10))) struct OwnDataTests {
    private static let training = [
        "train", "--dataset", "folder", "--data", "pictures", "--model", "mlp", "--epochs", "10", "--output", "out",
    ]

    @Test func `pictures are trained on, predicted and told apart`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            let run = try CommandTests.run(Self.training, in: folder)
            #expect(run.code == 0 && run.output.contains("test accuracy 1.0000"), "\(run.output)\(run.errors)")
            let file = "pictures/test/dark/3.png"
            let text = try CommandTests.run(["predict", "out", file], in: folder)
            #expect(text.code == 0 && text.output.hasPrefix("\(file)  dark "), "\(text.output)\(text.errors)")
            let json = try CommandTests.run(["predict", "out", "pictures/test", "no.png", "--json"], in: folder)
            #expect(json.code == 1 && json.errors.contains("no.png"), "\(json.errors)")
            let lines = try json.output.split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(lines.count == 16)
            for line in lines {
                let name = try #require(line["file"] as? String)
                #expect(line["class"] as? String == (name.contains("dark") ? "dark" : "bright"))
                #expect((line["top"] as? [Any])?.count == 2 && (line["probability"] as? Double ?? 0) > 0.5)
            }
            let checkpoint = try CommandTests.run(
                ["predict", "out/checkpoints/final.safetensors", file], in: folder)
            #expect(checkpoint.output == text.output, "\(checkpoint.errors)")
            let one = try CommandTests.run(["predict", "out", file, "--top", "1", "--workers", "1"], in: folder)
            #expect(text.output.hasPrefix(one.output.dropLast()) && one.output.count < text.output.count)
            let confusion = try CommandTests.run(["evaluate", "out", "--confusion"], in: folder)
            #expect(confusion.output.contains("  bright  1.0000  of 8"), "\(confusion.output)\(confusion.errors)")
            #expect(
                try RunDirectory(existing: folder.appending(path: "out")).confusion()?.counts == [[8, 0], [0, 8]])
        }
    }

    @Test func `mistakes are shown with their pictures`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            let place = folder.appending(path: "pictures/test")
            try FileManager.default.moveItem(
                at: place.appending(path: "dark/3.png"), to: place.appending(path: "bright/wrong.png"))
            #expect(try CommandTests.run(Self.training, in: folder).code == 0)
            let result = try CommandTests.run(["evaluate", "out", "--confusion"], in: folder)
            #expect(result.output.contains("1 of bright taken for dark"), "\(result.output)")
            let mistake = try #require(
                RunDirectory(existing: folder.appending(path: "out")).confusion()?.mistakes.first)
            #expect(mistake.actual == 0 && mistake.predicted == 1 && mistake.probability > 0.5)
            let file = folder.appending(path: "mistake.png")
            try #require(mistake.picture).write(to: file)
            // What is damaged is refused.
            let confusion = RunDirectory(existing: folder.appending(path: "out")).confusionFile
            let written = try Data(contentsOf: confusion)
            try Data(#"{"classes":["a"],"counts":[[1],[2]],"mistakes":[]}"#.utf8).write(to: confusion)
            #expect(throws: TrainingError.self) {
                try RunDirectory(existing: folder.appending(path: "out")).confusion()
            }
            try written.write(to: confusion)
            let moved = try Picture(contentsOf: place.appending(path: "bright/wrong.png"))
            #expect(try Picture(contentsOf: file).pixels == moved.pixels)
            try CommandTests.linkGnuplot(in: folder)
            let report = try CommandTests.run(
                ["report", "out", "--output", "page.html"], in: folder, environment: ["PATH": folder.path])
            #expect(report.code == 0, "\(report.errors)")
            let page = try String(contentsOf: folder.appending(path: "page.html"), encoding: .utf8)
            #expect(page.contains("The worst mistakes") && page.contains("data:image/png;base64,"))
        }
    }

    @Test func `a network is evaluated elsewhere as it was trained`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            #expect(try CommandTests.run(Self.training, in: folder).code == 0)
            // Other training pictures would give another normalisation; the run's counts.
            let other = folder.appending(path: "other")
            for (from, to) in [("test", "test"), ("test", "train")] {
                try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    at: folder.appending(path: "pictures/\(from)"), to: other.appending(path: to))
            }
            for name in ["0.png", "1.png", "2.png"] {
                try FileManager.default.removeItem(at: other.appending(path: "train/dark/\(name)"))
            }
            let (own, elsewhere) = (
                try CommandTests.run(["evaluate", "out"], in: folder),
                try CommandTests.run(["evaluate", "out", "--data", "other"], in: folder)
            )
            // The first line says of how many examples.
            let results = [own, elsewhere].map { $0.output.split(separator: "\n").dropFirst() }
            #expect(own.code == 0 && results[0] == results[1], "\(elsewhere.output)\(elsewhere.errors)")
            #expect(elsewhere.output.contains("the 16 test examples of folder (29 examples in all)"))
        }
    }

    @Test func `values are predicted without a word of accuracy`() throws {
        try CommandTests.withFolder { folder in
            let file = try #require(
                URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                    .appending(path: "CABSDataTests/Resources/arrays/values.npz") as URL?)
            let run = try CommandTests.run(
                [
                    "train", "--dataset", "npz", "--data", file.path, "--model", "mlp", "--learning-rate", "0.01",
                    "--steps", "20", "--output", "out",
                ], in: folder)
            #expect(run.code == 0 && !run.output.contains("accuracy"), "\(run.output)\(run.errors)")
            #expect(run.output.contains("test loss"))
            let directory = RunDirectory(existing: folder.appending(path: "out"))
            #expect(try directory.summary()?.testAccuracy == nil && directory.summary()?.testLoss != nil)
            #expect(try TrainingOptions(contentsOf: directory.configurationFile).loss == .meanSquaredError)
            let metrics = try String(contentsOf: directory.metricsFile, encoding: .utf8)
            #expect(!metrics.contains("accuracy"))
            let predictions = try CommandTests.run(["predict", "out", file.path, "--json"], in: folder)
            #expect(predictions.output.split(separator: "\n").count == 4, "\(predictions.errors)")
            #expect(predictions.output.contains("\"values\":["))
            #expect(try !CommandTests.run(["evaluate", "out"], in: folder).output.contains("accuracy"))
            let classes = try CommandTests.run(
                [
                    "train", "--dataset", "npz", "--data", file.path, "--model", "mlp", "--loss",
                    "softmax-cross-entropy",
                ],
                in: folder)
            #expect(
                classes.code != 0 && classes.errors.contains("use mean-squared-error or huber"), "\(classes.errors)")
        }
    }

    @Test func `export hands over to its own program, and says how to build it where that is not there`() throws {
        try CommandTests.withFolder { folder in
            let run = try CommandTests.run(
                ["train", "--dataset", "digits", "--steps", "3", "--output", "out"], in: folder)
            #expect(run.code == 0, "\(run.errors)")
            let all = try CommandTests.run(
                ["export", "out", "--onnx", "net.onnx", "--hugging-face", "hub", "--tensorboard", "events"], in: folder)
            #expect(
                all.code == 0 && all.output.contains("net.onnx: mlp, 9610 parameters"), "\(all.output)\(all.errors)")
            for path in ["net.onnx", "hub/model.py", "hub/README.md"] {
                #expect(FileManager.default.fileExists(atPath: folder.appending(path: path).path))
            }
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "events").path).count == 1)
            let none = try CommandTests.run(["export", "out", "--onnx", "again.onnx", "--average"], in: folder)
            #expect(none.code != 0 && none.errors.contains("kept no average"), "\(none.errors)")
            #expect(try CommandTests.run(["export", "out"], in: folder).errors.contains("--onnx"))
            #expect(try CommandTests.run(["export", "--help"], in: folder).output.contains("--hugging-face"))
            let alone = folder.appending(path: "cabs")
            try FileManager.default.copyItem(at: CommandTests.program, to: alone)
            let missing = try CommandTests.run(
                ["export", "out", "--onnx", "x.onnx"], of: alone, in: folder, environment: ["PATH": folder.path])
            #expect(missing.code != 0 && missing.errors.contains("--product cabs-export"), "\(missing.errors)")
        }
    }

    @Test func `pictures that memory has no place for train the same network`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            // 64 pictures of 64 bytes.
            let sums = try ["4.1 KB", "4.09KB"].map { size in
                let output = "out-\(size.prefix(4))"
                let result = try CommandTests.run(
                    Self.training.dropLast() + [output, "--cache-images", size], in: folder)
                #expect(result.code == 0, "\(result.errors)")
                return try Data(
                    contentsOf: RunDirectory(existing: folder.appending(path: output)).finalParametersFile)
            }
            #expect(sums[0] == sums[1])
        }
    }

    @Test func `a picture that changes while a run goes on stops it`() throws {
        try CommandTests.withFolder { folder in
            try SmallSets.writePictures(in: folder.appending(path: "pictures"))
            // The first line of a run says that all pictures were read; the next step may meet the one that is gone.
            let script =
                "\"$0\" \"$@\" | while read -r line; do rm -f pictures/train/dark/*.png; done"
            let result = try CommandTests.run(
                ["-c", script, CommandTests.program.path] + Self.training.filter { !["--epochs", "10"].contains($0) }
                    + ["--cache-images", "1KB", "--seconds", "20"],
                of: URL(filePath: "/bin/sh"), in: folder)
            #expect(result.errors.contains("pictures/train/dark"), "\(result.errors)")
        }
    }

    @Test(arguments: [
        (["--dataset", "folder"], "--data"), (["--dataset", "npz"], "--data"),
        (["--dataset", "digits", "--channels", "3"], "channels means nothing"),
        (["--dataset", "folder", "--data", "x", "--channels", "2"], "1 (grey) or 3"),
        (["--dataset", "folder", "--data", "x", "--test-fraction", "1"], "between 0 and 1"),
        (["--dataset", "folder", "--data", "x", "--cache-images", "4"], "such as 4GB"),
        (["--dataset", "cifar10", "--data", "x", "--normalize", "unit"], "augment paper normalises"),
    ])
    func `options that mean nothing are refused`(options: [String], reason: String) throws {
        let result = try CommandTests.run(["train"] + options)
        #expect(result.code != 0 && result.errors.contains(reason), "\(result.errors)")
    }
}
