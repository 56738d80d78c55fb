import CDNN

/// How a convolution's gradients follow from those of its output: what all workers share.
protocol ConvolutionGradients: Sendable {
    var scratchByteCount: Int { get }
    /// Brings everything derived from the weights up to date after they changed.
    func parametersDidChange()
    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel
}

/// Gradients, or the weight gradient alone, bound to one worker's memory.
protocol ConvolutionGradientKernel: AnyObject {
    /// Makes ready for a step's first example.
    func beginStep()
    /// Takes the examples in those places in.
    func backward(_ slots: Range<Int>, tally: GradientTally)
}

/// Gradients by oneDNN's primitives, whatever the output gradient.
struct DenseGradients: ConvolutionGradients {
    private let weightGradient: any WeightGradientPlan
    /// The gradient with respect to the input; none where no earlier layer has parameters.
    private let inputGradient: InputGradient?

    private struct InputGradient {
        let family: PrimitiveFamily
        let weightLayout: Layout
        /// The weights once more in this layout, renewed once a step; none where the layouts agree.
        let copy: WeightCopy?

        init(_ primitives: ConvolutionPrimitives, weight: TrainableArray) throws(EngineError) {
            (family, weightLayout) = try primitives.makeBackwardData()
            copy =
                weightLayout == primitives.weightLayout
                ? nil : try WeightCopy(of: weight, from: primitives.weightLayout, to: weightLayout)
        }
    }

    init(
        _ primitives: ConvolutionPrimitives, _ weightGradient: any WeightGradientPlan, weight: TrainableArray,
        in context: StageContext
    ) throws(EngineError) {
        self.weightGradient = weightGradient
        inputGradient = context.backpropagates ? try InputGradient(primitives, weight: weight) : nil
    }

    var scratchByteCount: Int {
        max(weightGradient.scratchByteCount, inputGradient?.family.scratchByteCount ?? 0)
    }

    func parametersDidChange() { inputGradient?.copy?.renew() }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        Kernel(
            weightGradient: try weightGradient.bind(operation, to: places),
            inputGradientCalls: try bindInputGradient(operation, to: places))
    }

    private func bindInputGradient(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> PrimitiveCalls? {
        guard let inputGradient, let destination = places.inputGradient else { return nil }
        let weights = inputGradient.copy?.buffer ?? operation.weight.values
        return try inputGradient.family.bind(scratch: places.scratch) { count throws(EngineError) in
            [
                .init(DNNL_ARG_DIFF_DST, try operation.output.layout(of: count), places.outputGradient.grouped(count)),
                .init(DNNL_ARG_WEIGHTS, inputGradient.weightLayout, ExampleTensor(weights.pointer)),
                .init(DNNL_ARG_DIFF_SRC, try operation.input.layout(of: count), destination.grouped(count)),
            ]
        }
    }

    private final class Kernel: ConvolutionGradientKernel {
        private let weightGradient: any ConvolutionGradientKernel
        private let inputGradientCalls: PrimitiveCalls?

        init(weightGradient: any ConvolutionGradientKernel, inputGradientCalls: PrimitiveCalls?) {
            self.weightGradient = weightGradient
            self.inputGradientCalls = inputGradientCalls
        }

        func beginStep() { weightGradient.beginStep() }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            weightGradient.backward(slots, tally: tally)
            inputGradientCalls?.execute(slots)
        }
    }
}

/// A layer's weights once more in another layout.
struct WeightCopy: Sendable {
    let buffer: AlignedBuffer
    private let call: PrimitiveCall

    init(of weight: TrainableArray, from layout: Layout, to other: Layout) throws(EngineError) {
        buffer = AlignedBuffer(byteCount: other.byteCount)
        call = try PrimitiveCall(reorderingFrom: layout, weight.values.pointer, to: other, buffer.pointer)
    }

    /// Brings the copy up to date.
    func renew() { call.execute() }
}
