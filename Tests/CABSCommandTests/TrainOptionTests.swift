import Foundation
import Testing

@testable import CABSTraining

/// What each option of `cabs train` does: a run with it beside the same run without.
@Suite(.timeLimit(.minutes(10))) struct TrainOptionTests {
    struct Effect: Sendable, CustomStringConvertible {
        /// What is given.
        let given: [String]
        /// What both runs have, beside the digits, one worker, twelve steps and batches of eight unless it says otherwise.
        var beside: [String] = []
        /// Whether the option did what it is there for, seen from both runs.
        let isSeen: @Sendable (_ without: FinishedRun, _ with: FinishedRun) throws -> Bool

        init(
            _ given: String, beside: String = "",
            _ isSeen: @escaping @Sendable (_ without: FinishedRun, _ with: FinishedRun) throws -> Bool
        ) {
            self.given = given.split(separator: " ").map(String.init)
            self.beside = beside.split(separator: " ").map(String.init)
            self.isSeen = isSeen
        }

        var description: String { given.joined(separator: " ") }

        /// The options of one of the runs: given twice, the last would count.
        func options(with: Bool) -> [String] {
            var options = beside + (with ? given : [])
            func add(_ option: String, _ value: String, unless others: Set<String> = []) {
                if others.union([option]).isDisjoint(with: options) { options += [option, value] }
            }
            add("--dataset", "digits")
            add("--workers", "1")
            add("--steps", "12", unless: ["--examples", "--epochs", "--seconds"])
            if !beside.contains("cabs") { add("--batch-size", "constant:8") }
            return options
        }
    }

    /// With the examples of each batch in the report of a run that ends at its first.
    private static let diverging = "--loss-bound 0.001"
    private static let cabs = "--batch-size cabs"

    static let ofData = [
        Effect("--dataset mnist", beside: "--model zero.yaml") { _, with in
            with.summary("dataset") as? String == "mnist" && with.summary("epochs") as? Double == 12 * 8 / 20
        },
        Effect("--data other", beside: "--dataset mnist --model zero.yaml --steps 5") { without, with in
            without.summary("epochs") as? Double == 2 && with.summary("epochs") as? Double == 4
        },
        Effect(
            "--no-augment",
            beside: "--dataset cifar10 --model drawn.yaml --batch-size constant:10 --learning-rate 1e-30"
        ) {
            // All ten examples in each step: only their random changes can change its loss.
            Set($0.values("loss")).count == 12 && spread($1.values("loss")) < 1e-6
        },
        Effect(
            "--augment crop:3,flip",
            beside: "--model drawn.yaml --learning-rate 1e-30 --batch-size constant:1438"
        ) {
            // All images in each step: only their random changes can change its loss.
            spread($0.values("loss")) < 1e-6 && Set($1.values("loss")).count == 12
        },
        Effect("--image-size 4x6") { without, with in
            try without.parameter("dense1.weight").count == 128 * 64
                && with.parameter("dense1.weight").count == 128 * 24
        },
        Effect("--normalize image") { without, with in
            try without.directory.input()?.normalization == .unit()
                && with.directory.input()?.normalization == .image
        },
        Effect("--channels 3", beside: "--dataset folder --data pictures --model mlp") { without, with in
            try without.parameter("dense1.weight").count == 128 * 64
                && with.parameter("dense1.weight").count == 128 * 192
        },
        Effect("--test-fraction 0.5", beside: "--dataset folder --data undivided --model mlp --steps 5") {
            without, with in
            let epochs = [without, with].compactMap { $0.summary("epochs") as? Double }
            return epochs.count == 2 && (1...40.0 / 24).contains(epochs[0]) && epochs[1] > epochs[0]
        },
        Effect("--validation 438") { without, with in
            without.summary("validation_accuracy") == nil && with.summary("validation_accuracy") != nil
                && abs(with.values("epoch")[0] - 8 / 1000) < 1e-12
        },
        Effect("--order sequential", beside: diverging) { without, with in
            without.divergedExamples != Array(0..<8) && with.divergedExamples == Array(0..<8)
        },
        Effect("--first-example 5", beside: "--order sequential \(diverging)") { $1.divergedExamples == Array(5..<13) },
    ]

    static let ofModel = [
        Effect("--model logistic-regression") { without, with in
            without.summary("model") as? String == "mlp" && with.summary("model") as? String == "logistic-regression"
        },
        Effect("--loss mean-squared-error", beside: "--model zero.yaml") { without, with in
            agree(without.values("loss")[0], log(10)) && agree(with.values("loss")[0], 0.1)
        },
        Effect("--loss sigmoid-cross-entropy", beside: "--model zero.yaml") { agree($1.values("loss")[0], log(2)) },
        Effect("--initial-parameters parameters.safetensors", beside: "--model drawn.yaml --learning-rate 1e-30") {
            try $1.parameter("dense1.weight").allSatisfy { $0 == 0.5 }
                && $0.parameter("dense1.weight").contains { $0 != 0.5 }
        },
        Effect("--seed 5", beside: "--model drawn.yaml \(diverging)") { without, with in
            try without.divergedExamples != with.divergedExamples
                && without.firstParameter("dense1.weight") != with.firstParameter("dense1.weight")
        },
    ]

    static let ofLearningRate = [
        Effect("--learning-rate 0.05", beside: "--model zero.yaml --steps 1") { without, with in
            // From zero one step goes along the gradient, at half the default in one and the other half in the other.
            try zip(without.parameter("dense1.weight"), with.parameter("dense1.weight")).allSatisfy {
                agree($0, 2 * $1)
            }
        },
        Effect("--optimizer momentum:0.5", beside: "--model zero.yaml --steps 1 --learning-rate 0.1") { without, with in
            // The first step is the same.
            try without.parameter("dense1.weight") == with.parameter("dense1.weight")
                && with.options.optimizer == "momentum:0.5"
        },
        Effect("--optimizer adamw", beside: "--model drawn.yaml --steps 1 --learning-rate 0.1") { _, with in
            // Adam's first step goes by the learning rate, whatever the gradient, where there is one.
            let (first, last) = (try with.firstParameter("dense1.bias"), try with.parameter("dense1.bias"))
            return zip(first, last).allSatisfy { abs(abs($0 - $1) - 0.1) < 1e-4 }
        },
        Effect("--learning-rate-schedule cosine") { without, with in
            without.values("learning_rate").allSatisfy { $0 == 0.1 }
                && zip(with.values("learning_rate"), 0..<12).allSatisfy {
                    agree($0, 0.05 * (1 + cos(.pi * Double($1) / 12)))
                }
        },
        Effect("--learning-rate-schedule step:0.5:0.02", beside: "--steps 12") { _, with in
            // 0.02 epochs are 28.76 examples: halved for the steps that begin after 32, 64 and 88 of them.
            zip(with.values("learning_rate"), [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3]).allSatisfy {
                agree($0, 0.1 * pow(0.5, $1))
            }
        },
        Effect("--warm-up 4", beside: "--learning-rate-schedule step:0.5:0.02") { without, with in
            // Each rate is that of the schedule times what rises to one over four steps.
            let factors = [0.01, 0.2575, 0.505, 0.7525] + [Double](repeating: 1, count: 8)
            return zip(zip(without.values("learning_rate"), with.values("learning_rate")), factors)
                .allSatisfy { agree($0.0 * $1, $0.1) }
        },
        // No softmax comes below the entropy of targets of 0.55 and nine times 0.05.
        Effect("--label-smoothing 0.5", beside: "--steps 200 --learning-rate 0.3") { without, with in
            without.values("loss").min()! < 0.8 && with.values("loss").min()! > 1.676
        },
        Effect("--average ema:40") { without, with in
            without.summary("average_test_loss") == nil
                && with.summary("average_test_loss") as? Double != with.summary("test_loss") as? Double
        },
        Effect("--gradient-bound 0.01", beside: "--model zero.yaml --steps 1 --learning-rate 1") { without, with in
            // One step from zero: as long as the gradient, or as its bound.
            func length(_ run: FinishedRun) throws -> Double {
                try ["dense1.weight", "dense1.bias"].reduce(0) { sum, name in
                    try sum + run.parameter(name).reduce(0) { $0 + $1 * $1 }
                }.squareRoot()
            }
            let norm = without.values("gradient_squared_norm")[0]
            return try agree(length(without), norm.squareRoot()) && agree(length(with), 0.01)
                && agree(with.values("gradient_squared_norm")[0], norm)
        },
        Effect("--weight-decay 0.5", beside: "--model drawn.yaml --steps 1") { without, with in
            let first = try without.firstParameter("dense1.weight")
            return try zip(first, zip(without.parameter("dense1.weight"), with.parameter("dense1.weight"))).allSatisfy {
                abs(($1.0 - $1.1) - 0.1 * 0.5 * $0) < 1e-7
            }
        },
    ]

    static let ofBatchSize = [
        Effect("--batch-size constant:12") { $1.values("batch_size").allSatisfy { $0 == 12 } },
        Effect("--batch-size geometric:1.5") { _, with in
            Array(with.values("batch_size").prefix(4)) == [16, 25, 39, 60]
        },
        Effect("--shadow norm-test,geometric:2") { without, with in
            without.shadows.isEmpty && with.shadows == ["norm-test:0.9", "geometric:2"]
        },
        Effect("--minimum-batch-size 40", beside: cabs) { without, with in
            without.values("batch_size")[0] == 16 && with.values("batch_size").allSatisfy { $0 == 40 }
        },
        Effect("--maximum-batch-size 20", beside: "\(cabs) --factor 1000") { without, with in
            without.values("batch_size").max()! > 20 && with.values("batch_size").max() == 20
        },
        Effect("--initial-batch-size 50", beside: cabs) { without, with in
            without.values("batch_size")[0] == 16 && with.values("batch_size")[0] == 50
        },
        Effect("--smoothing 0.5", beside: cabs) { without, with in
            func holds(_ run: FinishedRun, _ weight: Double) -> Bool {
                agree(run.values("loss_average")[0], weight + (1 - weight) * run.values("loss")[0])
                    && agree(run.values("variance_average")[0], (1 - weight) * run.values("variance")[0])
            }
            return holds(without, 0.95) && holds(with, 0.5)
        },
        Effect("--factor 3", beside: cabs) {
            agree($1.values("batch_size_raw")[0], 3 * $0.values("batch_size_raw")[0])
        },
        Effect("--epsilon 0.25", beside: cabs) { without, with in
            let loss = without.values("loss_average")[0]
            return agree(
                with.values("batch_size_raw")[0], without.values("batch_size_raw")[0] * loss / (loss + 0.25))
        },
        Effect("--loss-floor 0.25", beside: "\(cabs) --smoothing 0.5") { without, with in
            // The average of the loss begins at one above the floor.
            let loss = without.values("loss_average")[0]
            return agree(
                with.values("batch_size_raw")[0], without.values("batch_size_raw")[0] * loss / (loss - 0.125))
        },
        Effect("--significant 1000", beside: "\(cabs) --steps 100 --learning-rate 4") { without, with in
            // The band is on record, and wide enough for the first size to stay.
            let (raw, errors) = (with.values("batch_size_raw"), with.values("batch_size_raw_standard_error"))
            return raw.count == 100 && zip(raw, errors).allSatisfy { $1 > 0 && abs($0 - 16) < 1000 * $1 }
                && Set(with.values("next_batch_size")) == [16] && Set(without.values("next_batch_size")).count > 1
                && with.values("second_moment_standard_error").count == 100
        },
        Effect("--scale-rate linear", beside: "--batch-size geometric:2") { without, with in
            let (rates, sizes) = (with.values("learning_rate"), with.values("batch_size"))
            return without.values("learning_rate").allSatisfy { agree($0, 0.1) }
                && zip(rates, sizes).prefix(5).allSatisfy { agree($0, 0.1 * $1 / 16) }
        },
        Effect("--scale-rate sqrt", beside: cabs) { without, with in
            // CABS reads the rate before it is scaled.
            let (rates, sizes) = (with.values("learning_rate"), with.values("batch_size"))
            return agree(without.values("batch_size_raw")[0], with.values("batch_size_raw")[0])
                && zip(rates, sizes).allSatisfy { agree($0, 0.1 * ($1 / 16).squareRoot()) }
        },
        Effect("--fixed-cost 400", beside: "--batch-size cabs-per-second --factor 30") { without, with in
            // Without it nothing is measured in so few steps, and the rule is CABS.
            let coupled = with.values("batch_size_coupled")[0]
            return without.values("batch_size_raw")[0] == coupled && with.values("fixed_cost")[0] == 400
                && agree(with.values("batch_size_raw")[0], coupled / 2 * (1 + (1 + 800 / coupled).squareRoot()))
        },
        Effect("--estimator none") { !$0.values("variance").isEmpty && $1.values("variance").isEmpty },
        Effect("--estimator reference", beside: "--model convolution.yaml") { without, with in
            agree(without.values("gradient_squared_norm")[0], with.values("gradient_squared_norm")[0])
                && !agree(without.values("second_moment")[0], with.values("second_moment")[0], relative: 1e-4)
        },
        Effect("--compare-estimators 5") { without, with in
            try !FileManager.default.fileExists(atPath: without.directory.estimatorsFile.path)
                && with.comparedSteps == [5, 10]
        },
    ]

    static let ofRun = [
        Effect("--config batch9.yaml") { _, with in with.values("batch_size").allSatisfy { $0 == 8 } },
        Effect("--config floor.yaml", beside: cabs) { without, with in
            try without.options.lossFloor == 0 && with.options.lossFloor == 0.125
        },
        Effect("--steps 5", beside: "") { $0.steps.count == 12 && $1.steps.count == 5 },
        Effect("--examples 21") { $1.values("examples").last == 21 },
        Effect("--epochs 0.02") { $1.values("examples").last == 29 },
        Effect("--seconds 0.2") { _, with in
            let seconds = with.values("training_seconds")
            return seconds.last! >= 0.2 && (seconds.count == 1 || seconds[seconds.count - 2] < 0.2)
        },
        Effect("--evaluate-every 5") { $0.evaluatedSteps == [] && $1.evaluatedSteps == [4, 9] },
        Effect("--evaluations 3") { $1.evaluatedSteps == [3, 7, 11] },
        Effect("--checkpoint-every 5") { without, with in
            try without.checkpoints == ["step-000000000.safetensors", "step-000000012.safetensors"]
                && with.checkpoints == [5, 10, 12].map { "step-0000000\($0 < 10 ? "0" : "")\($0).safetensors" }
        },
        Effect("--keep-checkpoints 1", beside: "--checkpoint-every 4") {
            try $0.checkpoints.count == 3 && $1.checkpoints.count == 1
        },
        Effect("--loss-bound 0.01") { without, with in
            without.result.code == 0 && with.result.code == 1 && with.summary("status") as? String == "diverged"
        },
        Effect("--on-divergence rewind", beside: diverging) { without, with in
            without.summary("rewinds") as? Int == 0 && with.summary("rewinds") as? Int == 3
        },
        Effect("--rewinds 1", beside: "--on-divergence rewind \(diverging)") { $1.summary("rewinds") as? Int == 1 },
        Effect("--workers 2", beside: "") { without, with in
            without.result.output.contains("1 worker\n") && with.result.output.contains("2 workers\n")
        },
        Effect("--quiet") { $0.result.output.contains("test accuracy") && $1.result.output.isEmpty },
        Effect("--trace trace.jsonl") { _, with in
            let trace = with.directory.url.deletingLastPathComponent().appending(path: "trace.jsonl")
            return try Data(contentsOf: trace) == Data(contentsOf: with.directory.metricsFile)
        },
    ]

    /// Options whose runs without them are one and the same.
    static let comparisons = Dictionary(
        grouping: [ofData, ofModel, ofLearningRate, ofBatchSize, ofRun].flatMap(\.self)
    ) { $0.options(with: false) }.values.sorted { $0[0].description < $1[0].description }

    @Test(arguments: comparisons) func `options have their effects`(of options: [Effect]) throws {
        try CommandTests.withFolder { folder in
            let without = try Self.run(options[0].options(with: false), in: folder.appending(path: "without"))
            for (number, effect) in options.enumerated() {
                do {
                    let with = try Self.run(effect.options(with: true), in: folder.appending(path: "with-\(number)"))
                    let isSeen = try effect.isSeen(without, with)
                    #expect(isSeen, "\(effect): \(without.result.errors)\(with.result.errors)")
                } catch {
                    Issue.record(error, "\(effect)")
                }
            }
        }
    }

    private static func run(_ options: [String], in folder: URL) throws -> FinishedRun {
        try writeFiles(in: folder)
        return try FinishedRun(
            options, in: folder, environment: ["CABS_DATA": folder.appending(path: "data").path])
    }

    private static func writeFiles(in folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        func write(_ text: String, _ name: String) throws {
            try Data(text.utf8).write(to: folder.appending(path: name))
        }
        try write(SmallSets.zeroModel, "zero.yaml")
        try write(SmallSets.drawnModel, "drawn.yaml")
        try write(SmallSets.convolutionModel, "convolution.yaml")
        try write("batch-size: constant:9\n", "batch9.yaml")
        try write("loss-floor: 0.125\n", "floor.yaml")
        try SmallSets.writeMNIST(in: folder.appending(path: "data/mnist"))
        try SmallSets.writeMNIST(in: folder.appending(path: "other"), trainingCount: 10)
        try SmallSets.writeCIFAR10(in: folder.appending(path: "data/cifar10"))
        try SmallSets.writePictures(in: folder.appending(path: "pictures"))
        try SmallSets.writePictures(in: folder.appending(path: "undivided"), parts: ["": 20])
        try Safetensors.write(
            ParameterSet([
                ("dense1.weight", Tensor(shape: [10, 64], values: [Float](repeating: 0.5, count: 640))),
                ("dense1.bias", Tensor(shape: [10], values: [Float](repeating: 0.5, count: 10))),
            ]), metadata: [:], to: folder.appending(path: "parameters.safetensors"))
    }
}

/// The difference between the largest and the smallest.
private func spread(_ values: [Double]) -> Double { values.max()! - values.min()! }

private func agree(_ a: Double, _ b: Double, relative: Double = 1e-5) -> Bool {
    abs(a - b) <= relative * max(abs(a), abs(b))
}
