import CABSTraining
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct BatchSizeRuleTests {
    @Test(arguments: [
        ("cabs", "cabs"), ("constant:7", "constant:7"), ("step", "step:2:20"), ("step:1.5:0.25", "step:1.5:0.25"),
        ("geometric", "geometric:1.1"), ("norm-test:0.5", "norm-test:0.5"), ("big-batch", "big-batch:1"),
        ("noise-scale", "noise-scale"), ("cabs-per-second", "cabs-per-second"), ("adadamp", "adadamp"),
        ("adadamp:2.5", "adadamp:2.5"), ("simigrad", "simigrad:0.5"),
    ])
    func `a rule has a name with all its numbers`(text: String, name: String) throws {
        let rule = try BatchSizeRule(text)
        #expect(rule.name == name)
        #expect(try BatchSizeRule(name) == rule)
        let policy = try rule.makePolicy(TrainingOptions(), examplesPerEpoch: 1000)
        #expect(policy.initialBatchSize == (text == "constant:7" ? 7 : 16))
    }

    @Test(arguments: [
        "", "cab", "cabs:1", "constant", "constant:x", "constant:1.5", "step:2", "norm-test:x", "step:2:3:4",
    ])
    func `other names are refused`(text: String) {
        #expect(throws: TrainingError.invalidOption(option: "batch-size", value: text, allowed: BatchSizeRule.forms)) {
            try BatchSizeRule(text)
        }
    }

    @Test(arguments: [
        "constant:0", "step:0:1", "step:2:0", "step:2:nan", "geometric:0.5", "norm-test:0", "big-batch:-1",
        "adadamp:0", "adadamp:nan", "simigrad:0", "simigrad:1",
    ])
    func `numbers out of range are refused`(text: String) throws {
        let rule = try BatchSizeRule(text)
        #expect(throws: (any Error).self) { try rule.makePolicy(TrainingOptions(), examplesPerEpoch: 10) }
        var options = TrainingOptions()
        options.dataset = .digits
        options.batchSize = text
        #expect(throws: (any Error).self) { try TrainingConfiguration(options) }
    }

    @Test func `epochs are counted in training examples`() throws {
        var policy = try BatchSizeRule("step:2:0.5").makePolicy(TrainingOptions(), examplesPerEpoch: 80)
        let statistics = StepStatistics(exampleCount: 20, meanLoss: 1, secondMoment: 1, gradientSquaredNorm: 1)
        #expect((0..<4).map { _ in policy.observe(statistics, learningRate: 1).nextBatchSize } == [16, 32, 32, 64])
    }

    @Test(arguments: ["norm-test", "geometric", "noise-scale", "step:2:1"])
    func `every rule trains`(text: String) async throws {
        let folder = try TemporaryFolder()
        var options = RunTests.options()
        options.batchSize = text
        options.maximumBatchSize = 64
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        #expect(try await run.run().steps == 30)
    }

    @Test func `rules that watch decide as they would have alone, and change nothing`() async throws {
        let folder = try TemporaryFolder()
        func metrics(_ name: String, _ change: (inout TrainingOptions) -> Void) async throws -> [[String: Any]] {
            var options = RunTests.options()
            options.factor = 8
            change(&options)
            let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: name))
            _ = try await run.run()
            return try String(contentsOf: run.directory.metricsFile, encoding: .utf8).split(separator: "\n").map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
        }
        let watched = try await metrics("watched") { $0.shadow = "all" }
        let alone = try await metrics("alone") { _ in }
        #expect(watched.map { $0["batch_size"] as? Int } == alone.map { $0["batch_size"] as? Int })
        #expect(watched.map { $0["loss"] as? Double } == alone.map { $0["loss"] as? Double })
        let shadows = try watched.map { try #require($0["shadow"] as? [String: Int]) }
        #expect(
            Set(shadows[0].keys)
                == [
                    "noise-scale", "norm-test:0.9", "big-batch:1", "geometric:1.1", "step:2:20", "adadamp",
                    "simigrad:0.5",
                ])
        // The rule that decides, watching itself, agrees with itself.
        let itself = try await metrics("itself") { $0.shadow = "cabs,constant:9" }
        for line in itself {
            let shadow = try #require(line["shadow"] as? [String: Int])
            #expect(shadow["cabs"] == line["next_batch_size"] as? Int && shadow["constant:9"] == 9)
        }
        // One that looks at nothing goes its own way whatever decides.
        var geometric = 16
        for shadow in shadows {
            // The ceiling of 1.1 g + 1, in whole numbers.
            geometric = min((11 * geometric + 10 + 9) / 10, 2048)
            #expect(shadow["geometric:1.1"] == geometric)
        }
    }

    @Test func `options that a rule does not read are refused`() {
        func refuse(_ change: (inout TrainingOptions) -> Void, _ location: SourceLocation = #_sourceLocation) {
            var options = TrainingOptions()
            options.dataset = .digits
            change(&options)
            #expect(throws: (any Error).self, sourceLocation: location) { try TrainingConfiguration(options) }
        }
        refuse { ($0.batchSize, $0.smoothing) = ("norm-test", 0.9) }
        refuse { ($0.batchSize, $0.factor) = ("noise-scale", 2) }
        refuse { ($0.batchSize, $0.minimumBatchSize) = ("constant:8", 4) }
        refuse { ($0.batchSize, $0.shadow, $0.estimator) = ("constant:8", "cabs", .unmeasured) }
        refuse { $0.shadow = "cabs,cabs" }
        refuse { $0.shadow = "" }
        refuse { ($0.evaluations, $0.evaluateEvery) = (3, 3) }
        refuse { $0.evaluations = 0 }
        refuse { $0.seconds = 0 }
        refuse { ($0.seconds, $0.steps) = (1, 1) }
    }

    @Test func `evaluations are spread over the run`() async throws {
        let folder = try TemporaryFolder()
        var options = RunTests.options()
        (options.evaluateEvery, options.evaluations, options.steps, options.examples) = (nil, 4, nil, 1000)
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        var places: [Double] = []
        _ = try await run.run {
            if case .evaluation(_, let progress) = $0 { places.append(Double(progress.exampleCount)) }
        }
        #expect(places.count == 4 && places.last == 1000)
        for (index, place) in places.enumerated() { #expect(abs(place - 250 * Double(index + 1)) < 20) }
    }
}
