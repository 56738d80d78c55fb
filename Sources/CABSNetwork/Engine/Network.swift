import CABS
import CABSExamples
import CABSPrimitives
import CABSRanks
import Foundation

/// A model with parameters, and the threads and memory to train it.
///
/// A network computes the gradient of a batch together with exact statistics of the gradients of its single
/// examples. Memory does not grow with the batch, but for a loss and a norm for
/// each example: examples pass in chunks. The same seed, data and number of
/// workers give the same bits.
public final class Network: TrainingEngine {
    /// The architecture.
    public let model: Model
    /// What training makes small.
    public let loss: Loss
    /// How the second moment of the gradients is measured.
    public let estimator: GradientEstimator
    /// How a step changes the parameters.
    public let update: UpdateMethod
    /// Whether an average of the parameters is kept.
    public let averagesParameters: Bool
    /// The number of threads that compute; a step with too little work to divide runs on one of them.
    public var workerCount: Int { pool.workerCount }

    /// One worker for each processor that this process may use, as far as that is possible.
    public static var defaultWorkerCount: Int {
        min(AvailableProcessors.count, EngineError.workerCounts.upperBound)
    }

    /// How each layer is computed.
    public var plan: [PlannedLayer] { program.plan }

    /// The memory that the network takes, in bytes: parameters, what belongs to them, and what a step works in.
    public let byteCount: Int

    private let pool: WorkerPool
    private let program: StepProgram
    /// What belongs to the other ranks that train the same network, where there are any.
    private let ranks: RankExchange?

    /// How each layer of a model would be computed.
    ///
    /// It follows from the model, the processor and the version of oneDNN alone.
    ///
    /// - Throws: ``EngineError`` where the model cannot be computed.
    public static func plan(
        of model: Model, estimator: GradientEstimator = .exact
    ) throws(EngineError) -> [PlannedLayer] {
        try program(of: model, estimator).plan
    }

    /// The largest batch of which ranks exchange the rows of dense layers, and not their gradients: where these are fewer values, and each rank
    /// has its examples in hand at once. Zero where there are no dense layers.
    ///
    /// - Throws: ``EngineError`` where the model cannot be computed.
    public static func largestBatchExchangedAsRows(of model: Model) throws(EngineError) -> Int {
        DenseRows.largestShorterBatch(try program(of: model, .exact).batchStage.operations.compactMap(\.dense))
    }

    private static func program(
        of model: Model, _ estimator: GradientEstimator
    ) throws(EngineError) -> StepProgram {
        try StepProgram(
            model, loss: .softmaxCrossEntropy, estimator: estimator, update: .gradientDescent,
            averagesParameters: false, workerCount: 1, dividesAlways: false)
    }

    /// Sets up the network and draws its first parameters.
    ///
    /// - Parameters:
    ///   - model: The architecture.
    ///   - loss: What training makes small.
    ///   - estimator: How the second moment of the gradients is measured.
    ///   - update: How a step changes the parameters.
    ///   - averagesParameters: Whether an average of the parameters is kept: see ``addToAverage(weight:)``.
    ///   - workerCount: The number of threads that compute; one for each processor that may be used where not given.
    ///   - parameters: The parameters to start from, instead of ones drawn from the model's seed.
    ///   - ranks: The way to the other ranks, where several processes train the network: each sets it up alike and makes the same calls with
    ///     the same batches, and steps, measurements and evaluations are then of all, each rank making its part.
    ///   - exchange: How ranks exchange gradients.
    /// - Throws: ``EngineError`` where the network cannot be set up, ``ModelError`` where the parameters are not the
    ///   model's, and what communication throws.
    public convenience init(
        _ model: Model, loss: Loss = .softmaxCrossEntropy, estimator: GradientEstimator = .exact,
        update: UpdateMethod = .gradientDescent, averagesParameters: Bool = false, workerCount: Int? = nil,
        parameters: ParameterSet? = nil, ranks: Communicator? = nil, exchange: GradientExchange = .automatic
    ) throws {
        try self.init(
            EngineSetup(
                model, loss: loss, estimator: estimator, update: update, averagesParameters: averagesParameters,
                workerCount: workerCount, parameters: parameters, ranks: ranks, exchange: exchange))
    }

    /// Sets the network up; see ``EngineSetup``.
    ///
    /// - Throws: ``EngineError`` where the network cannot be set up, ``ModelError`` where the parameters are not the
    ///   model's, and what communication throws.
    public convenience init(_ setup: EngineSetup) throws { try self.init(setup, dividesAlways: false) }

    /// - Parameter dividesAlways: Whether even the smallest batch is divided between the workers, for tests.
    init(_ setup: EngineSetup, dividesAlways: Bool) throws {
        let (model, loss, estimator) = (setup.model, setup.loss, setup.estimator)
        let (update, averagesParameters) = (setup.update, setup.averagesParameters)
        (self.model, self.loss, self.estimator) = (model, loss, estimator)
        (self.update, self.averagesParameters) = (update, averagesParameters)
        pool = try WorkerPool(workerCount: setup.workerCount ?? Self.defaultWorkerCount)
        let before = AlignedBuffer.allocatedByteCount
        program = try StepProgram(
            model, loss: loss, estimator: estimator, update: update, averagesParameters: averagesParameters,
            workerCount: pool.workerCount, dividesAlways: dividesAlways)
        // A single rank is alone.
        self.ranks = try setup.ranks.flatMap { [program] in
            $0.count > 1 ? try program.exchange(with: $0, setup.exchange) : nil
        }
        // Another network that is set up at the same time in this process would be counted too.
        byteCount = max(AlignedBuffer.allocatedByteCount - before, 0)
        try load(setup.parameters ?? model.initialParameters())
    }

    /// The parameters as they are now.
    ///
    /// - Throws: ``EngineError`` where oneDNN cannot bring them into row-major order.
    public func parameters() throws(EngineError) -> ParameterSet {
        try program.export { array throws(EngineError) in try array.export() }
    }

    /// Replaces the parameters.
    ///
    /// - Throws: ``ModelError`` where they are not the model's, ``EngineError`` where oneDNN cannot bring them into its layout.
    public func load(_ parameters: ParameterSet) throws {
        try parameters.check(against: model)
        for array in program.parameters { try array.load(parameters[array.identity.name]!) }
        program.parametersDidChange()
    }

    /// What the update keeps for the parameters from step to step, `velocity.conv1.weight` and so on; nothing under plain descent.
    ///
    /// - Throws: ``EngineError`` where oneDNN cannot bring them into row-major order, and what communication throws: of several ranks all
    ///   must ask.
    public func optimizerState() throws -> ParameterSet {
        var elements: [(name: String, tensor: Tensor)] = []
        for (slot, name) in program.slotNames.enumerated() {
            if let ranks { try program.gather(ranks) { $0.slots[slot] } }
            for array in program.parameters {
                elements.append(("\(name).\(array.identity.name)", try array.export(slot: slot)))
            }
        }
        return ParameterSet(elements)
    }

    /// Replaces what the update keeps; an empty set has it begin anew.
    ///
    /// - Throws: ``ModelError`` where the state is not that of this network's update, ``EngineError`` where oneDNN cannot bring it into
    ///   its layout.
    public func loadOptimizerState(_ state: ParameterSet) throws {
        if !state.elements.isEmpty {
            let expected = program.slotNames.flatMap { slot in
                model.parameters.map { (name: "\(slot).\($0.name)", shape: $0.specification.shape) }
            }
            try state.check(against: expected)
        }
        for (slot, name) in program.slotNames.enumerated() {
            for array in program.parameters { try array.load(state["\(name).\(array.identity.name)"], slot: slot) }
        }
    }

    /// Brings the average of the parameters w nearer to them, `a ← a + weight · (w − a)`; it begins at zero. Does nothing where no average
    /// is kept.
    public func addToAverage(weight: Double) {
        program.average(weight: Float(weight), on: pool)
    }

    /// The average of the parameters; nothing where none is kept.
    ///
    /// - Throws: ``EngineError`` where oneDNN cannot bring it into row-major order.
    public func average() throws(EngineError) -> ParameterSet? {
        var elements: [(name: String, tensor: Tensor)] = []
        for array in program.parameters {
            guard let tensor = try array.exportAverage() else { return nil }
            elements.append((array.identity.name, tensor))
        }
        return ParameterSet(elements)
    }

    /// Replaces the average of the parameters; where nothing is given, it begins anew.
    ///
    /// - Throws: ``ModelError`` where it is not of the model's parameters, ``EngineError`` where oneDNN cannot bring it into its layout.
    public func loadAverage(_ average: ParameterSet?) throws {
        try average?.check(against: model)
        for array in program.parameters { try array.loadAverage(average?[array.identity.name]) }
    }

    /// Computes the loss and accuracy that the average of the parameters has; those of the parameters where no average is kept.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, and why one could not be read.
    public func evaluateAverage(_ batch: some ExampleBatch) throws -> Evaluation {
        program.exchangeAverages()
        defer { program.exchangeAverages() }
        return try evaluate(batch)
    }

    /// Takes one step on a batch.
    ///
    /// The step is not made, and nothing changes, where the batch's mean loss is not finite or above the step's bound, or where
    /// the squared norm of its gradient, or of an example's that is measured, is not finite: ``StepReport/isSound`` is false then.
    ///
    /// - Parameters:
    ///   - batch: The examples.
    ///   - step: The learning rate and what else the update reads.
    ///   - telling: Of several ranks: what each tells the others in ``StepReport/told``, always as many numbers. It is asked when the batch's
    ///     last example was read, on another thread.
    /// - Returns: What the step measured, before the update.
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, why one could not be read, and what communication throws. Nothing
    ///   changes then.
    public func step(
        on batch: some ExampleBatch, _ step: UpdateStep, telling: @escaping () -> [Double]
    ) throws -> StepReport {
        try run(batch, .update(step), telling)
    }

    /// Computes the gradient of a batch, `(1/m) Σᵢ gᵢ`, and changes nothing.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, and why one could not be read.
    public func gradient(of batch: some ExampleBatch) throws -> (report: StepReport, gradient: ParameterSet) {
        let report = try run(batch, .measure)
        return (report, try program.export { array throws(EngineError) in try array.exportGradient() })
    }

    /// Computes the loss and accuracy on a batch of any size, without dropout.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, and why one could not be read.
    public func evaluate(_ batch: some ExampleBatch) throws -> Evaluation {
        let report = try run(batch, .evaluate)
        let losses = report.exampleLosses
        let unsound = losses.indices.filter { !losses[$0].isFinite }
        let meanLoss =
            unsound.isEmpty
            ? report.statistics.meanLoss
            : losses.reduce(0) { $1.isFinite ? $0 + $1 : $0 } / Double(losses.count - unsound.count)
        return Evaluation(
            exampleCount: batch.count, meanLoss: meanLoss,
            accuracy: Double(report.correctCount) / Double(batch.count), unsoundExamples: unsound)
    }

    /// Computes the network's outputs on a batch of any size, without dropout, and the loss of each example.
    ///
    /// - Returns: The outputs, one example's after the other's, as many values as the model has outputs; the losses in the same order.
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, and why one could not be read.
    public func outputs(for batch: some ExampleBatch) throws -> (outputs: [Float], losses: [Double]) {
        guard batch.count > 0 else { throw EngineError.emptyBatch }
        return try program.outputs(for: batch, on: pool)
    }

    private func run(
        _ batch: some ExampleBatch, _ purpose: StepPurpose, _ telling: @escaping () -> [Double] = { [] }
    ) throws -> StepReport {
        guard batch.count > 0 else { throw EngineError.emptyBatch }
        guard let ranks else { return try program.run(batch, purpose, on: pool) }
        return try program.run(batch, purpose, on: pool, ranks, telling: telling)
    }
}
