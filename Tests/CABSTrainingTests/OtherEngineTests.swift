import CABSTraining
import Synchronization
import Testing

/// A run computed by another engine than the package's own; `EngineConformanceTests` has what such an engine must do.
@Suite(.timeLimit(.minutes(10))) struct OtherEngineTests {
    /// The package's own engine, with a note of each step.
    private final class Noting: TrainingEngine {
        static let sizes = Mutex<[Int]>([])
        private let base: Network

        init(_ setup: EngineSetup) throws { base = try Network(setup) }

        var model: Model { base.model }
        var loss: Loss { base.loss }
        var estimator: GradientEstimator { base.estimator }
        var update: UpdateMethod { base.update }
        var averagesParameters: Bool { base.averagesParameters }
        var workerCount: Int { base.workerCount }
        var plan: [PlannedLayer] { base.plan }
        var byteCount: Int { 4711 }

        func parameters() throws -> ParameterSet { try base.parameters() }
        func load(_ parameters: ParameterSet) throws { try base.load(parameters) }
        func optimizerState() throws -> ParameterSet { try base.optimizerState() }
        func loadOptimizerState(_ state: ParameterSet) throws { try base.loadOptimizerState(state) }
        func addToAverage(weight: Double) { base.addToAverage(weight: weight) }
        func average() throws -> ParameterSet? { try base.average() }
        func loadAverage(_ average: ParameterSet?) throws { try base.loadAverage(average) }

        func step(
            on batch: some ExampleBatch, _ step: UpdateStep, telling: @escaping () -> [Double]
        ) throws -> StepReport {
            Self.sizes.withLock { $0.append(batch.count) }
            return try base.step(on: batch, step, telling: telling)
        }

        func gradient(of batch: some ExampleBatch) throws -> (report: StepReport, gradient: ParameterSet) {
            try base.gradient(of: batch)
        }
        func evaluate(_ batch: some ExampleBatch) throws -> Evaluation { try base.evaluate(batch) }
        func evaluateAverage(_ batch: some ExampleBatch) throws -> Evaluation { try base.evaluateAverage(batch) }
        func outputs(for batch: some ExampleBatch) throws -> (outputs: [Float], losses: [Double]) {
            try base.outputs(for: batch)
        }
    }

    @Test func `a trainer takes any engine`() async throws {
        func course(_ engine: any TrainingEngine.Type) async throws -> (losses: [Double], sizes: [Int], bytes: Int) {
            let data = try DatasetName.digits.load()
            let model = try ModelName.mlp.model(input: data.training.inputShape, outputCount: 10, seed: 2)
            let trainer = try Trainer(
                model: model, data: data, optimizer: SGD(learningRate: 0.1), batchSize: .cabs(bounds: 16...256),
                workerCount: 1, engine: engine)
            var (losses, sizes) = ([Double](), [Int]())
            for try await step in trainer.train(for: .steps(12)) {
                losses.append(step.loss)
                sizes.append(step.batchSize)
            }
            losses.append(try await trainer.evaluate().meanLoss)
            return (losses, sizes, trainer.networkByteCount)
        }
        let own = try await course(Network.self)
        let other = try await course(Noting.self)
        #expect(own.losses == other.losses && own.sizes == other.sizes)
        #expect(Noting.sizes.withLock { $0 } == other.sizes && other.bytes == 4711)
    }
}
