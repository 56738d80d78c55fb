import CDNN

/// A layer that can run on one example at a time.
protocol ExampleStageLayer: Layer {
    /// Plans the layer for examples that arrive in the layout `input`.
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation
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
}

/// A layer of the example stage, planned: what all workers share.
protocol ExampleOperation: Sendable {
    /// What the operation reads. Where the operation before leaves another layout, a copy goes between.
    var input: TensorLayout { get }
    /// What it leaves.
    var output: TensorLayout { get }
    /// Whether the backward pass reads what went in: it must then be kept for every example in hand.
    var backwardReadsInput: Bool { get }
    /// Whether the backward pass reads what came out.
    var backwardReadsOutput: Bool { get }
    /// Whether the output may take the input's place, and the input's gradient the output gradient's.
    var worksInPlace: Bool { get }
    /// The scratch memory that one call needs.
    var scratchByteCount: Int { get }
    /// The operation's parameters, none for most.
    var parameters: [TrainableArray] { get }
    /// Binds the operation to one worker's memory.
    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel
    /// Brings everything derived from the parameters up to date after they changed. One worker calls it.
    func parametersDidChange()
}

extension ExampleOperation {
    var parameters: [TrainableArray] { [] }
    func parametersDidChange() {}
}

/// Where one worker keeps an operation's tensors.
struct ExamplePlaces {
    /// The worker's number.
    let worker: Int
    /// How many examples a worker has in hand at a time.
    let slotCount: Int
    let input: ExampleTensor
    let output: ExampleTensor
    /// None where no earlier layer has parameters.
    let inputGradient: ExampleTensor?
    let outputGradient: ExampleTensor
    let scratch: AlignedBuffer
}

/// An operation bound to one worker's memory.
protocol ExampleKernel: AnyObject {
    /// Computes the output of the example in that place.
    func forward(slot: Int, pass: ExamplePass)
    /// Computes the gradients of the example in that place from its output gradient.
    func backward(slot: Int, pass: ExamplePass, tally: GradientTally)
}

/// One example's way through the network.
struct ExamplePass {
    /// Whether this is a training step, and not an evaluation.
    let isTraining: Bool
    /// The number of examples drawn before this one since the run began.
    let draw: UInt64
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
    case none
}

/// One worker's sums of squared gradient norms.
final class GradientTally {
    /// The sum for the example in hand, over the parameters of the example stage.
    var exampleSquaredNorm = 0.0
    /// The sums over examples, by parameter.
    var parameterSquaredNorms: [Double]

    init(parameterCount: Int) {
        parameterSquaredNorms = Array(repeating: 0, count: parameterCount)
    }

    func add(_ squaredNorm: Double, parameter: Int) {
        exampleSquaredNorm += squaredNorm
        parameterSquaredNorms[parameter] += squaredNorm
    }

    func reset() {
        for index in parameterSquaredNorms.indices { parameterSquaredNorms[index] = 0 }
    }
}

/// A change of memory layout between two operations.
struct ReorderOperation: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    private let forward: Primitive
    private let backward: Primitive

    init(from input: TensorLayout, to output: Layout) throws(EngineError) {
        self.input = input
        self.output = TensorLayout(shape: input.shape, layout: output)
        forward = try Primitive.reorder(from: input.layout, to: output)
        backward = try Primitive.reorder(from: output, to: input.layout)
    }

    let backwardReadsInput = false
    let backwardReadsOutput = false
    let worksInPlace = false
    var scratchByteCount: Int { max(forward.scratch.byteCount, backward.scratch.byteCount) }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        let backwardCall: PrimitiveCall?
        if let inputGradient = places.inputGradient {
            backwardCall = try PrimitiveCall(
                backward, scratch: places.scratch,
                [
                    .init(DNNL_ARG_FROM, output.layout, places.outputGradient),
                    .init(DNNL_ARG_TO, input.layout, inputGradient),
                ])
        } else {
            backwardCall = nil
        }
        return Kernel(
            forwardCall: try PrimitiveCall(
                forward, scratch: places.scratch,
                [
                    .init(DNNL_ARG_FROM, input.layout, places.input),
                    .init(DNNL_ARG_TO, output.layout, places.output),
                ]),
            backwardCall: backwardCall)
    }

    private final class Kernel: ExampleKernel {
        let forwardCall: PrimitiveCall
        let backwardCall: PrimitiveCall?

        init(forwardCall: PrimitiveCall, backwardCall: PrimitiveCall?) {
            self.forwardCall = forwardCall
            self.backwardCall = backwardCall
        }

        func forward(slot: Int, pass: ExamplePass) { forwardCall.execute(slot: slot) }

        func backward(slot: Int, pass: ExamplePass, tally: GradientTally) { backwardCall?.execute(slot: slot) }
    }
}
