import CABSExamples
import CABSRanks

/// What an engine is set up for.
public struct EngineSetup: Sendable {
    /// The architecture.
    public var model: Model
    /// What training makes small.
    public var loss: Loss
    /// How the second moment of the gradients is measured.
    public var estimator: GradientEstimator
    /// How a step changes the parameters.
    public var update: UpdateMethod
    /// Whether an average of the parameters is kept: see ``TrainingEngine/addToAverage(weight:)``.
    public var averagesParameters: Bool
    /// The number of threads that compute; what the engine finds best where not given.
    public var workerCount: Int?
    /// The parameters to start from, instead of ones drawn from the model's seed.
    public var parameters: ParameterSet?
    /// The way to the other ranks, where several processes train the network: each sets it up alike and makes the same calls with the same
    /// batches, and steps, measurements and evaluations are then of all, each rank making its part.
    public var ranks: Communicator?
    /// How ranks exchange gradients.
    public var exchange: GradientExchange

    /// Sets out what an engine is for; see the properties.
    public init(
        _ model: Model, loss: Loss = .softmaxCrossEntropy, estimator: GradientEstimator = .exact,
        update: UpdateMethod = .gradientDescent, averagesParameters: Bool = false, workerCount: Int? = nil,
        parameters: ParameterSet? = nil, ranks: Communicator? = nil, exchange: GradientExchange = .automatic
    ) {
        self.model = model
        self.loss = loss
        self.estimator = estimator
        self.update = update
        self.averagesParameters = averagesParameters
        self.workerCount = workerCount
        self.parameters = parameters
        self.ranks = ranks
        self.exchange = exchange
    }
}

/// What computes a model's steps: gradients of batches with exact statistics of the gradients of single examples, updates, evaluations.
///
/// ``Network`` is the engine of this package; ``CABSTraining`` trains with any. What every engine must do alike, tests call its conformance
/// (`EngineConformanceTests`), beside a slow one of a few hundred lines that does it in Double.
public protocol TrainingEngine: AnyObject, SendableMetatype {
    /// Sets the engine up, with the first parameters drawn from the model's seed where none are given.
    ///
    /// - Throws: Where the model cannot be computed, an option is out of range, or the parameters are not the model's.
    init(_ setup: EngineSetup) throws

    /// The architecture.
    var model: Model { get }
    /// What training makes small.
    var loss: Loss { get }
    /// How the second moment of the gradients is measured.
    var estimator: GradientEstimator { get }
    /// How a step changes the parameters.
    var update: UpdateMethod { get }
    /// Whether an average of the parameters is kept.
    var averagesParameters: Bool { get }
    /// The number of threads that compute.
    var workerCount: Int { get }
    /// How each layer is computed.
    var plan: [PlannedLayer] { get }
    /// The memory that the engine takes, in bytes: parameters, what belongs to them, and what a step works in.
    var byteCount: Int { get }

    /// The parameters as they are now.
    func parameters() throws -> ParameterSet
    /// Replaces the parameters.
    ///
    /// - Throws: ``ModelError`` where they are not the model's.
    func load(_ parameters: ParameterSet) throws

    /// What the update keeps for the parameters from step to step, `velocity.conv1.weight` and so on; nothing under plain descent. Of several
    /// ranks all must ask.
    func optimizerState() throws -> ParameterSet
    /// Replaces what the update keeps; an empty set has it begin anew.
    ///
    /// - Throws: ``ModelError`` where the state is not that of this update.
    func loadOptimizerState(_ state: ParameterSet) throws

    /// Brings the average of the parameters w nearer to them, `a ← a + weight · (w − a)`; it begins at zero. Does nothing where no average is
    /// kept.
    func addToAverage(weight: Double)
    /// The average of the parameters; nothing where none is kept.
    func average() throws -> ParameterSet?
    /// Replaces the average of the parameters; where nothing is given, it begins anew.
    ///
    /// - Throws: ``ModelError`` where it is not of the model's parameters.
    func loadAverage(_ average: ParameterSet?) throws

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
    func step(
        on batch: some ExampleBatch, _ step: UpdateStep, telling: @escaping () -> [Double]
    ) throws -> StepReport

    /// Computes the gradient of a batch, `(1/m) Σᵢ gᵢ`, and changes nothing.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, and why one could not be read.
    func gradient(of batch: some ExampleBatch) throws -> (report: StepReport, gradient: ParameterSet)

    /// Computes the loss and accuracy on a batch of any size, without dropout.
    ///
    /// - Throws: ``EngineError/emptyBatch`` where there are no examples, and why one could not be read.
    func evaluate(_ batch: some ExampleBatch) throws -> Evaluation

    /// Computes the loss and accuracy that the average of the parameters has; those of the parameters where no average is kept.
    ///
    /// - Throws: As ``evaluate(_:)`` does.
    func evaluateAverage(_ batch: some ExampleBatch) throws -> Evaluation

    /// Computes the network's outputs on a batch of any size, without dropout, and the loss of each example.
    ///
    /// - Returns: The outputs, one example's after the other's, as many values as the model has outputs; the losses in the same order.
    /// - Throws: As ``evaluate(_:)`` does.
    func outputs(for batch: some ExampleBatch) throws -> (outputs: [Float], losses: [Double])
}

extension TrainingEngine {
    /// Takes one step on a batch, with nothing told to other ranks.
    ///
    /// - Throws: As ``step(on:_:telling:)`` does.
    public func step(on batch: some ExampleBatch, _ step: UpdateStep) throws -> StepReport {
        try self.step(on: batch, step, telling: { [] })
    }
}
