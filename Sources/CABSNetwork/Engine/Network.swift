import CABS
import Foundation

/// A model with parameters, and the threads and memory to train it.
///
/// A network computes the gradient of a batch together with exact statistics of the gradients of its single
/// examples. Memory does not grow with the batch, but for a loss and a norm for
/// each example: examples pass in chunks. The same seed, data and number of
/// workers give the same bits.
public final class Network {
    /// The architecture.
    public let model: Model
    /// What training makes small.
    public let loss: Loss
    /// How the second moment of the gradients is measured.
    public let estimator: GradientEstimator
    /// The number of threads that compute; a step with too little work to divide runs on one of them.
    public var workerCount: Int { pool.workerCount }

    /// One worker for each processor that this process may use, as far as that is possible.
    public static var defaultWorkerCount: Int {
        min(AvailableProcessors.count, EngineError.workerCounts.upperBound)
    }

    private let pool: WorkerPool
    private let program: StepProgram

    /// How each layer of a model would be computed.
    ///
    /// It follows from the model, the processor and the version of oneDNN alone.
    ///
    /// - Throws: ``EngineError`` where the model cannot be computed.
    public static func plan(
        of model: Model, estimator: GradientEstimator = .exact
    ) throws(EngineError) -> [PlannedLayer] {
        try StepProgram(
            model, loss: .softmaxCrossEntropy, estimator: estimator, workerCount: 1, dividesAlways: false
        ).plan
    }

    /// Sets up the network and draws its first parameters.
    ///
    /// - Parameters:
    ///   - model: The architecture.
    ///   - loss: What training makes small.
    ///   - estimator: How the second moment of the gradients is measured.
    ///   - workerCount: The number of threads that compute; one for each processor that may be used where not given.
    ///   - parameters: The parameters to start from, instead of ones drawn from the model's seed.
    /// - Throws: ``EngineError`` where the network cannot be set up, ``ModelError`` where the parameters are not the
    ///   model's.
    public convenience init(
        _ model: Model, loss: Loss = .softmaxCrossEntropy, estimator: GradientEstimator = .exact,
        workerCount: Int? = nil, parameters: ParameterSet? = nil
    ) throws {
        try self.init(
            model, loss: loss, estimator: estimator, workerCount: workerCount, parameters: parameters,
            dividesAlways: false)
    }

    /// - Parameter dividesAlways: Whether even the smallest batch is divided between the workers, for tests.
    init(
        _ model: Model, loss: Loss = .softmaxCrossEntropy, estimator: GradientEstimator = .exact,
        workerCount: Int? = nil, parameters: ParameterSet? = nil, dividesAlways: Bool
    ) throws {
        self.model = model
        self.loss = loss
        self.estimator = estimator
        pool = try WorkerPool(workerCount: workerCount ?? Self.defaultWorkerCount)
        program = try StepProgram(
            model, loss: loss, estimator: estimator, workerCount: pool.workerCount, dividesAlways: dividesAlways)
        try load(parameters ?? model.initialParameters())
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

    /// Takes one step of gradient descent on a batch.
    ///
    /// The step is not made, and nothing changes, where the batch's mean loss is not finite or above the descent's bound, or where
    /// the squared norm of its gradient, or of an example's that is measured, is not finite: ``StepReport/isSound`` is false then.
    ///
    /// - Parameters:
    ///   - batch: The examples.
    ///   - descent: The learning rate and weight decay.
    /// - Returns: What the step measured, before the update.
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples.
    public func step(on batch: some ExampleBatch, _ descent: GradientDescent) throws(EngineError) -> StepReport {
        try run(batch, .descend(descent))
    }

    /// Computes the gradient of a batch, `(1/m) Σᵢ gᵢ`, and changes nothing.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples.
    public func gradient(
        of batch: some ExampleBatch
    ) throws(EngineError) -> (report: StepReport, gradient: ParameterSet) {
        let report = try run(batch, .measure)
        return (report, try program.export { array throws(EngineError) in try array.exportGradient() })
    }

    /// Computes the loss and accuracy on a batch of any size, without dropout.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples.
    public func evaluate(_ batch: some ExampleBatch) throws(EngineError) -> Evaluation {
        let report = try run(batch, .evaluate)
        return Evaluation(
            exampleCount: batch.count, meanLoss: report.statistics.meanLoss,
            accuracy: Double(report.correctCount) / Double(batch.count))
    }

    private func run(_ batch: some ExampleBatch, _ purpose: StepPurpose) throws(EngineError) -> StepReport {
        guard batch.count > 0 else { throw .emptyBatch }
        return program.run(batch, purpose, on: pool)
    }
}
