import Foundation
import Testing

@testable import CABSTraining

/// A run that is stopped in its middle and taken up again against one that is not: the same bytes, but for times.
@Suite(.timeLimit(.minutes(10))) struct ExactResumeTests {
    /// What a run has beside the usual.
    struct Case: Sendable {
        let name: String
        let set: @Sendable (inout TrainingOptions) -> Void
    }

    private static let options: [Case] = [
        Case(name: "cosine") { ($0.learningRateSchedule, $0.optimizer) = ("cosine", "momentum:0.5") },
        Case(name: "step") { $0.learningRateSchedule = "step:0.5:0.1" },
        Case(name: "warm-up") { $0.warmUp = 20 },
        Case(name: "cosine with warm-up, in examples") {
            ($0.steps, $0.examples, $0.warmUp, $0.learningRateSchedule) = (nil, 600, 300, "cosine")
        },
        Case(name: "in epochs") { ($0.steps, $0.epochs, $0.learningRateSchedule) = (nil, 0.4, "cosine") },
        Case(name: "scale-rate linear") { ($0.scaleRate, $0.learningRate) = (.linear, 0.02) },
        Case(name: "scale-rate sqrt") { ($0.scaleRate, $0.warmUp) = (.squareRoot, 18) },
        Case(name: "cabs-per-second") { ($0.batchSize, $0.fixedCost) = ("cabs-per-second", 20) },
        Case(name: "significant") { $0.significant = 1 },
        Case(name: "constants") { ($0.epsilon, $0.lossFloor, $0.smoothing) = (0.1, 0.2, 0.8) },
        Case(name: "ema") { $0.average = "ema:150" }, Case(name: "swa") { $0.average = "swa:0.7" },
        Case(name: "label smoothing") { $0.labelSmoothing = 0.1 },
        Case(name: "validation") { $0.validation = 200 },
        Case(name: "decay and clipping") { ($0.weightDecay, $0.gradientBound) = (0.01, 0.5) },
        Case(name: "augmentations") {
            $0.augment = .named(
                .changes([.crop(padding: 1), .flip, .brightness(0.3), .contrast(0.4), .cutout(size: 2)]))
            $0.normalize = .channel
        },
        Case(name: "sequential") { ($0.order, $0.firstExample) = (.sequential, 17) },
        Case(name: "reference estimator") { $0.estimator = .reference },
        Case(name: "shadows") { $0.shadow = "all" },
    ]

    private static let rules = [
        "simigrad", "step:2:0.1", "geometric", "norm-test", "big-batch", "noise-scale", "adadamp", "adadamp:3",
    ].map { rule in
        Case(name: rule) { options in
            (options.batchSize, options.factor, options.minimumBatchSize) = (rule, nil, 4)
        }
    }

    private static let optimizers = ["nesterov:0.8", "adam", "adamw"].map { optimizer in
        Case(name: optimizer) { options in
            (options.optimizer, options.learningRate, options.weightDecay) = (optimizer, 0.005, 0.01)
            if optimizer.hasPrefix("adam") { (options.batchSize, options.factor) = ("noise-scale", nil) }
        }
    }

    static let cases = options + rules + optimizers

    private static func options(_ testCase: Case) -> TrainingOptions {
        SmallRun.options {
            ($0.steps, $0.factor, $0.minimumBatchSize, $0.maximumBatchSize) = (30, 60, 4, 64)
            ($0.evaluateEvery, $0.seed, $0.checkpointEvery) = (7, 3, "6")
            $0.model = .layers([
                LayerConfiguration(Flatten()), LayerConfiguration(Dense(units: 6)), LayerConfiguration(ReLU()),
                LayerConfiguration(Dropout(rate: 0.2)), LayerConfiguration(Dense(units: 10)),
            ])
            testCase.set(&$0)
        }
    }

    /// The lines of a file of steps without what depends on the clock, each byte of the rest.
    private static func text(_ file: URL) throws -> String {
        try String(contentsOf: file, encoding: .utf8).replacing(/"(training_)?seconds": [^,}]*/, with: "")
    }

    @Test(arguments: cases.indices) func `a stopped run comes to the same bytes`(index: Int) async throws {
        let testCase = Self.cases[index]
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        try await ResumeTests.run(Self.options(testCase), in: whole)
        try await ResumeTests.run(Self.options(testCase), in: parts, stoppingAfter: 8)
        try await ResumeTests.finish(TrainingRun(resuming: RunDirectory(existing: parts)), stoppingAfter: 15)
        try await ResumeTests.finish(TrainingRun(resuming: RunDirectory(existing: parts)))
        let (a, b) = (RunDirectory(existing: whole), RunDirectory(existing: parts))
        let text = try Self.text(a.metricsFile)
        #expect(try text == Self.text(b.metricsFile), "\(testCase.name)")
        #expect(text.contains("\"test_loss\"") && text.count { $0.isNewline } > 15, "\(testCase.name)")
        #expect(
            try Data(contentsOf: a.finalParametersFile) == Data(contentsOf: b.finalParametersFile), "\(testCase.name)")
        guard Self.options(testCase).average != nil else { return }
        #expect(try Data(contentsOf: a.finalAverageFile) == Data(contentsOf: b.finalAverageFile), "\(testCase.name)")
    }
}
