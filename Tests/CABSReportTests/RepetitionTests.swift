import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// What a report takes for repetitions of one run, and which learning rate it takes for the best.
@Suite(.timeLimit(.minutes(10))) struct RepetitionTests {
    private static func rules(_ folder: TemporaryFolder, _ names: [String]) throws -> [RuleRuns] {
        let collection = try RunCollection(names.map { folder.url.appending(path: $0).path })
        return RunGroup.groups(of: collection.runs).flatMap(\.rules)
    }

    @Test(arguments: [
        ("loss: mean-squared-error", "loss: softmax-cross-entropy", "loss mean-squared-error"),
        ("weight-decay: 0.01", "", "weight-decay 0.01"), ("epochs: 2", "epochs: 3", "epochs 2"),
        ("augment: false", "augment: true", "augment false"),
        ("minimum-batch-size: 64", "minimum-batch-size: 16", "minimum-batch-size 64"),
        ("order: sequential", "order: shuffled", "order sequential"), ("validation: 5", "", "validation 5"),
        (
            "model: {layers: [flatten, {dense: {units: 10}}]}",
            "model: {layers: [flatten, {dense: {units: 20}}, {dense: {units: 10}}]}",
            "model no. 1"
        ),
    ])
    func `runs that differ in more than the seed are rows of their own`(one: String, other: String, name: String) throws
    {
        let folder = try TemporaryFolder()
        _ = try folder.writeRun("a", learningRate: 0.1, seed: 0, accuracy: 0.2, options: one)
        _ = try folder.writeRun("b", learningRate: 0.1, seed: 1, accuracy: 0.4, options: other)
        _ = try folder.writeRun("c", learningRate: 0.1, seed: 1, accuracy: 0.3, options: one)
        let rules = try Self.rules(folder, ["a", "b", "c"])
        #expect(rules.count == 2)
        #expect(rules[0].rule == "cabs (\(name))" && rules[0].runs.count == 2, "\(rules.map(\.rule))")
        #expect(rules[0].best?.statistics(\.testAccuracy)?.mean == 0.25)
        #expect(rules[1].rule != rules[0].rule && rules[1].best?.statistics(\.testAccuracy)?.mean == 0.4)
    }

    @Test func `seeds, measurements and places alone make repetitions`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.writeRun(
            "a", learningRate: 0.1, seed: 0, options: "evaluations: 3\nworkers: 1\ndata: here\nkeep-checkpoints: 1")
        _ = try folder.writeRun("b", learningRate: 0.1, seed: 1, options: "evaluate-every: 3\nworkers: 2\nshadow: all")
        let rules = try Self.rules(folder, ["a", "b"])
        #expect(rules.map(\.rule) == ["cabs"] && rules[0].runs.count == 2)
    }

    @Test func `runs of other data are no repetitions, and are not compared`() throws {
        let folder = try TemporaryFolder()
        func write(_ name: String, seed: Int, checksum: Int?, options: String = "") throws {
            _ = try folder.writeRun(name, learningRate: 0.1, seed: seed, options: options)
            guard let checksum else { return }
            _ = try folder.write(
                """
                {"data": {"checksums": [\(checksum), 2], "example_count": 9, "input_shape": "4", "test_example_count": 3}}
                """, as: "\(name)/origin.json")
        }
        try write("a", seed: 0, checksum: 1)
        try write("b", seed: 1, checksum: 1)
        try write("c", seed: 2, checksum: 5)
        try write("d", seed: 0, checksum: 6, options: "validation: 3")
        func groups(_ names: [String]) throws -> [RunGroup] {
            RunGroup.groups(of: try RunCollection(names.map { folder.url.appending(path: $0).path }).runs)
        }
        let all = try groups(["a", "b", "c"])
        #expect(all.map(\.dataset) == ["digits (data no. 1)", "digits (data no. 2)"])
        #expect(all.map(\.runs.count) == [2, 1])
        // Parts that options ask for are other ones, too, and as they say.
        #expect(try groups(["a", "b", "d"]).map(\.dataset) == ["digits"])
    }

    @Test func `a rate at which runs diverged is not the best of those that survived`() throws {
        let folder = try TemporaryFolder()
        let runs = [
            try folder.writeRun("a", learningRate: 0.1, seed: 0, accuracy: 0.7),
            try folder.writeRun("b", learningRate: 0.1, seed: 1, accuracy: 0.7),
            try folder.writeRun("c", learningRate: 1, seed: 0, accuracy: 0.9),
            try folder.writeRun("d", learningRate: 1, seed: 1, status: "diverged", accuracy: 0.1),
        ]
        #expect(RuleRuns(rule: "cabs", runs: runs).best?.learningRate == 0.1)
        // Where they diverged at all rates, that with the fewest.
        let others = try (2...3).map { try folder.writeRun("e\($0)", learningRate: 0.1, seed: $0, status: "diverged") }
        let third = try folder.writeRun("f", learningRate: 0.1, seed: 4, status: "diverged")
        #expect(RuleRuns(rule: "cabs", runs: runs + others + [third]).best?.learningRate == 1)
    }

    @Test func `seeds that only some rates have do not choose among rates`() throws {
        let folder = try TemporaryFolder()
        let runs = [
            try folder.writeRun("a", learningRate: 0.1, seed: 0, accuracy: 0.7),
            try folder.writeRun("b", learningRate: 0.1, seed: 1, accuracy: 0.9),
            try folder.writeRun("c", learningRate: 0.2, seed: 0, accuracy: 0.75),
        ]
        #expect(RuleRuns(rule: "cabs", runs: runs).best?.learningRate == 0.2)
        // Where none is shared, all count.
        let other = try folder.writeRun("d", learningRate: 0.2, seed: 2, accuracy: 0.75)
        #expect(RuleRuns(rule: "cabs", runs: [runs[0], runs[1], other]).best?.learningRate == 0.1)
    }

    @Test func `a run that went back is none of the rate that it was given`() throws {
        let folder = try TemporaryFolder()
        let rewound = try folder.writeRun(
            "a", learningRate: 12, accuracy: 0.9, summary: #", "rewinds": 2, "final_learning_rate": 3"#)
        let plain = try folder.writeRun(
            "b", learningRate: 3, accuracy: 0.6, summary: #", "rewinds": 0, "final_learning_rate": 3"#)
        #expect(rewound.statusText == "finished at 3, after going back 2 times" && plain.statusText == "finished")
        let rule = RuleRuns(rule: "cabs", runs: [rewound, plain])
        #expect(rule.best?.learningRate == 3 && rule.rates.map(\.finished.count) == [1, 0])
    }

    @Test func `validation chooses where every finished run has it`() throws {
        let folder = try TemporaryFolder()
        let validation = { (value: Double) in ", \"validation_accuracy\": \(value)" }
        let runs = [
            try folder.writeRun("a", learningRate: 0.1, accuracy: 0.9, summary: validation(0.5)),
            try folder.writeRun("b", learningRate: 0.2, accuracy: 0.8, summary: validation(0.6)),
        ]
        let rule = RuleRuns(rule: "cabs", runs: runs)
        #expect(rule.choosesByValidation && rule.best?.learningRate == 0.2)
        let without = try folder.writeRun("c", learningRate: 0.3, accuracy: 0.7)
        let mixed = RuleRuns(rule: "cabs", runs: runs + [without])
        #expect(!mixed.choosesByValidation && mixed.best?.learningRate == 0.1)
    }

    @Test(arguments: [
        (
            #"{"step": 7, "loss": 15.4, "learning_rate": 8, "batch_size": 16, "examples": []}"#,
            "its loss was 15.4 at step 7, above the bound of 4"
        ),
        (
            #"{"step": 7, "learning_rate": 8, "batch_size": 16, "examples": []}"#,
            "its loss was not a finite number at step 7. In another run, use a smaller learning rate."
        ),
        (
            #"{"step": 7, "loss": 1, "parameter": "conv1.bias", "learning_rate": 8, "batch_size": 16, "examples": []}"#,
            "the gradient of conv1.bias was not finite or too large at step 7"
        ),
        (
            #"{"step": 0, "loss": 15.4, "learning_rate": 8, "batch_size": 2, "examples": [3, 4]}"#,
            "In another run, bring inputs and targets to a smaller range, or raise loss-bound: nothing had been updated yet."
        ),
        (
            #"{"step": 0, "learning_rate": 8, "batch_size": 2, "examples": [3, 4]}"#,
            "In another run, bring inputs and targets to a smaller range: nothing had been updated yet."
        ),
        // An evaluation found it after the first update.
        (
            #"{"step": 0, "learning_rate": 8, "batch_size": 2, "examples": []}"#,
            "In another run, use a smaller learning rate."
        ),
    ])
    func `what went wrong is said as it was`(file: String, mentions: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.writeRun("a", learningRate: 8, status: "diverged", options: "loss-bound: 4")
        _ = try folder.write(file, as: "a/divergence.json")
        let run = try ReportedRun(RunDirectory(existing: folder.url.appending(path: "a")))
        #expect(run.divergenceText.contains(mentions), "\(run.divergenceText)")
    }
}
