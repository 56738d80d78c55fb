@testable import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// What comparisons tell of how runs got to where they ended.
@Suite(.timeLimit(.minutes(10))) struct RunCourseTests {
    private typealias Run = KeptGrid.Run

    @Test func `examples and seconds are counted to a target`() throws {
        let runs = [
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7),
            Run(
                rule: "cabs", rate: 0.1, seed: 1, accuracy: 0.7,
                curve: [(500, 1, 0.3, 10, 0.7), (1000, 3, nil, 10, nil)]),
            Run(rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.6099, curve: [(1000, 4, 0.4, 16, 0.609)]),
        ]
        var options = ComparisonOptions()
        (options.targetAccuracy, options.targetLoss) = (0.7, 0.35)
        func row(_ name: String, _ begin: String, _ end: String) -> [String] {
            ["cabs", name] + Array(repeating: begin, count: 5) + Array(repeating: end, count: 5)
        }
        let table = try #require(try KeptGrid.table("costs", runs, options))
        #expect(table.head.suffix(4).first == "examples to test accuracy 0.7")
        #expect(
            table.rows == [
                ["cabs", "0.1", "2", "750 (500 to 1,000)", "1.5 (1 to 2)", "750 (500 to 1,000)", "1.5 (1 to 2)"],
                ["constant:16", "0.1", "1", "not reached", "not reached", "not reached", "not reached"],
            ])
        (options.targetAccuracy, options.targetLoss) = (0.7, 0.25)
        #expect(try KeptGrid.table("costs", runs, options)?.rows[0][5] == "not reached by 1 of 2")
        // Half of the rules end at an accuracy of 0.65 and at a training loss of 0.25.
        #expect(
            try KeptGrid.table("costs", runs)?.head.suffix(4) == [
                "examples to test accuracy 0.65", "seconds to test accuracy 0.65", "examples to training loss 0.25",
                "seconds to training loss 0.25",
            ])
        #expect(
            [0.07, 0.14, 0.671, 6172.65, 0.00123, 12].map(Targets.roundedUp) == [0.07, 0.14, 0.68, 6200, 0.0013, 12])
    }

    @Test func `what nobody measured is not called missed`() throws {
        var options = ComparisonOptions()
        (options.targetAccuracy, options.targetLoss) = (0.7, 0.3)
        let runs = [
            Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.6, curve: []),
            // An accuracy after the last step that the course does not have.
            Run(
                rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.7,
                curve: [(500, 1, nil, 10, 0.6), (1000, 2, nil, 10, nil)]),
        ]
        #expect(
            try KeptGrid.table("costs", runs, options)?.rows.map { Array($0[3...]) } == [
                ["1,000", "2", "–", "–"], ["–", "–", "–", "–"],
            ])
        let values = [Run(rule: "cabs", rate: 0.1, seed: 0)].map { run in
            var run = run
            run.curve = [(1000, 2, 0.2, 10, nil)]
            return run
        }
        #expect(
            try KeptGrid.table("costs", values, options)?.head == [
                "rule", "learning rate", "runs", "examples to training loss 0.3", "seconds to training loss 0.3",
            ])
    }

    @Test func `a course has means over the examples of its tenths`() throws {
        let course = RunCourse(
            [(300, 0.3, 0.9, 10.0), (1000, 1, 0.2, 40)].map { point($0.0, $0.1, $0.2, $0.3) })
        func isClose(_ value: Double?, _ expected: Double) -> Bool { value.map { abs($0 - expected) < 1e-12 } ?? false }
        #expect(
            isClose(course.meanLoss(after: 0, to: 1000), 0.3 * 0.9 + 0.7 * 0.2)
                && isClose(course.meanLoss(after: 200, to: 400), 0.55))
        // 100 examples by tens and 100 by forties are ten steps and two and a half.
        #expect(isClose(course.meanBatchSize(after: 200, to: 400), 200 / 12.5))
        // A few examples less are an end all the same.
        #expect(isClose(course.meanLoss(after: 900, to: 1010), 0.2) && course.meanLoss(after: 900, to: 1011) == nil)
        #expect(RunCourse([]).meanLoss(after: 0, to: 0) == nil)
        #expect(RunCourse([point(10, 1, nil, 10)]).meanLoss(after: 0, to: 10) == nil)
        func row(_ name: String, _ begin: String, _ end: String) -> [String] {
            ["cabs", name] + Array(repeating: begin, count: 5) + Array(repeating: end, count: 5)
        }
        let table = try #require(
            try KeptGrid.table(
                "course",
                [
                    Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 1),
                    Run(rule: "cabs", rate: 0.1, seed: 1, accuracy: 1),
                ]))
        #expect(table.head.prefix(4) == ["rule", "", "to 100", "to 200"])
        #expect(table.rows == [row("loss", "0.400", "0.200"), row("batch size", "10", "20")])
    }

    private func point(_ examples: Int, _ seconds: Double, _ loss: Double?, _ batchSize: Double) -> RunCurve.Point {
        RunCurve.Point(
            examples: examples, trainingSeconds: seconds, loss: loss, batchSize: batchSize, testLoss: nil,
            testAccuracy: nil, averageTestAccuracy: nil)
    }

    @Test func `runs of unlike length stand beside each other at equal numbers of examples`() throws {
        let short = Run(
            rule: "constant:16", rate: 0.1, seed: 0, accuracy: 0.6,
            curve: [(540, 1, 0.8, 16, nil), (600, 1, 0.5, 16, nil)])
        let long = Run(rule: "cabs", rate: 0.1, seed: 0, accuracy: 0.7)
        func row(_ name: String, _ begin: String, _ end: String) -> [String] {
            ["cabs", name] + Array(repeating: begin, count: 5) + Array(repeating: end, count: 5)
        }
        let table = try #require(try KeptGrid.table("equal-examples", [long, short]))
        #expect(table.head.prefix(5) == ["rule", "learning rate", "examples", "loss at 600", "loss at 1,000"])
        #expect(
            table.rows.map { Array($0.prefix(6)) } == [
                ["constant:16", "0.1", "600", "0.500", "–", "0.600"],
                ["cabs", "0.1", "1,000", "0.200", "0.200", "0.700"],
            ])
        #expect(try KeptGrid.table("equal-examples", [long, Run(rule: "constant:16", rate: 0.1, seed: 0)]) == nil)
    }

    @Test(arguments: [(16, 1 << 60), (1 << 60, 32), (16, 8)])
    func `damaged steps have no course`(size: Int, examples: Int) throws {
        let folder = try TemporaryFolder()
        func line(_ size: Int, _ examples: Int) -> String {
            #"{"batch_size": \#(size), "loss": 1, "examples": \#(examples), "training_seconds": 1}"# + "\n"
        }
        let file = try folder.write(line(16, 16) + line(size, examples), as: "metrics.jsonl")
        #expect(throws: TrainingError.self) { try RunCurve.points(ofSteps: file) }
    }
}
