import Foundation
import Testing

@testable import CABSTraining

/// A run that is stopped and taken up again against one that is not.
@Suite(.timeLimit(.minutes(10))) struct ResumeTests {
    static func options(_ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
        var options = TrainingOptions()
        options.dataset = .digits
        options.steps = 60
        options.workers = 2
        options.evaluateEvery = 13
        options.factor = 8
        options.minimumBatchSize = 4
        options.shadow = "norm-test,geometric"
        options.compareEstimators = 7
        options.checkpointEvery = "10"
        options.model = .layers([
            LayerConfiguration(Conv2D(filters: 4, kernelSize: 3)), LayerConfiguration(ReLU()),
            LayerConfiguration(Flatten()), LayerConfiguration(Dropout(rate: 0.2)), LayerConfiguration(Dense(units: 10)),
        ])
        change(&options)
        return options
    }

    /// Makes a run, or its first part.
    static func run(
        _ options: TrainingOptions = options(), in folder: URL, stoppingAfter steps: Int = .max
    ) async throws {
        let run = try TrainingRun(TrainingConfiguration(options), output: folder)
        try await finish(run, stoppingAfter: steps)
    }

    static func finish(_ run: TrainingRun, stoppingAfter steps: Int = .max) async throws {
        var stepCount = 0
        do {
            _ = try await run.run {
                if case .step(let step, _) = $0 { stepCount = step.progress.stepCount }
            } shouldStop: {
                stepCount >= steps
            }
        } catch let interruption as RunInterruption {
            #expect(interruption.stepCount == steps)
        }
    }

    /// The lines of a file without what depends on the clock.
    static func lines(_ file: URL) throws -> [NSDictionary] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map { line in
            var object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            for key in ["seconds", "training_seconds"] { object[key] = nil }
            return object as NSDictionary
        }
    }

    static func expectEqual(_ a: URL, _ b: URL, _ location: SourceLocation = #_sourceLocation) throws {
        let (a, b) = (RunDirectory(existing: a), RunDirectory(existing: b))
        let parameters = try (Safetensors.read(a.finalParametersFile), Safetensors.read(b.finalParametersFile))
        #expect(parameters.0 == parameters.1, sourceLocation: location)
        for file in [\RunDirectory.metricsFile, \.estimatorsFile] {
            #expect(try lines(a[keyPath: file]) == lines(b[keyPath: file]), sourceLocation: location)
        }
        let summaries = (try #require(try a.summary()), try #require(try b.summary()))
        #expect(summaries.0.trainingLoss == summaries.1.trainingLoss, sourceLocation: location)
        #expect(summaries.0.testAccuracy == summaries.1.testAccuracy, sourceLocation: location)
        #expect(summaries.0.nextBatchSize == summaries.1.nextBatchSize, sourceLocation: location)
    }

    @Test(arguments: [1, 25, 52, 59])
    func `a stopped run goes on as if nothing had happened`(steps: Int) async throws {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        try await Self.run(in: whole)
        try await Self.run(in: parts, stoppingAfter: steps)
        #expect(try RunDirectory(existing: parts).summary() == nil)
        try await Self.finish(TrainingRun(resuming: RunDirectory(existing: parts)))
        try Self.expectEqual(whole, parts)
    }

    @Test func `what was written after the checkpoint is cut off, and damaged checkpoints are passed over`()
        async throws
    {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        try await Self.run(in: whole)
        try await Self.run(in: parts, stoppingAfter: 37)
        let directory = RunDirectory(existing: parts)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.checkpointFolder.path).sorted()
        #expect(names == ["step-000000020.safetensors", "step-000000030.safetensors", "step-000000037.safetensors"])
        // As a process leaves them that is killed in the middle of a write.
        let last = directory.checkpointFolder.appending(path: names[2])
        try Data(contentsOf: last).dropLast(5).write(to: last)
        try Data("half".utf8).write(
            to: directory.checkpointFolder.appending(path: ".step-000000038.safetensors.partial"))
        let middle = directory.checkpointFolder.appending(path: names[1])
        var bytes = try Data(contentsOf: middle)
        bytes[bytes.count - 9] ^= 4
        try bytes.write(to: middle)
        var damaged: [String] = []
        try await Self.finish(
            TrainingRun(resuming: directory) { damaged.append($0.description) })
        #expect(damaged.count == 2)
        #expect(damaged.first?.contains(names[2]) == true && damaged.last?.contains("checksum") == true, "\(damaged)")
        try Self.expectEqual(whole, parts)
    }

    @Test(arguments: [40, 57])
    func `the length may grow`(steps: Int) async throws {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        try await Self.run(in: whole)
        try await Self.run(Self.options { $0.steps = steps }, in: parts)
        var more = TrainingOptions()
        more.steps = 60
        let resumed = try await TrainingRun(resuming: RunDirectory(existing: parts), with: more)
        // What was the end is none any more, whatever happens next.
        #expect(try resumed.directory.summary() == nil)
        #expect(!FileManager.default.fileExists(atPath: resumed.directory.finalParametersFile.path))
        try await Self.finish(resumed)
        let (a, b) = (RunDirectory(existing: whole), RunDirectory(existing: parts))
        #expect(try Safetensors.read(a.finalParametersFile) == Safetensors.read(b.finalParametersFile))
        #expect(try TrainingOptions(contentsOf: b.configurationFile).steps == 60)
        let losses = try [a, b].map { try $0.summary()?.trainingLoss }
        #expect(losses[0] != nil && losses[0] == losses[1])
    }

    @Test func `the loss at the end is the mean over the examples of the last tenth`() async throws {
        let folder = try TemporaryFolder()
        let run = folder.url.appending(path: "run")
        try await Self.run(in: run)
        let directory = RunDirectory(existing: run)
        let last = try Self.lines(directory.metricsFile).suffix(6)
        let sizes = last.compactMap { $0["batch_size"] as? Double }
        let losses = last.compactMap { $0["loss"] as? Double }
        let mean = zip(sizes, losses).reduce(0) { $0 + $1.0 * $1.1 } / sizes.reduce(0, +)
        let found = try #require(try directory.summary()?.trainingLoss)
        #expect(abs(found - mean) < 1e-12 * mean)
    }

    @Test func `there is a checkpoint from the start`() async throws {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(
            TrainingConfiguration(Self.options { $0.checkpointEvery = "5m" }), output: folder.url.appending(path: "run")
        )
        var firstEvents: [String] = []
        _ = try await run.run { event in
            switch event {
            case .checkpoint(let stepCount): firstEvents.append("checkpoint \(stepCount)")
            case .step(let step, _): firstEvents.append("step \(step.index)")
            default: break
            }
        }
        #expect(firstEvents.prefix(2) == ["checkpoint 0", "step 0"])
    }

    @Test func `a trace of a run that is resumed has all its steps`() async throws {
        let folder = try TemporaryFolder()
        let (parts, trace) = (folder.url.appending(path: "parts"), folder.url.appending(path: "trace.jsonl"))
        try await Self.run(in: parts, stoppingAfter: 25)
        let run = try await TrainingRun(resuming: RunDirectory(existing: parts), traceFile: trace)
        try await Self.finish(run)
        #expect(try Data(contentsOf: trace) == Data(contentsOf: run.directory.metricsFile))
    }

    @Test func `other options and other data are refused by name`() async throws {
        let folder = try TemporaryFolder()
        let parts = folder.url.appending(path: "parts")
        try await Self.run(in: parts, stoppingAfter: 12)
        func refusal(_ change: (inout TrainingOptions) -> Void) async -> String {
            var given = TrainingOptions()
            change(&given)
            let error = await #expect(throws: TrainingError.self) {
                try await TrainingRun(resuming: RunDirectory(existing: parts), with: given)
            }
            return error?.description ?? ""
        }
        #expect(await refusal { $0.learningRate = 0.5 }.contains("learning-rate 0.1, but now it is 0.5"))
        #expect(await refusal { $0.steps = 30 }.contains("steps 60, but now it is 30"))
        #expect(await refusal { $0.workers = 1 }.contains("workers 2"))
        #expect(await refusal { $0.batchSize = "constant:8" }.contains("batch-size cabs"))
        // The harmless ones pass.
        var given = TrainingOptions()
        (given.keepCheckpoints, given.checkpointEvery) = (1, "1m")
        _ = try await TrainingRun(resuming: RunDirectory(existing: parts), with: given)

        let data = try DatasetName.digits.load()
        #expect(try DataFingerprint(data) == DataFingerprint(data))
        let swapped = try TrainingData(name: data.name, training: data.test, test: data.training)
        #expect(try DataFingerprint(data) != DataFingerprint(swapped))
    }

    /// More than the end of such runs follows from their length.
    @Test func `a length that the learning rate or the evaluations follow from may not grow`() async throws {
        let folder = try TemporaryFolder()
        let changes: [(String, (inout TrainingOptions) -> Void)] = [
            ("cosine", { $0.learningRateSchedule = "cosine" }),
            ("evaluations", { ($0.evaluateEvery, $0.evaluations) = (nil, 4) }),
        ]
        for (name, change) in changes {
            let parts = folder.url.appending(path: name)
            try await Self.run(Self.options(change), in: parts, stoppingAfter: 12)
            var given = TrainingOptions()
            given.steps = 61
            let error = await #expect(throws: TrainingError.self, "\(name)") {
                try await TrainingRun(resuming: RunDirectory(existing: parts), with: given)
            }
            guard case .resumesDifferently("steps", "60", "61", _?)? = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
    }

    @Test func `one changed label among all examples is noticed`() throws {
        func data(changing index: Int?) throws -> TrainingData {
            let labels = (0..<500).map { $0 == index ? 1 : 0 }
            let part = try ArrayDataset(
                inputs: [Float](repeating: 0.5, count: 500), inputShape: .vector(1), labels: labels, classCount: 2)
            return try TrainingData(name: "own", training: part, test: part)
        }
        let whole = try DataFingerprint(data(changing: nil))
        for index in [0, 1, 317, 499] { #expect(try DataFingerprint(data(changing: index)) != whole) }
        func images(_ labels: [UInt16]) throws -> UInt {
            try ImageDataset(
                LabeledImages(
                    shape: .image(height: 1, width: 1, channels: 1), classCount: 10,
                    pixels: [UInt8](repeating: 3, count: 500), labels: labels, source: "own"),
                preprocessing: ImagePreprocessing()
            ).checksum
        }
        var labels = [UInt16](repeating: 0, count: 500)
        let before = try images(labels)
        labels[317] = 9
        #expect(try images(labels) != before)
    }

    @Test func `a folder in use is refused by name of the process`() async throws {
        let folder = try TemporaryFolder()
        let parts = folder.url.appending(path: "parts")
        try await Self.run(in: parts, stoppingAfter: 12)
        let first = try await TrainingRun(resuming: RunDirectory(existing: parts))
        let error = await #expect(throws: TrainingError.self) {
            try await TrainingRun(resuming: RunDirectory(existing: parts))
        }
        #expect(try #require(error).description.contains("process \(getpid())"))
        withExtendedLifetime(first) {}
    }

    /// What a run that is killed before its first checkpoint leaves beside `config.yaml`, from moment to moment.
    @Test(arguments: [
        [], ["lock"], ["lock", "input.json"], ["lock", "input.json", "metrics.jsonl"],
        ["input.json", "metrics.jsonl", "estimators.jsonl", "checkpoints/.step-000000000.safetensors.partial"],
    ])
    func `a run that was killed before its first checkpoint starts from the beginning`(left: [String]) async throws {
        let folder = try TemporaryFolder()
        let (whole, killed) = (folder.url.appending(path: "whole"), folder.url.appending(path: "killed"))
        try await Self.run(in: whole)
        try FileManager.default.createDirectory(
            at: killed.appending(path: "checkpoints"), withIntermediateDirectories: true)
        for name in ["config.yaml"] + left {
            // Torn: a line and a half of the metrics, half of a checkpoint.
            let source = name.hasSuffix(".partial") ? "checkpoints/final.safetensors" : name
            let bytes = try Data(contentsOf: whole.appending(path: source))
            let count =
                switch name {
                case "metrics.jsonl": 3 * bytes.firstIndex(of: UInt8(ascii: "\n"))! / 2
                case _ where name.hasSuffix(".partial"): bytes.count / 2
                default: bytes.count
                }
            try bytes.prefix(count).write(to: killed.appending(path: name))
        }
        let run = try await TrainingRun(resuming: RunDirectory(existing: killed))
        #expect(run.startsFromBeginning)
        try await Self.finish(run)
        try Self.expectEqual(whole, killed)
        for file in ["checkpoints/final.safetensors", "input.json", "config.yaml"] {
            let bytes = try Data(contentsOf: whole.appending(path: file))
            #expect(try bytes == Data(contentsOf: killed.appending(path: file)), "\(file)")
        }
    }

    @Test func `a run that has ended, whose checkpoints are gone, is not made again`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        try await Self.run(Self.options { $0.steps = 3 }, in: url)
        let directory = RunDirectory(existing: url)
        let end = try Data(contentsOf: directory.finalParametersFile)
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.checkpointFolder.path)
        where name.hasPrefix("step-") {
            try FileManager.default.removeItem(at: directory.checkpointFolder.appending(path: name))
        }
        await #expect(throws: TrainingError.self) { try await TrainingRun(resuming: directory) }
        #expect(try Data(contentsOf: directory.finalParametersFile) == end)
        await #expect(throws: TrainingError.self) {
            try await TrainingRun(resuming: RunDirectory(existing: folder.url.appending(path: "none")))
        }
    }

    @Test func `a run whose checkpoints are all damaged is refused, with their names`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        try await Self.run(in: url, stoppingAfter: 25)
        let checkpoints = RunDirectory(existing: url).checkpointFolder
        let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path)
        #expect(!names.isEmpty)
        for name in names {
            let file = checkpoints.appending(path: name)
            try Data(contentsOf: file).dropLast().write(to: file)
        }
        var damaged = 0
        do {
            _ = try await TrainingRun(resuming: RunDirectory(existing: url)) { _ in damaged += 1 }
            Issue.record("it was resumed")
        } catch let error as TrainingError {
            for name in names { #expect(error.description.contains(name)) }
        }
        #expect(damaged == names.count)
    }

    @Test func `no flipped bit of a parameter file goes unseen`() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "p.safetensors")
        let parameters = ParameterSet([
            ("a.weight", Tensor(shape: [2, 2], values: [1, 2, 3, 4])), ("a.bias", Tensor(shape: [2], values: [5, 6])),
        ])
        try Safetensors.write(parameters, metadata: ["note": "kept"], to: file)
        let whole = try Data(contentsOf: file)
        let contents = try Safetensors.contents(of: file)
        #expect(contents.parameters == parameters && contents.metadata == ["note": "kept"])
        for position in whole.indices {
            for bit in 0..<8 {
                var bytes = whole
                bytes[position] ^= 1 << bit
                try bytes.write(to: file)
                guard let found = try? Safetensors.contents(of: file) else { continue }
                // Only the name of the checksum itself may go unseen.
                #expect(found.parameters == parameters && found.metadata["note"] == "kept", "byte \(position)")
            }
        }
    }

    @Test func `a write that fails leaves what was there`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("before", as: "f")
        try FileManager.default.createDirectory(
            at: folder.url.appending(path: ".f.partial"), withIntermediateDirectories: false)
        #expect(throws: TrainingError.self) { try DurableFile.write(Data("after".utf8), to: file) }
        #expect(try String(contentsOf: file, encoding: .utf8) == "before")
    }
}
