import CABSExamples
import CABSPrimitives

/// What plans a layer to run on one example at a time: the layer itself, or who computes it.
protocol ExampleStageLayer {
    /// Whether the layer is better computed for many examples at once: from the first such layer on, a worker takes all that it has in
    /// hand through one layer before the next.
    func gathersExamples(from input: ExampleShape, to output: ExampleShape) -> Bool
    /// Whether the layer hands most values of its input a gradient of zero.
    var inputGradientIsSparse: Bool { get }
    /// Whether each output is the largest of some inputs, so that an increasing activation may as well come behind it.
    var takesMaxima: Bool { get }
    /// Plans the layer for examples that arrive in the layout `input`.
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation
}

extension ExampleStageLayer {
    func gathersExamples(from input: ExampleShape, to output: ExampleShape) -> Bool { false }
    var inputGradientIsSparse: Bool { false }
    var takesMaxima: Bool { false }
}

/// What a layer needs to know of the network around it when it is planned.
struct StageContext {
    /// The layer's name.
    let name: String
    /// The layer's position, which sets its random numbers apart.
    let position: Int
    /// The network's seed.
    let seed: UInt64
    /// Whether an earlier layer has parameters, so that the gradient must go on to it.
    let backpropagates: Bool
    /// How the second moment of the gradients is measured.
    let estimator: GradientEstimator
    /// The layer's parameters, by their names within the layer.
    let parameters: [String: TrainableArray.Identity]
    /// How many workers sum gradients.
    let workerCount: Int
    /// How many numbers the update keeps for each value of a parameter.
    let slotCount: Int
    /// Whether an average of the parameters is kept.
    let averagesParameters: Bool
    /// Whether the update may be fused into the product that gives a gradient.
    let fusesUpdate: Bool
    /// The numbers of examples that go into one call, from the largest down.
    let exampleCounts: [Int]
    /// Whether most values of the output gradient are zero, by the layer that follows.
    var outputGradientIsSparse = false
}

/// A layer that gives the shape another name and leaves the values where they are: there is nothing to compute.
protocol ReshapingLayer: Layer {}

/// A layer of the example stage, planned: what all workers share.
protocol ExampleOperation: Sendable {
    /// What the operation reads, each of its inputs. Where an operation before leaves another layout, a copy goes between.
    var input: TensorLayout { get }
    /// What it leaves.
    var output: TensorLayout { get }
    /// Whether the backward pass reads what went in: it must then be kept for every example in hand.
    var backwardReadsInput: Bool { get }
    /// Whether the backward pass reads what came out.
    var backwardReadsOutput: Bool { get }
    /// Whether the output may take the first input's place, unless the backward pass reads that, and the first input's gradient the output
    /// gradient's.
    var worksInPlace: Bool { get }
    /// Whether the outputs are the input itself, for several to read. Their gradients have places of their own.
    var outputsShareInput: Bool { get }
    /// The scratch memory that one call needs.
    var scratchByteCount: Int { get }
    /// The operation's parameters, none for most.
    var parameters: [TrainableArray] { get }
    /// What is computed, and how; nothing where there is no choice.
    var computations: [PlannedComputation] { get }
    /// Binds the operation to one worker's memory.
    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel
    /// Brings everything derived from the parameters up to date after they changed. One worker calls it.
    func parametersDidChange()
}

extension ExampleOperation {
    var outputsShareInput: Bool { false }
    var parameters: [TrainableArray] { [] }
    var computations: [PlannedComputation] { [] }
    func parametersDidChange() {}
}

/// Where one worker keeps an operation's tensors.
struct ExamplePlaces {
    /// The worker's number.
    let worker: Int
    /// How many examples a worker has in hand at a time.
    let slotCount: Int
    let inputs: [TensorAddress]
    let outputs: [TensorAddress]
    /// None where no earlier layer has parameters.
    let inputGradients: [TensorAddress?]
    let outputGradients: [TensorAddress]
    let scratch: AlignedBuffer
}

/// Of operations with one input and one output, as most have.
extension ExamplePlaces {
    var input: TensorAddress { inputs[0] }
    var output: TensorAddress { outputs[0] }
    var inputGradient: TensorAddress? { inputGradients[0] }
    var outputGradient: TensorAddress { outputGradients[0] }
}

/// An operation bound to one worker's memory.
protocol ExampleKernel: AnyObject {
    /// Makes ready for a step's first example.
    func beginStep()
    /// Computes the outputs of the examples in those places.
    func forward(_ slots: Range<Int>, pass: ExamplePass)
    /// Computes the gradients of the examples in those places from their output gradients.
    func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally)
}

extension ExampleKernel {
    func beginStep() {}
}

/// The way of a worker's examples through the network.
struct ExamplePass {
    /// Whether this is a training step, and not an evaluation.
    let isTraining: Bool
    /// The number of examples drawn before the first of them since the run began.
    let firstDraw: UInt64

    /// The number of examples drawn before the one in that place, or that row.
    func draw(of slot: Int) -> UInt64 { firstDraw + UInt64(slot) }
}

/// How the second moment of the per-example gradients is measured.
public enum GradientEstimator: String, Sendable, Hashable, Codable, CaseIterable {
    /// Exactly.
    case exact
    /// As the authors' code approximates it: exact for dense layers; for convolutions the squared inputs are
    /// back-propagated against the squared output gradients, which drops the products between different
    /// positions of the kernel.
    case reference
    /// Not at all.
    case unmeasured = "none"
}

/// Where one worker notes squared gradient norms: for each of its examples, and summed over them for each parameter.
struct GradientTally {
    /// By place, or by row of the chunk.
    let exampleSquaredNorms: UnsafeMutablePointer<Double>
    /// By parameter.
    let parameterSquaredNorms: UnsafeMutablePointer<Double>
    /// By parameter: the worker's part of the squared norm of the batch's mean gradient.
    let gradientSquaredNorms: UnsafeMutablePointer<Double>

    /// - Parameter parameter: Nothing where it is none of the network's.
    func add(_ squaredNorm: Double, parameter: Int?, example: Int) {
        guard let parameter else { return }
        exampleSquaredNorms[example] += squaredNorm
        parameterSquaredNorms[parameter] += squaredNorm
    }
}
