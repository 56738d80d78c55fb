import CDNN

extension Conv2D: ExampleStageLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        try ConvolutionOperation(self, from: input.shape, to: output, in: context)
    }
}

/// The convolution of one example or several, with its parameters.
struct ConvolutionOperation: ExampleOperation {
    let primitives: ConvolutionPrimitives
    let weight: TrainableArray
    let bias: TrainableArray
    private let gradients: any ConvolutionGradients

    init(
        _ layer: Conv2D, from inputShape: ExampleShape, to outputShape: ExampleShape, in context: StageContext
    ) throws(EngineError) {
        let identity = context.parameters["weight"]!
        primitives = try ConvolutionPrimitives(
            layer, from: inputShape, to: outputShape, weightShape: identity.shape, in: context)
        let plain = try Layout(identity.shape, dnnl_oihw)
        let isSparse = try SparseGradients.suit(primitives, in: context)
        let weightGradient = isSparse ? nil : try primitives.planWeightGradient(estimator: context.estimator)
        let gradientLayout =
            if let weightGradient { weightGradient.layout } else { try SparseGradients.weightLayout(identity.shape) }
        weight = try TrainableArray(
            identity, form: StoredForm(repetitions: 1, plain: plain, stored: primitives.weightLayout),
            gradientForm: StoredForm(repetitions: 1, plain: plain, stored: gradientLayout),
            sumCount: context.workerCount)
        bias = try TrainableArray(plain: context.parameters["bias"]!, sumCount: context.workerCount)
        gradients =
            if let weightGradient {
                try DenseGradients(primitives, weightGradient, weight: weight, in: context)
            } else {
                try SparseGradients(primitives, weight: weight, in: context)
            }
    }

    var input: TensorLayout { primitives.input }
    var output: TensorLayout { primitives.output }
    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    var parameters: [TrainableArray] { [weight, bias] }
    var scratchByteCount: Int { max(primitives.forward.scratchByteCount, gradients.scratchByteCount) }

    func parametersDidChange() { gradients.parametersDidChange() }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        let forward = try primitives.forward.bind(scratch: places.scratch) { count throws(EngineError) in
            [
                .init(DNNL_ARG_SRC, try input.layout(of: count), places.input.grouped(count)),
                .init(DNNL_ARG_WEIGHTS, primitives.weightLayout, ExampleTensor(weight.values.pointer)),
                .init(DNNL_ARG_BIAS, primitives.biasLayout, ExampleTensor(bias.values.pointer)),
                .init(DNNL_ARG_DST, try output.layout(of: count), places.output.grouped(count)),
            ]
        }
        return ConvolutionKernel(forward: forward, gradients: try gradients.bind(self, to: places))
    }
}

/// A convolution bound to one worker's memory.
private final class ConvolutionKernel: ExampleKernel {
    private let forwardCalls: PrimitiveCalls
    private let gradients: any ConvolutionGradientKernel

    init(forward: PrimitiveCalls, gradients: any ConvolutionGradientKernel) {
        forwardCalls = forward
        self.gradients = gradients
    }

    func beginStep() { gradients.beginStep() }

    func forward(_ slots: Range<Int>, pass: ExamplePass) { forwardCalls.execute(slots) }

    func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
        gradients.backward(slots, tally: tally)
    }
}
