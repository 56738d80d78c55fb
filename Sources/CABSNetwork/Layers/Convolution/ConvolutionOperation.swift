import CABSExamples
import CABSPrimitives

extension Conv2D: ExampleStageLayer {
    func gathersExamples(from input: ExampleShape, to output: ExampleShape) -> Bool {
        gradient(from: input, to: output)?.gramIsCheaper ?? false
    }

    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        let primitives = try ConvolutionPrimitives(self, from: input.shape, to: output, in: context)
        return try ConvolutionOperation(primitives, ConvolutionPlan(primitives, in: context), in: context)
    }
}

/// The convolution of one example or several, with its parameters.
struct ConvolutionOperation: ExampleOperation {
    let primitives: ConvolutionPrimitives
    let weight: TrainableArray
    let bias: ConvolutionBias
    private let forward: any ConvolutionForward
    private let gradients: any ConvolutionGradients

    init(
        _ primitives: ConvolutionPrimitives, _ plan: ConvolutionPlan, in context: StageContext
    ) throws(EngineError) {
        self.primitives = primitives
        weight = try TrainableArray(
            context.parameters["weight"]!, form: primitives.weightForm(primitives.weightLayout),
            gradientForm: primitives.weightForm(plan.gradientLayout), sumCount: context.workerCount,
            in: context)
        bias = try ConvolutionBias(primitives.layer.filters, in: context)
        forward = plan.forward
        gradients = try plan.makeGradients(primitives, weight)
    }

    var input: TensorLayout { primitives.input }
    var output: TensorLayout { primitives.output }
    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    var parameters: [TrainableArray] { [weight] + (bias.array.map { [$0] } ?? []) }
    var scratchByteCount: Int { max(forward.scratchByteCount, gradients.scratchByteCount) }
    var computations: [PlannedComputation] { [forward.computation] + gradients.computations }

    func parametersDidChange() { gradients.parametersDidChange() }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        ConvolutionKernel(
            forward: try forward.bind(self, to: places), gradients: try gradients.bind(self, to: places))
    }
}

/// The biases of a convolution; zeros, whose gradient goes nowhere, where it has none: oneDNN's primitives and our loops always add
/// some.
struct ConvolutionBias: Sendable {
    let array: TrainableArray?
    let values: AlignedBuffer
    let gradientSums: [AlignedBuffer]

    init(_ count: Int, in context: StageContext) throws(EngineError) {
        array = try context.parameters["bias"].map { identity throws(EngineError) in
            try TrainableArray(
                plain: identity, sumCount: context.workerCount, in: context)
        }
        values = array?.values ?? AlignedBuffer(count: count)
        gradientSums = array?.gradientSums ?? (0..<context.workerCount).map { _ in AlignedBuffer(count: count) }
    }

    /// The parameter's number, if it is one.
    var parameter: Int? { array?.identity.index }
}

/// A convolution bound to one worker's memory.
private final class ConvolutionKernel: ExampleKernel {
    private let forward: any ExampleCalls
    private let gradients: any ConvolutionGradientKernel

    init(forward: any ExampleCalls, gradients: any ConvolutionGradientKernel) {
        self.forward = forward
        self.gradients = gradients
    }

    func beginStep() { gradients.beginStep() }

    func forward(_ slots: Range<Int>, pass: ExamplePass) { forward.execute(slots) }

    func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
        gradients.backward(slots, tally: tally)
    }
}
