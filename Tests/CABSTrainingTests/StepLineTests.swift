import Foundation
import Testing

@testable import CABSTraining

/// The lines of a run's steps, read piece by piece.
@Suite(.timeLimit(.minutes(10))) struct StepLineTests {
    /// Reads a line by Foundation, which knows nothing of what is here.
    private struct Decoded: Decodable, Equatable {
        var numbers: [String: Double] = [:]
        var shadow: [String: Int]?

        init(numbers: [String: Double], shadow: [String: Int]?) { (self.numbers, self.shadow) = (numbers, shadow) }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: AnyKey.self)
            for key in StepKey.allCases {
                let name = AnyKey(key.name)
                numbers[key.name] =
                    key.isInteger
                    ? try container.decodeIfPresent(Int.self, forKey: name).map(Double.init)
                    : try container.decodeIfPresent(Double.self, forKey: name)
            }
            shadow = try container.decodeIfPresent([String: Int].self, forKey: AnyKey("shadow"))
        }
    }

    private static func line(_ text: String) -> StepLine? {
        let bytes = Array(text.utf8) + [0]
        return bytes.withUnsafeBytes { StepLine(UnsafeRawBufferPointer(rebasing: $0.dropLast()), readsAll: true) }
    }

    /// That a line is read, or refused, as Foundation does.
    private static func expectAgreement(_ text: String, location: SourceLocation = #_sourceLocation) {
        let expected = try? JSONDecoder().decode(Decoded.self, from: Data(text.utf8))
        let found = line(text).map { found in
            Decoded(
                numbers: Dictionary(
                    uniqueKeysWithValues: StepKey.allCases.compactMap { key in found[key].map { (key.name, $0) } }),
                shadow: found.shadow)
        }
        #expect(found == expected, "\(text)", sourceLocation: location)
    }

    /// Numbers of all lengths and sizes, by a generator of its own.
    private static func numbers(_ count: Int) -> [Double] {
        var state: UInt64 = 1
        return (0..<count).map { index in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            switch index % 4 {
            case 0: return Double(state >> 11) * 0x1p-53
            case 1: return Double(state >> 40)
            case 2: return Double(state >> 52) / 1000
            default: return Double(bitPattern: state >> 2)
            }
        }
    }

    @Test func `numbers are the nearest that there are`() {
        for number in Self.numbers(4000) {
            Self.expectAgreement("{\"loss\": \(number), \"second_moment\": -\(number)}")
            // With more digits than a number needs.
            Self.expectAgreement("{\"loss\": \(String(format: "%.25e", number))}")
        }
        for text in [
            "0", "-0", "0.0", "1e3", "1E-3", "2.5e+2", "9007199254740993", "9007199254740992.5",
            "123456789012345678901234567890",
            "0.1e23", "1e22", "1e23", "4.9e-324", "1.7976931348623157e308",
            "0.000000000000000000000000000000000012345",
        ] {
            Self.expectAgreement("{\"loss\": \(text)}")
            #expect(Self.line("{\"loss\": \(text)}")?[.loss] == Double(text))
        }
    }

    @Test(arguments: [
        #"{"step": 3, "batch_size": 16, "loss": 2.5, "examples": 64, "shadow": {"noise-scale": 32, "norm-test:0.5": 8}}"#,
        #"{}"#, #"{ }"#, " { \"step\" :\t3 } \r", #"{"step": null, "loss": null, "shadow": null}"#, #"{"shadow": {}}"#,
        #"{"other": [1, {"loss": 3}, "x\"}", true, null, -1.5e-3], "loss": 2}"#,
        #"{"loss": 1e999}"#, #"{"step": 1.0}"#, #"{"step": 1.5}"#, #"{"step": 1e2}"#,
        #"{"step": 123456789012345678901}"#,
        #"{"step": "3"}"#, #"{"loss": "3"}"#, #"{"loss": true}"#, #"{"shadow": [1]}"#, #"{"shadow": {"a": null}}"#,
        #"{"loss": 01}"#, #"{"loss": .5}"#, #"{"loss": 5.}"#, #"{"loss": 1e}"#, #"{"loss": +1}"#, #"{"loss": 0x10}"#,
        #"{"loss": nan}"#, #"{"loss": inf}"#, #"{"loss": -}"#, #"{"loss": 1 2}"#, #"{"loss": 1"#, #"{"loss": "#,
        #"{"loss""#, #"{"loss": 1}}"#, #"{"loss": 1} x"#, #"[1]"#, #"3"#, "", "not a line", #"{"loss" 1}"#,
        #"{"loss": 1 "step": 2}"#, #"{"other": tru}"#, #"{"other": [1}"#, #"{"other": "x}"#, #"{"other": "\"}"#,
    ])
    func `a line is read or refused as a decoder does`(text: String) { Self.expectAgreement(text) }

    private static func read(_ lines: LinePieces, backwards: Bool = false) throws -> (lines: [String], held: Int) {
        var found: [String] = []
        func take(_ line: UnsafeRawBufferPointer) -> Bool {
            found.append(String(decoding: line, as: UTF8.self))
            return true
        }
        let held = backwards ? try lines.forEachBackwards(take) : try lines.forEach(take)
        return (backwards ? found.reversed() : found, held)
    }

    @Test(arguments: [1, 2, 7, 64, 1000, 1 << 18], [true, false])
    func `lines are whole wherever pieces end, and no more than a piece is held`(size: Int, endsInNewline: Bool) throws
    {
        let folder = try TemporaryFolder()
        let wanted = (0..<500).map { String(repeating: "\($0 % 10)", count: 1 + $0 % 60) }
        let text = "\n" + wanted.joined(separator: "\n\n") + (endsInNewline ? "\n" : "")
        let lines = LinePieces(file: try folder.write(text, as: "lines"), pieceSize: size)
        for backwards in [false, true] {
            let found = try Self.read(lines, backwards: backwards)
            #expect(found.lines == wanted)
            // Twice the longest line at most where a piece is shorter than that.
            #expect(found.held == size || found.held <= 2 * 60)
        }
        let empty = LinePieces(file: try folder.write("", as: "empty"), pieceSize: size)
        #expect(try Self.read(empty).lines.isEmpty && Self.read(empty, backwards: true).lines.isEmpty)
    }

    @Test func `reading ends where it is told to`() throws {
        let folder = try TemporaryFolder()
        let lines = LinePieces(file: try folder.write("1\n2\n3\n4", as: "lines"), pieceSize: 2)
        for (backwards, expected) in [(false, ["1", "2"]), (true, ["4", "3"])] {
            var found: [String] = []
            func take(_ line: UnsafeRawBufferPointer) -> Bool {
                found.append(String(decoding: line, as: UTF8.self))
                return found.count < 2
            }
            _ = backwards ? try lines.forEachBackwards(take) : try lines.forEach(take)
            #expect(found == expected)
        }
        #expect(throws: TrainingError.self) {
            try LinePieces(file: folder.url.appending(path: "missing")).forEach { _ in true }
        }
    }

    // MARK: What is made of them

    /// Steps of changing sizes, evaluations now and then, and a loss that is missing where it was no number.
    private static func steps(_ count: Int) -> [(size: Int, loss: Double?, seconds: Double, accuracy: Double?)] {
        let numbers = numbers(4 * count)
        return (0..<count).map { index in
            (
                1 + Int(numbers[4 * index + 1]) % 100, index == count / 3 ? nil : numbers[4 * index],
                Double(index + 1) / 128, index % 8 == 7 ? numbers[4 * index + 4 - 2] : nil
            )
        }
    }

    private static func text(_ steps: [(size: Int, loss: Double?, seconds: Double, accuracy: Double?)]) -> String {
        var examples = 0
        return steps.enumerated().map { index, step in
            examples += step.size
            return "{\"step\": \(index), \"batch_size\": \(step.size)" + (step.loss.map { ", \"loss\": \($0)" } ?? "")
                + ", \"variance\": 3.25, \"examples\": \(examples), \"training_seconds\": \(step.seconds)"
                + (step.accuracy.map { ", \"test_loss\": 0.5, \"test_accuracy\": \($0)" } ?? "") + "}\n"
        }.joined()
    }

    @Test func `early and late losses and curves are the sums over the steps`() throws {
        let folder = try TemporaryFolder()
        let steps = Self.steps(3000)
        let file = try folder.write(Self.text(steps), as: "metrics.jsonl")
        let ends = steps.reduce(into: [0]) { $0.append($0.last! + $1.size) }.dropFirst()
        func mean(_ range: Range<Int>) -> Double {
            range.reduce(0) { $0 + steps[$1].loss! * Double(steps[$1].size) }
                / Double(range.reduce(0) { $0 + steps[$1].size })
        }
        let late = try #require(try LateLoss.mean(in: file, of: .steps(3000), examplesPerEpoch: 1000))
        #expect(abs(late - mean(2700..<3000)) < 1e-12)
        let early = try #require(EarlyLoss.mean(in: file, exampleCount: 4000))
        let first = ends.firstIndex { $0 >= 4000 }!
        #expect(abs(early - mean(0..<first)) < 1e-12)
        let points = try RunCurve.points(ofSteps: file)
        #expect(points.count == 150 && points.last?.examples == ends.last)
        var begin = 0
        for point in points {
            let end = ends.firstIndex(of: point.examples)!
            #expect(point.loss.map { abs($0 - mean(begin..<end)) < 1e-12 } ?? (begin..<end).contains(1000))
            #expect(point.trainingSeconds == steps[end - 1].seconds)
            #expect(point.testAccuracy == (begin..<end).compactMap { steps[$0].accuracy }.last)
            begin = end
        }
    }

    @Test func `a damaged line is an error, and no early loss`() throws {
        let folder = try TemporaryFolder()
        let text = Self.text(Self.steps(300))
        let cut = try folder.write(String(text.dropLast(30)), as: "cut.jsonl")
        #expect(throws: TrainingError.self) { try RunCurve.points(ofSteps: cut) }
        #expect(throws: TrainingError.self) { try LateLoss.mean(in: cut, of: .steps(300), examplesPerEpoch: 10) }
        let broken = try folder.write("{\"step\": 0}\n" + text, as: "broken.jsonl")
        #expect(throws: TrainingError.self) { try RunCurve.points(ofSteps: broken) }
        #expect(EarlyLoss.mean(in: broken, exampleCount: 10) == nil)
        #expect(try LateLoss.mean(in: broken, of: .steps(300), examplesPerEpoch: 10) != nil)
        // Fewer examples than asked for.
        #expect(EarlyLoss.mean(in: cut, exampleCount: 1 << 30) == nil)
    }
}
