import CDNN

extension Conv2D: ExampleStageLayer {
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
    let bias: TrainableArray
    private let forward: any ConvolutionForward
    private let gradients: any ConvolutionGradients

    init(
        _ primitives: ConvolutionPrimitives, _ plan: ConvolutionPlan, in context: StageContext
    ) throws(EngineError) {
        self.primitives = primitives
        weight = try TrainableArray(
            context.parameters["weight"]!, form: primitives.weightForm(primitives.weightLayout),
            gradientForm: primitives.weightForm(plan.gradientLayout), sumCount: context.workerCount,
            slotCount: context.slotCount)
        bias = try TrainableArray(
            plain: context.parameters["bias"]!, sumCount: context.workerCount, slotCount: context.slotCount)
        forward = plan.forward
        gradients = try plan.makeGradients(primitives, weight)
    }

    var input: TensorLayout { primitives.input }
    var output: TensorLayout { primitives.output }
    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    var parameters: [TrainableArray] { [weight, bias] }
    var scratchByteCount: Int { max(forward.scratchByteCount, gradients.scratchByteCount) }
    var computations: [PlannedComputation] { [forward.computation] + gradients.computations }

    func parametersDidChange() { gradients.parametersDidChange() }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        ConvolutionKernel(
            forward: try forward.bind(self, to: places), gradients: try gradients.bind(self, to: places))
    }
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
