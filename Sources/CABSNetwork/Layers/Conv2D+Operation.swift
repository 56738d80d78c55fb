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
    private let weightGradient: any WeightGradientPlan
    /// The gradient with respect to the input; none where no earlier layer has parameters.
    private let backwardData: BackwardData?

    private struct BackwardData {
        let family: PrimitiveFamily
        let weightLayout: Layout
        /// The weights once more in this layout, renewed once a step; none where the layouts agree.
        let copy: (buffer: AlignedBuffer, call: PrimitiveCall)?

        init(_ primitives: ConvolutionPrimitives, weight: TrainableArray) throws(EngineError) {
            (family, weightLayout) = try primitives.makeBackwardData()
            if weightLayout == primitives.weightLayout {
                copy = nil
                return
            }
            let buffer = AlignedBuffer(byteCount: weightLayout.byteCount)
            let call = try PrimitiveCall(
                reorderingFrom: primitives.weightLayout, weight.values.pointer, to: weightLayout, buffer.pointer)
            copy = (buffer, call)
        }
    }

    init(
        _ layer: Conv2D, from inputShape: ExampleShape, to outputShape: ExampleShape, in context: StageContext
    ) throws(EngineError) {
        let identity = context.parameters["weight"]!
        primitives = try ConvolutionPrimitives(
            layer, from: inputShape, to: outputShape, weightShape: identity.shape, in: context)
        weightGradient = try primitives.planWeightGradient(estimator: context.estimator)
        let plainWeights = try Layout(identity.shape, dnnl_oihw)
        weight = try TrainableArray(
            identity, form: StoredForm(repetitions: 1, plain: plainWeights, stored: primitives.weightLayout),
            gradientForm: StoredForm(repetitions: 1, plain: plainWeights, stored: weightGradient.layout),
            sumCount: context.workerCount)
        bias = try TrainableArray(plain: context.parameters["bias"]!, sumCount: context.workerCount)
        backwardData = context.backpropagates ? try BackwardData(primitives, weight: weight) : nil
    }

    var input: TensorLayout { primitives.input }
    var output: TensorLayout { primitives.output }
    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    var parameters: [TrainableArray] { [weight, bias] }
    var scratchByteCount: Int {
        max(
            primitives.forward.scratchByteCount, weightGradient.scratchByteCount,
            backwardData?.family.scratchByteCount ?? 0)
    }

    func parametersDidChange() { backwardData?.copy?.call.execute() }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        let forward = try primitives.forward.bind(scratch: places.scratch) { count throws(EngineError) in
            [
                .init(DNNL_ARG_SRC, try input.layout(of: count), places.input.grouped(count)),
                .init(DNNL_ARG_WEIGHTS, primitives.weightLayout, ExampleTensor(weight.values.pointer)),
                .init(DNNL_ARG_BIAS, primitives.biasLayout, ExampleTensor(bias.values.pointer)),
                .init(DNNL_ARG_DST, try output.layout(of: count), places.output.grouped(count)),
            ]
        }
        return ConvolutionKernel(
            forward: forward, weightGradient: try weightGradient.bind(self, to: places),
            backwardData: try bindBackwardData(to: places))
    }

    private func bindBackwardData(to places: ExamplePlaces) throws(EngineError) -> PrimitiveCalls? {
        guard let backwardData, let inputGradient = places.inputGradient else { return nil }
        let weights = backwardData.copy?.buffer ?? weight.values
        return try backwardData.family.bind(scratch: places.scratch) { count throws(EngineError) in
            [
                .init(DNNL_ARG_DIFF_DST, try output.layout(of: count), places.outputGradient.grouped(count)),
                .init(DNNL_ARG_WEIGHTS, backwardData.weightLayout, ExampleTensor(weights.pointer)),
                .init(DNNL_ARG_DIFF_SRC, try input.layout(of: count), inputGradient.grouped(count)),
            ]
        }
    }
}

/// A convolution bound to one worker's memory.
private final class ConvolutionKernel: ExampleKernel {
    private let forwardCalls: PrimitiveCalls
    private let weightGradient: any WeightGradientKernel
    private let backwardDataCalls: PrimitiveCalls?

    init(forward: PrimitiveCalls, weightGradient: any WeightGradientKernel, backwardData: PrimitiveCalls?) {
        forwardCalls = forward
        self.weightGradient = weightGradient
        backwardDataCalls = backwardData
    }

    func beginStep() { weightGradient.beginStep() }

    func forward(_ slots: Range<Int>, pass: ExamplePass) { forwardCalls.execute(slots) }

    func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
        weightGradient.backward(slots, tally: tally)
        backwardDataCalls?.execute(slots)
    }
}
