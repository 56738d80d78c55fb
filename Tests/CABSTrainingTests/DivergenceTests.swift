import Foundation
import Testing

@testable import CABSTraining

/// Runs whose numbers go wrong.
@Suite(.timeLimit(.minutes(10))) struct DivergenceTests {
    static func options(_ change: (inout TrainingOptions) -> Void) -> TrainingOptions {
        var options = TrainingOptions()
        options.dataset = .digits
        options.workers = 2
        options.steps = 60
        options.batchSize = "constant:16"
        options.checkpointEvery = "5"
        options.lossBound = 4
        change(&options)
        return options
    }

    @Test func `a run stops before the update, with a report and its last checkpoint`() async throws {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(
            TrainingConfiguration(Self.options { $0.learningRate = 8 }), output: folder.url.appending(path: "run"))
        var progress: TrainingProgress?
        let error = await #expect(throws: TrainingError.self) {
            _ = try await run.run { if case .step(let step, _) = $0 { progress = step.progress } }
        }
        guard case .diverged(let divergence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let made = try #require(progress)
        #expect(divergence.step == made.stepCount && divergence.batchSize == 16 && divergence.learningRate == 8)
        let loss = try #require(divergence.loss)
        #expect(loss > 4)
        var order = try ExampleOrder(.shuffled(seed: 0), exampleCount: 1438)
        _ = order.next(made.exampleCount)
        #expect(divergence.examples == order.next(16))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let stored = try decoder.decode(Divergence.self, from: Data(contentsOf: run.directory.divergenceFile))
        #expect(stored == divergence)
        #expect(try run.directory.summary()?.status == .diverged)
        let metrics = try String(contentsOf: run.directory.metricsFile, encoding: .utf8).split(separator: "\n")
        #expect(metrics.count == made.stepCount)
        if made.stepCount >= 5 {
            let checkpoint = try run.directory.checkpoints.newest { _ in }
            #expect(checkpoint.state.trainer.progress.stepCount == made.stepCount / 5 * 5)
        }
    }

    @Test func `what broke is told by example, by parameter and by the steps before`() async throws {
        let folder = try TemporaryFolder()
        let run = try TrainingRun(
            TrainingConfiguration(Self.options { $0.learningRate = 8 }), output: folder.url.appending(path: "run"))
        var steps: [TrainingStep] = []
        await #expect(throws: TrainingError.self) {
            _ = try await run.run { if case .step(let step, _) = $0 { steps.append(step) } }
        }
        let found = try #require(try run.directory.divergence())
        let recent = try #require(found.recentSteps)
        #expect(recent.map(\.step) == steps.suffix(20).map(\.index) && !recent.isEmpty)
        #expect(recent.map(\.loss) == steps.suffix(20).map(\.loss))
        #expect(recent.last?.secondMoment == steps.last?.report.statistics.secondMoment)
        let batch = try #require(found.batch)
        let losses = batch.losses.map { $0 ?? .nan }
        let mean = losses.reduce(0, +) / 16
        #expect(abs(mean - (found.loss ?? 0)) < 1e-9)
        let squares = batch.gradientNorms.map { ($0 ?? .nan) * ($0 ?? .nan) }
        let moments = batch.parameters.map { $0.secondMoment ?? .nan }
        #expect(batch.parameters.map(\.name) == run.trainer.model.parameters.map(\.name))
        let (byExample, byParameter) = (squares.reduce(0, +) / 16, moments.reduce(0, +))
        #expect(abs(byExample / byParameter - 1) < 1e-6)
        #expect(batch.dominating.count == 10)
        let order = squares.indices.sorted { squares[$0] > squares[$1] }
        for (dominating, place) in zip(batch.dominating, order) {
            #expect(dominating.example.example == found.examples[place] && dominating.example.picture != nil)
            #expect(dominating.example.loss == losses[place])
            let whole = dominating.parameters.reduce(0) { $0 + ($1.gradientSquaredNorm ?? .nan) }
            #expect(abs(whole / squares[place] - 1) < 1e-4)
        }
    }

    /// Inputs that differ from draw to draw: what is told of an example is of the draw that broke.
    private struct Drifting: Dataset {
        let inputShape = ExampleShape.vector(2)
        let target = TargetSpecification.classes(2)
        let count = 64

        func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws {
            try slot.setInput([Float(index % 7), Float(draw % 64)])
            try slot.setClass(1 - index % 2)
        }
    }

    @Test func `examples that dominate are measured as they were drawn`() async throws {
        let trainer = try Trainer(
            model: Model(input: .vector(2), seed: 0) { Dense(units: 2) },
            data: TrainingData(name: "own", training: Drifting(), test: Drifting()), optimizer: SGD(learningRate: 1e-9),
            batchSize: ConstantBatchSize(32), lossBound: 1e-3, workerCount: 1)
        let error = await #expect(throws: TrainingError.self) { _ = try await trainer.step() }
        guard case .diverged(let divergence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let batch = try #require(divergence.batch)
        for found in batch.dominating {
            let norm = try #require(found.example.gradientNorm)
            let alone = found.parameters.reduce(0) { $0 + ($1.gradientSquaredNorm ?? .nan) }
            #expect(abs(alone.squareRoot() - norm) < 1e-4 * norm)
        }
    }

    /// The example that is no number leads, and the file can be read.
    @Test func `an example that is not finite dominates`() async throws {
        var inputs = (0..<64).map { Float($0 % 7) / 7 }
        inputs[2 * 20 + 1] = .infinity
        let set = try ArrayDataset(
            inputs: inputs, inputShape: .vector(2), labels: (0..<32).map { $0 % 2 }, classCount: 2)
        let trainer = try Trainer(
            model: Model(input: .vector(2), seed: 0) { Dense(units: 2) },
            data: TrainingData(name: "own", training: set, test: set), optimizer: SGD(learningRate: 0.1),
            batchSize: ConstantBatchSize(32), order: .sequential(firstExample: 0), workerCount: 1)
        let error = await #expect(throws: TrainingError.self) { _ = try await trainer.step() }
        guard case .diverged(let divergence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let batch = try #require(divergence.batch)
        #expect(batch.dominating.first?.example.example == 20 && batch.dominating.first?.example.loss == nil)
        #expect(batch.losses.enumerated().filter { $0.element == nil }.map(\.offset) == [20])
        let again = try JSONFile.decode(Divergence.self, from: JSONFile.data(of: divergence))
        #expect(again == divergence && divergence.recentSteps == [])
    }

    @Test func `a run goes back and on at half the learning rate`() async throws {
        let folder = try TemporaryFolder()
        let options = Self.options { ($0.learningRate, $0.onDivergence, $0.rewinds) = (8, .rewind, 20) }
        let trace = folder.url.appending(path: "trace.jsonl")
        let run = try TrainingRun(
            TrainingConfiguration(options), output: folder.url.appending(path: "run"), traceFile: trace)
        var rewinds = 0
        var clock = 0.0
        let summary = try await run.run { event in
            switch event {
            case .rewind: rewinds += 1
            case .step(_, let seconds):
                #expect(seconds > clock)
                clock = seconds
            default: break
            }
        }
        #expect(summary.trainingSeconds == clock && summary.seconds > clock)
        #expect(try Data(contentsOf: trace) == Data(contentsOf: run.directory.metricsFile))
        #expect(rewinds >= 1 && summary.status == .finished && summary.steps == 60)
        let lines = try ResumeTests.lines(run.directory.metricsFile)
        #expect(lines.compactMap { $0["step"] as? Int } == Array(0..<60))
        #expect(lines.last?["learning_rate"] as? Double == 8 / pow(2, Double(rewinds)))
    }

    /// Where a run goes back to depends on its options alone, not on where it was interrupted. This one goes back from step 5, twice.
    @Test(arguments: [2, 3, 33])
    func `a run that was interrupted goes back to where an undisturbed one does`(steps: Int) async throws {
        let folder = try TemporaryFolder()
        let (whole, parts) = (folder.url.appending(path: "whole"), folder.url.appending(path: "parts"))
        let options = Self.options {
            ($0.batchSize, $0.learningRate, $0.lossBound) = ("constant:2", 0.2, 3)
            ($0.onDivergence, $0.rewinds, $0.checkpointEvery, $0.keepCheckpoints) = (.rewind, 20, "25", 1)
        }
        try await ResumeTests.run(options, in: whole)
        try await ResumeTests.run(options, in: parts, stoppingAfter: steps)
        let directory = RunDirectory(existing: parts)
        try await ResumeTests.finish(TrainingRun(resuming: directory), stoppingAfter: steps + 1)
        try await ResumeTests.finish(TrainingRun(resuming: directory))
        let files = try [whole, parts].map { try ResumeTests.lines(RunDirectory(existing: $0).metricsFile) }
        #expect(files[0].count == 60 && files[0] == files[1])
        #expect(files[0].last?["learning_rate"] as? Double == 0.05)
    }

    @Test func `a damaged checkpoint that a run would go back to is told of`() async throws {
        let folder = try TemporaryFolder()
        let options = Self.options {
            ($0.batchSize, $0.learningRate, $0.lossBound) = ("constant:2", 0.2, 3)
            ($0.onDivergence, $0.rewinds, $0.checkpointEvery) = (.rewind, 20, "3")
        }
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        let third = run.directory.checkpointFolder.appending(path: "step-000000003.safetensors")
        var (damaged, rewoundTo): ([String], [Int]) = ([], [])
        // It may diverge again, however small the rate.
        _ = try? await run.run { event in
            switch event {
            case .checkpoint(stepCount: 3) where damaged.isEmpty: try? Data("half".utf8).write(to: third)
            case .damagedCheckpoint(let error): damaged.append(error.description)
            case .rewind(_, let stepCount): rewoundTo.append(stepCount)
            default: break
            }
        }
        #expect(damaged.first?.contains("step-000000003") == true && rewoundTo.first == 0, "\(damaged) \(rewoundTo)")
    }

    @Test func `a run that goes wrong again and again ends`() async throws {
        let folder = try TemporaryFolder()
        let options = Self.options { ($0.learningRate, $0.onDivergence, $0.rewinds) = (1e30, .rewind, 2) }
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        var rewinds = 0
        await #expect(throws: TrainingError.self) { _ = try await run.run { if case .rewind = $0 { rewinds += 1 } } }
        #expect(rewinds == 2)
        #expect(try run.directory.summary()?.status == .diverged)
    }

    /// The bound is below the first loss, near ln 10, and the batch is larger than what the workers take at a time.
    @Test(arguments: [1, 2])
    func `a bound that the first batch exceeds stops the run before any step`(workers: Int) async throws {
        let folder = try TemporaryFolder()
        let options = Self.options { ($0.batchSize, $0.lossBound, $0.workers) = ("constant:256", 2, workers) }
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        let before = try await run.trainer.parameters()
        let error = await #expect(throws: TrainingError.self) {
            _ = try await run.run { event in if case .step = event { Issue.record("a step was made") } }
        }
        guard case .diverged(let divergence) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let loss = try #require(divergence.loss)
        #expect(divergence.step == 0 && divergence.batchSize == 256 && divergence.parameter == nil)
        #expect(loss > 2 && loss < 4)
        #expect(try await run.trainer.parameters() == before)
        #expect(try Data(contentsOf: run.directory.metricsFile).isEmpty)
        #expect(try run.directory.summary()?.status == .diverged)
    }

    @Test func `options that contradict each other are refused`() {
        #expect(throws: TrainingError.self) { try TrainingConfiguration(Self.options { $0.rewinds = 2 }) }
        #expect(throws: TrainingError.self) {
            try TrainingConfiguration(Self.options { ($0.onDivergence, $0.rewinds) = (.rewind, 0) })
        }
        #expect(throws: TrainingError.self) { try TrainingConfiguration(Self.options { $0.lossBound = .nan }) }
    }

    @Test func `a batch larger than the data set goes through it more than once`() async throws {
        let folder = try TemporaryFolder()
        let options = Self.options { ($0.batchSize, $0.steps, $0.lossBound) = ("constant:3000", 2, 100) }
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: "run"))
        #expect(try await run.run().examples == 6000)
    }
}
