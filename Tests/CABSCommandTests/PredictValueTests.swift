import CABSTraining
import Foundation
import Testing

/// `cabs predict` says of the test examples what `cabs evaluate` counts: the accuracy, and the mean loss from the probabilities.
@Suite(.timeLimit(.minutes(10))) struct PredictValueTests {
    /// Noise with a little of a class's colour in it, so that a network is right of many and not of all.
    private static func image(of label: Int, number: Int, count: Int, signal: Int = 12) -> [UInt8] {
        var state = UInt64(number * 3 + label) &* 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { index in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(80 + Int(state >> 57) + (index % 3 == label ? signal : 0))
        }
    }

    /// Writes 36 training and 20 test images of three classes as arrays; the labels of the test images.
    private static func writeArrays(height: Int, width: Int, signal: Int = 12, in folder: URL) throws -> [String] {
        func arrays(_ part: String, _ count: Int, from first: Int) -> [(String, [Int], [UInt8])] {
            let labels = (0..<count).map { ($0 * $0 + $0 / 5) % 3 }
            let images = labels.enumerated().flatMap {
                image(of: $1, number: first + $0, count: height * width * 3, signal: signal)
            }
            return [
                ("x_\(part)", [count, height, width, 3], images), ("y_\(part)", [count], labels.map { UInt8($0) }),
            ]
        }
        let (training, test) = (arrays("train", 36, from: 0), arrays("test", 20, from: 100))
        try ArrayArchive.write(training + test, to: folder.appending(path: "own.npz"))
        return test[1].2.map { "\($0)" }
    }

    private struct Line {
        let file: String
        let name: String
        let probabilities: [String: Double]
        let ranked: [Double]
    }

    private static func predictions(_ inputs: [String], in folder: URL) throws -> [Line] {
        let result = try CommandTests.run(["predict", "out"] + inputs + ["--json", "--top", "3"], in: folder)
        #expect(result.code == 0, "\(result.errors)")
        return try result.output.split(separator: "\n").map { text in
            let line = try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
            let top = try #require(line["top"] as? [[String: Any]])
            let pairs = try top.map {
                (try #require($0["class"] as? String), try #require($0["probability"] as? Double))
            }
            #expect(line["class"] as? String == pairs[0].0 && line["probability"] as? Double == pairs[0].1)
            return Line(
                file: try #require(line["file"] as? String), name: pairs[0].0,
                probabilities: Dictionary(uniqueKeysWithValues: pairs), ranked: pairs.map(\.1))
        }
    }

    /// Compares predictions of all test examples with an evaluation, and the text with the JSON.
    private static func expectAgreement(_ inputs: [String], labels: [String], in folder: URL) throws {
        let lines = try predictions(inputs, in: folder)
        try #require(lines.count == labels.count)
        for line in lines {
            #expect(line.ranked == line.ranked.sorted(by: >) && abs(line.ranked.reduce(0, +) - 1) < 1e-5)
        }
        let evaluation = try CommandTests.run(["evaluate", "out"], in: folder)
        func shown(_ name: String) throws -> Double {
            let pattern = try Regex("\(name) ([0-9.]+)", as: (Substring, Substring).self)
            let match = try #require(evaluation.output.firstMatch(of: pattern), "\(evaluation.errors)")
            return try #require(Double(match.output.1))
        }
        let right = zip(lines, labels).filter { $0.name == $1 }.count
        #expect(right > 0 && right < labels.count, "\(right) of \(labels.count) tell little")
        #expect(try abs(shown("test accuracy") - Double(right) / Double(labels.count)) <= 0.5001e-4)
        let losses = try zip(lines, labels).map { -log(try #require($0.probabilities[$1])) }
        #expect(try abs(shown("test loss") - losses.reduce(0, +) / Double(labels.count)) <= 0.6e-4)

        let text = try CommandTests.run(["predict", "out"] + inputs + ["--top", "2"], in: folder)
        let rows = text.output.split(separator: "\n").map { $0.components(separatedBy: "  ") }
        #expect(rows.count == lines.count)
        for (row, line) in zip(rows, lines) {
            let (first, second) = (line.ranked[0], line.ranked[1])
            #expect(row.count == 3 && row[0] == line.file)
            let shown = row.dropFirst().map { $0.split(separator: " ") }
            #expect(shown[0][0] == line.name)
            for (pair, probability) in zip(shown, [first, second]) {
                #expect(abs(Double(pair[1])! - probability) <= 0.5001e-4)
                #expect(line.probabilities[String(pair[0])] == probability)
            }
        }
    }

    @Test(arguments: [["--normalize", "image"], ["--normalize", "unit"], ["--normalize", "channel"]])
    func `colour arrays are predicted as they are evaluated`(options: [String]) throws {
        try CommandTests.withFolder { folder in
            let labels = try Self.writeArrays(height: 5, width: 4, in: folder)
            _ = try FinishedRun(
                ["--dataset", "npz", "--data", "own.npz", "--model", "mlp", "--steps", "12"] + options, in: folder)
            try Self.expectAgreement(["own.npz"], labels: labels, in: folder)
        }
    }

    @Test func `crops of the paper are predicted as they are evaluated`() throws {
        try CommandTests.withFolder { folder in
            let labels = try Self.writeArrays(height: 28, width: 30, signal: 2, in: folder)
            _ = try FinishedRun(
                [
                    "--dataset", "npz", "--data", "own.npz", "--model", "logistic-regression", "--augment", "paper",
                    "--steps", "6", "--learning-rate", "0.002",
                ], in: folder)
            try Self.expectAgreement(["own.npz"], labels: labels, in: folder)
        }
    }

    @Test func `pictures of other sizes are predicted as they are evaluated`() throws {
        try CommandTests.withFolder { folder in
            var (files, labels) = ([String](), [String]())
            for (part, count) in [("train", 12), ("test", 6)] {
                for (label, name) in ["amber", "blue", "cyan"].enumerated() {
                    try FileManager.default.createDirectory(
                        at: folder.appending(path: "own/\(part)/\(name)"), withIntermediateDirectories: true)
                    for index in 0..<count {
                        let (height, width) = (9 + index % 3 * 4, 14 - index % 4)
                        // A picture's channels stand one behind the other.
                        let pixels = Self.image(of: label, number: index + 50 * count, count: height * width * 3)
                        let planes = (0..<3).flatMap { channel in (0..<height * width).map { pixels[3 * $0 + channel] }
                        }
                        let picture = try #require(
                            Picture(shape: .image(height: height, width: width, channels: 3), pixels: planes))
                        let file = "own/\(part)/\(name)/\(index).png"
                        try picture.png.write(to: folder.appending(path: file))
                        guard part == "test" else { continue }
                        files.append(file)
                        labels.append(name)
                    }
                }
            }
            _ = try FinishedRun(
                [
                    "--dataset", "folder", "--data", "own", "--image-size", "7x10", "--model", "mlp", "--steps", "8",
                    "--learning-rate", "0.02",
                ], in: folder)
            try Self.expectAgreement(files, labels: labels, in: folder)
        }
    }
}
