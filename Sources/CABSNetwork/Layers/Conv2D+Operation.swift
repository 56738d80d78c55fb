import CDNN
import CVectorMath

extension Conv2D: ExampleStageLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        try ConvolutionOperation(self, from: input, to: output, in: context)
    }
}

/// The convolution of one example, with its parameters.
///
/// The weight gradient Gᵢ of one example is formed by itself while the example is at hand; one pass then adds
/// it to the worker's sum and takes its squared norm. Both are in the core's cache.
private struct ConvolutionOperation: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    let weight: TrainableArray
    let bias: TrainableArray
    let estimator: GradientEstimator
    let forward: Primitive
    let backwardWeights: Primitive
    let weightLayout: Layout
    let weightGradientLayout: Layout
    let biasLayout: Layout
    /// The gradient with respect to the input; none where no earlier layer has parameters.
    let backwardData: BackwardData?

    struct BackwardData {
        let primitive: Primitive
        let weightLayout: Layout
        /// The weights once more in this layout, renewed once a step; none where the layouts agree.
        let copy: (buffer: AlignedBuffer, call: PrimitiveCall)?
    }

    init(
        _ layer: Conv2D, from arriving: TensorLayout, to shape: ExampleShape, in context: StageContext
    ) throws(EngineError) {
        var window = layer.window.geometry(for: arriving.shape)
        let identity = context.parameters["weight"]!
        let anySource = try Layout.image(arriving.shape, dnnl_format_tag_any)
        let anyDestination = try Layout.image(shape, dnnl_format_tag_any)
        let anyWeights = try Layout(identity.shape, dnnl_format_tag_any)
        let biasLayout = try Layout([layer.filters], dnnl_a)
        let forward = try Primitive("the convolution \(context.name)") {
            cdnn_convolution_forward(
                &$0, $1, anySource.handle, anyWeights.handle, biasLayout.handle, anyDestination.handle, &window)
        }
        let source = try forward.layout(dnnl_query_src_md)
        let destination = try forward.layout(dnnl_query_dst_md)
        let backwardWeights = try Primitive("the weight gradient of \(context.name)") {
            cdnn_convolution_backward_weights(
                &$0, $1, source.handle, anyWeights.handle, biasLayout.handle, destination.handle, &window,
                forward.descriptor)
        }
        let weightLayout = try forward.layout(dnnl_query_weights_md)
        let weightGradientLayout = try backwardWeights.layout(dnnl_query_diff_weights_md)
        let plainWeights = try Layout(identity.shape, dnnl_oihw)
        let weight = try TrainableArray(
            identity, form: StoredForm(repetitions: 1, plain: plainWeights, stored: weightLayout),
            gradientForm: StoredForm(repetitions: 1, plain: plainWeights, stored: weightGradientLayout),
            sumCount: context.workerCount)
        if context.backpropagates {
            let primitive = try Primitive("the input gradient of \(context.name)") {
                cdnn_convolution_backward_data(
                    &$0, $1, source.handle, anyWeights.handle, destination.handle, &window, forward.descriptor)
            }
            backwardData = try BackwardData(primitive, weight: weight, storedAs: weightLayout)
        } else {
            backwardData = nil
        }
        input = TensorLayout(shape: arriving.shape, layout: source)
        output = TensorLayout(shape: shape, layout: destination)
        self.weight = weight
        bias = try TrainableArray(plain: context.parameters["bias"]!, sumCount: context.workerCount)
        estimator = context.estimator
        self.forward = forward
        self.backwardWeights = backwardWeights
        self.weightLayout = weightLayout
        self.weightGradientLayout = weightGradientLayout
        self.biasLayout = biasLayout
    }

    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    var parameters: [TrainableArray] { [weight, bias] }
    var scratchByteCount: Int {
        max(
            forward.scratch.byteCount, backwardWeights.scratch.byteCount,
            backwardData?.primitive.scratch.byteCount ?? 0)
    }

    func parametersDidChange() { backwardData?.copy?.call.execute() }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        try ConvolutionKernel(self, places)
    }
}

extension ConvolutionOperation.BackwardData {
    fileprivate init(
        _ primitive: Primitive, weight: TrainableArray, storedAs stored: Layout
    ) throws(EngineError) {
        self.primitive = primitive
        weightLayout = try primitive.layout(dnnl_query_weights_md)
        if weightLayout == stored {
            copy = nil
        } else {
            let buffer = AlignedBuffer(byteCount: weightLayout.byteCount)
            let reorder = try Primitive.reorder(from: stored, to: weightLayout)
            let call = try PrimitiveCall(
                reorder, scratch: AlignedBuffer(byteCount: reorder.scratch.byteCount),
                [
                    .init(DNNL_ARG_FROM, stored, ExampleTensor(weight.values.pointer)),
                    .init(DNNL_ARG_TO, weightLayout, ExampleTensor(buffer.pointer)),
                ])
            copy = (buffer, call)
        }
    }
}

/// A convolution bound to one worker's memory.
private final class ConvolutionKernel: ExampleKernel {
    private let forwardCall: PrimitiveCall
    private let backwardWeightsCall: PrimitiveCall
    private let backwardDataCall: PrimitiveCall?
    private let squares: SquaredBackwardWeights?
    private let weight: GradientSink
    private let bias: GradientSink
    private let measures: Bool

    init(_ operation: ConvolutionOperation, _ places: ExamplePlaces) throws(EngineError) {
        weight = GradientSink(
            operation.weight, worker: places.worker, byteCount: operation.weightGradientLayout.byteCount)
        bias = GradientSink(
            operation.bias, worker: places.worker, byteCount: operation.biasLayout.byteCount)
        measures = operation.estimator == .exact
        forwardCall = try PrimitiveCall(
            operation.forward, scratch: places.scratch,
            [
                .init(DNNL_ARG_SRC, operation.input.layout, places.input),
                .init(DNNL_ARG_WEIGHTS, operation.weightLayout, ExampleTensor(operation.weight.values.pointer)),
                .init(DNNL_ARG_BIAS, operation.biasLayout, ExampleTensor(operation.bias.values.pointer)),
                .init(DNNL_ARG_DST, operation.output.layout, places.output),
            ])
        let gradients: [PrimitiveCall.Argument] = [
            .init(DNNL_ARG_DIFF_WEIGHTS, operation.weightGradientLayout, ExampleTensor(weight.example.pointer)),
            .init(DNNL_ARG_DIFF_BIAS, operation.biasLayout, ExampleTensor(bias.example.pointer)),
        ]
        backwardWeightsCall = try PrimitiveCall(
            operation.backwardWeights, scratch: places.scratch,
            [
                .init(DNNL_ARG_SRC, operation.input.layout, places.input),
                .init(DNNL_ARG_DIFF_DST, operation.output.layout, places.outputGradient),
            ] + gradients)
        squares =
            operation.estimator == .reference
            ? try SquaredBackwardWeights(operation, places, gradients) : nil
        if let data = operation.backwardData, let inputGradient = places.inputGradient {
            let weights = data.copy?.buffer ?? operation.weight.values
            backwardDataCall = try PrimitiveCall(
                data.primitive, scratch: places.scratch,
                [
                    .init(DNNL_ARG_DIFF_DST, operation.output.layout, places.outputGradient),
                    .init(DNNL_ARG_WEIGHTS, data.weightLayout, ExampleTensor(weights.pointer)),
                    .init(DNNL_ARG_DIFF_SRC, operation.input.layout, inputGradient),
                ])
        } else {
            backwardDataCall = nil
        }
    }

    func forward(slot: Int, pass: ExamplePass) { forwardCall.execute(slot: slot) }

    func backward(slot: Int, pass: ExamplePass, tally: GradientTally) {
        backwardWeightsCall.execute(slot: slot)
        if measures {
            tally.add(weight.addExampleMeasuring(), parameter: weight.parameter)
            tally.add(bias.addExampleMeasuring(), parameter: bias.parameter)
        } else {
            weight.addExample()
            bias.addExample()
        }
        if let squares {
            squares.execute(slot: slot)
            tally.add(weight.exampleSum, parameter: weight.parameter)
            tally.add(bias.exampleSum, parameter: bias.parameter)
        }
        backwardDataCall?.execute(slot: slot)
    }
}

/// Where one example's gradient of a parameter goes.
private struct GradientSink {
    let parameter: Int
    /// The example's own gradient.
    let example: AlignedBuffer
    /// The worker's sum over examples.
    let sum: AlignedBuffer

    init(_ array: TrainableArray, worker: Int, byteCount: Int) {
        parameter = array.identity.index
        example = AlignedBuffer(byteCount: byteCount)
        sum = array.gradientSums[worker]
    }

    func addExample() { cvm_add(sum.pointer, example.pointer, sum.count) }

    /// Returns the squared norm of the example's gradient.
    func addExampleMeasuring() -> Double {
        cvm_add_with_squared_norm(sum.pointer, example.pointer, sum.count)
    }

    var exampleSum: Double { cvm_sum(example.pointer, example.count) }
}

/// The authors' approximation of a convolution's squared gradients: the weight gradient that squared inputs and
/// squared output gradients would have (their `gradient_moment.py`).
private struct SquaredBackwardWeights {
    let call: PrimitiveCall
    let input: ExampleTensor
    let outputGradient: ExampleTensor
    let squaredInput: AlignedBuffer
    let squaredOutputGradient: AlignedBuffer

    init(
        _ operation: ConvolutionOperation, _ places: ExamplePlaces, _ gradients: [PrimitiveCall.Argument]
    ) throws(EngineError) {
        input = places.input
        outputGradient = places.outputGradient
        squaredInput = AlignedBuffer(count: operation.input.storedCount)
        squaredOutputGradient = AlignedBuffer(count: operation.output.storedCount)
        call = try PrimitiveCall(
            operation.backwardWeights, scratch: places.scratch,
            [
                .init(DNNL_ARG_SRC, operation.input.layout, ExampleTensor(squaredInput.pointer)),
                .init(
                    DNNL_ARG_DIFF_DST, operation.output.layout, ExampleTensor(squaredOutputGradient.pointer)),
            ] + gradients)
    }

    func execute(slot: Int) {
        cvm_square(squaredInput.pointer, input[slot], squaredInput.count)
        cvm_square(squaredOutputGradient.pointer, outputGradient[slot], squaredOutputGradient.count)
        call.execute()
    }
}
