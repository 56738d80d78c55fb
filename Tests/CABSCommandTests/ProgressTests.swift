import CABSTraining
import Foundation
import Testing

@testable import CABSCommand

/// The numbers that a run shows while it goes on and at its end.
@Suite(.timeLimit(.minutes(10))) struct ProgressTests {
    /// The first numbers of the line that a match begins.
    private static func numbers(_ beginning: String, in output: String) throws -> [Double] {
        let line = try #require(
            output.split(separator: "\n").last { $0.hasPrefix(beginning) }, "\(beginning): \(output)")
        return TerminalTable.numbers(String(line).replacing(",", with: ""))
    }

    @Test func `the last lines of a run are its summary`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(
                [
                    "--dataset", "digits", "--steps", "30", "--evaluations", "3", "--average", "swa", "--validation",
                    "100",
                    "--learning-rate", "0.2",
                ], in: folder)
            let output = run.result.output
            func summary(_ key: String) throws -> Double { try #require(run.summary(key) as? Double, "\(key)") }
            let totals = try #require(output.split(separator: "\n").first { $0.contains(" steps, ") })
            let words = totals.split(separator: " ")
            #expect(try Double(words[0]) == summary("steps") && Double(words[2]) == summary("examples"))
            #expect(try words[5].dropLast() == TerminalLine.time(summary("seconds"))[...], "\(totals)")
            #expect(try abs(#require(Double(words[6])) - summary("examples_per_second")) <= 0.501, "\(totals)")
            // Examples drawn in a second of steps.
            #expect(
                try abs(summary("examples") / summary("training_seconds") / summary("examples_per_second") - 1) < 1e-6)
            #expect(
                try Self.numbers("batch size ", in: output) == [
                    summary("first_batch_size"), summary("next_batch_size"),
                ])
            #expect(run.values("batch_size").first == (try summary("first_batch_size")))
            #expect(run.values("next_batch_size").last == (try summary("next_batch_size")))
            let losses = try Self.numbers("training loss ", in: output)
            #expect(
                try abs(losses[0] - summary("first_loss")) <= 5.001e-5
                    && abs(losses[1] - summary("training_loss")) <= 5.001e-5)
            let accuracies = try Self.numbers("test accuracy ", in: output)
            #expect(try abs(accuracies[0] - summary("test_accuracy")) <= 5.001e-5)
            #expect(try abs(accuracies[1] - summary("average_test_accuracy")) <= 5.001e-5)
            try Self.expectEvaluations(run)
        }
    }

    /// A line for each evaluation: epoch, test accuracy and loss, accuracy on what was held back, accuracy of the average.
    private static func expectEvaluations(_ run: FinishedRun) throws {
        let lines = run.result.output.split(separator: "\n").filter {
            $0.hasPrefix("epoch ") && $0.contains("test loss")
        }
        let steps = run.evaluatedSteps.map { run.steps[$0] }
        #expect(lines.count == 3 && steps.count == 3)
        for (line, step) in zip(lines, steps) {
            let shown = TerminalTable.numbers(String(line).replacing(",", with: "").replacing(":", with: ""))
            let keys = ["epoch", "test_accuracy", "test_loss", "validation_accuracy", "average_test_accuracy"]
            let wanted = keys.compactMap { step[$0] }
            #expect(shown.count == wanted.count && abs(shown[0] - wanted[0]) <= 0.00501, "\(line)")
            #expect(zip(shown, wanted).dropFirst().allSatisfy { abs($0 - $1) <= 5.001e-5 }, "\(line), \(wanted)")
        }
    }

    @Test func `the first lines say what is trained on what`() throws {
        try CommandTests.withFolder { folder in
            let run = try FinishedRun(
                [
                    "--dataset", "digits", "--steps", "1", "--validation", "100", "--workers", "1", "--learning-rate",
                    "0.3",
                ],
                in: folder)
            let lines = run.result.output.split(separator: "\n").map { String($0).replacing(",", with: "") }
            // 1,797 digits of 8x8.
            #expect(TerminalTable.numbers(lines[0]).prefix(6) == [1338, 100, 359, 8, 8, 1], "\(lines[0])")
            // 64 inputs, 128 hidden units, 10 outputs; products forward, and twice backward but for the first layer's input.
            let model = TerminalTable.numbers(lines[1])
            #expect(model[0] == Double(64 * 128 + 128 + 128 * 10 + 10), "\(lines[1])")
            #expect(lines[1].contains(" 0.0 MFLOP") && lines[1].hasSuffix(" 1 worker"), "\(lines[1])")
            #expect(lines[2].contains("cabs from 16 to 2048;") && lines[2].contains("rate 0.3 for"), "\(lines[2])")
        }
    }

    @Test(
        arguments: [
            (0, "0:00"), (0.4, "0:00"), (59.5, "1:00"), (61, "1:01"), (600, "10:00"), (3599.6, "1:00:00"),
            (3661, "1:01:01"),
            (90_061, "25:01:01"), (-5, "0:00"), (.nan, "0:00"), (.infinity, "0:00"),
        ] as [(Double, String)])
    func `a duration is written as people write it`(seconds: Double, text: String) {
        #expect(TerminalLine.time(seconds) == text)
    }

    @Test func `what is left follows from the part that is done`() {
        // Of 10 parts 4 were done in 10,000 seconds, so that 15,000 are left; a busy machine may add some.
        let text = TerminalLine.timeLeft(since: .now - .seconds(10_000), done: 4, of: 10)
        #expect(text.hasPrefix("4:1"), "\(text)")
    }

    @Test func `a curve in a line has the means of equal parts, from lowest to highest`() {
        func text(_ values: [Double]) -> String {
            var curve = Sparkline()
            for value in values { curve.add(value) }
            return curve.text
        }
        #expect(text([]) == "" && text([3]) == "" && text([3, .nan]) == "")
        #expect(text([0, 1]) == "▁█" && text([1, 0]) == "█▁" && text([2, 2, 2]) == "▁▁▁")
        #expect(text([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█")
        // Sixteen values, and 1,024 of the same course, in eight columns.
        #expect(text((0..<16).map(Double.init)) == "▁▂▃▄▅▆▇█")
        #expect(text((0..<1024).map { Double($0 / 128) }) == "▁▂▃▄▅▆▇█")
        #expect(Sparkline.bars([0, 1, 4, 8, 6]) == " ▂▅█▇")
        #expect(Sparkline.bars([0, 0]) == "  ")
    }
}
