import CDNN
import CVectorMath

/// How a convolution's weight gradient and the norms of its examples' own are computed.
protocol WeightGradientPlan: Sendable {
    /// The layout of the weight gradient.
    var layout: Layout { get }
    var scratchByteCount: Int { get }
    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel
}

extension ConvolutionPrimitives {
    func planWeightGradient(estimator: GradientEstimator) throws(EngineError) -> any WeightGradientPlan {
        guard estimator != .reference, layer.gathersExamples(from: input.shape, to: output.shape) else {
            return try FormedWeightGradient(self, estimator: estimator)
        }
        if output.shape.count / layer.filters <= MultipliedWeightGradient.largestPositionCount {
            return try MultipliedWeightGradient(self, measures: estimator == .exact)
        }
        return try GatheredWeightGradient(self, measures: estimator == .exact)
    }
}

extension Conv2D {
    /// Whether the weight gradient is better computed for many examples at once.
    ///
    /// Forming each example's gradient costs passes over all parameters for each example. Where parameters are many and
    /// positions few, the Gram matrices of pixels and output gradients, which give its norm as well, are much smaller.
    func gathersExamples(from input: ExampleShape, to output: ExampleShape) -> Bool {
        gramCost(from: input, to: output) < formingCost(for: input)
    }

    /// What forming a gradient costs beyond its own arithmetic, in floating-point operations that would take as long: it is
    /// written, read, and added to a sum. Measured on Zen 5: about 40 for each parameter in the core's own cache, 150
    /// beyond it.
    private func formingCost(for input: ExampleShape) -> Int {
        let parameterCount = parameters(for: input)[0].shape.reduce(1, *)
        return parameterCount * (parameterCount <= 1 << 17 ? 40 : 150)
    }

    /// What the Gram matrices cost: two products, and a sum over kernel places that runs at an eighth of their speed.
    private func gramCost(from input: ExampleShape, to output: ExampleShape) -> Int {
        guard case .image(let height, let width, let channels) = input,
            case .image(let outputHeight, let outputWidth, _) = output
        else { return .max }
        let (pixels, positions) = (height * width, outputHeight * outputWidth)
        return 2 * pixels * pixels * channels + 2 * positions * positions * filters
            + 8 * 2 * positions * positions * kernelSize * kernelSize
    }
}

/// The weight gradient of each example by itself, while the example is at hand: one pass then adds it to the worker's sum and
/// takes its squared norm. For parameters that fit there, both are in the core's cache.
private struct FormedWeightGradient: WeightGradientPlan {
    let layout: Layout
    private let family: PrimitiveFamily
    private let estimator: GradientEstimator

    var scratchByteCount: Int { family.scratchByteCount }

    init(_ primitives: ConvolutionPrimitives, estimator: GradientEstimator) throws(EngineError) {
        (family, layout) = try primitives.makeBackwardWeights(singly: true)
        self.estimator = estimator
    }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        try Kernel(self, operation, places)
    }

    private final class Kernel: ConvolutionGradientKernel {
        private let call: PrimitiveCall
        private let squares: SquaredGradient?
        private let weight: GradientSink
        private let bias: GradientSink
        private let measures: Bool

        init(
            _ plan: FormedWeightGradient, _ operation: ConvolutionOperation, _ places: ExamplePlaces
        ) throws(EngineError) {
            weight = GradientSink(operation.weight, worker: places.worker)
            bias = GradientSink(operation.bias, worker: places.worker)
            measures = plan.estimator == .exact
            let gradients: [PrimitiveCall.Argument] = [
                .init(DNNL_ARG_DIFF_WEIGHTS, plan.layout, ExampleTensor(weight.formed.pointer)),
                .init(DNNL_ARG_DIFF_BIAS, operation.primitives.biasLayout, ExampleTensor(bias.formed.pointer)),
            ]
            call = try PrimitiveCall(
                plan.family[1], scratch: places.scratch,
                [
                    .init(DNNL_ARG_SRC, operation.input.layout, places.input),
                    .init(DNNL_ARG_DIFF_DST, operation.output.layout, places.outputGradient),
                ] + gradients)
            squares =
                plan.estimator == .reference
                ? try SquaredGradient(plan.family[1], operation, places, gradients) : nil
        }

        func beginStep() {
            weight.sum.zero()
            bias.sum.zero()
        }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            for slot in slots { backward(slot: slot, tally: tally) }
        }

        private func backward(slot: Int, tally: GradientTally) {
            call.execute(slot: slot)
            if measures {
                tally.add(weight.addMeasuring(), parameter: weight.parameter, example: slot)
                tally.add(bias.addMeasuring(), parameter: bias.parameter, example: slot)
            } else {
                weight.add()
                bias.add()
            }
            if let squares {
                squares.execute(slot: slot)
                tally.add(weight.formedSum, parameter: weight.parameter, example: slot)
                tally.add(bias.formedSum, parameter: bias.parameter, example: slot)
            }
        }
    }
}

/// Where a gradient of a parameter goes once it is formed.
struct GradientSink {
    let parameter: Int
    /// The gradient just formed, of one example or several.
    let formed: AlignedBuffer
    /// The worker's sum over examples.
    let sum: AlignedBuffer

    init(_ array: TrainableArray, worker: Int) {
        parameter = array.identity.index
        sum = array.gradientSums[worker]
        formed = AlignedBuffer(count: sum.count)
    }

    func add() { cvm_add(sum.pointer, formed.pointer, sum.count) }

    /// Returns the squared norm of the gradient just formed.
    func addMeasuring() -> Double { cvm_add_with_squared_norm(sum.pointer, formed.pointer, sum.count) }

    /// The sum of the values just formed.
    var formedSum: Double { cvm_sum(formed.pointer, formed.count) }
}

/// The authors' approximation of a convolution's squared gradients: the weight gradient that squared inputs and squared
/// output gradients would have (their `gradient_moment.py`).
private struct SquaredGradient {
    let call: PrimitiveCall
    let input: ExampleTensor
    let outputGradient: ExampleTensor
    let squaredInput: AlignedBuffer
    let squaredOutputGradient: AlignedBuffer

    init(
        _ primitive: Primitive, _ operation: ConvolutionOperation, _ places: ExamplePlaces,
        _ gradients: [PrimitiveCall.Argument]
    ) throws(EngineError) {
        input = places.input
        outputGradient = places.outputGradient
        squaredInput = AlignedBuffer(count: operation.input.storedCount)
        squaredOutputGradient = AlignedBuffer(count: operation.output.storedCount)
        call = try PrimitiveCall(
            primitive, scratch: places.scratch,
            [
                .init(DNNL_ARG_SRC, operation.input.layout, ExampleTensor(squaredInput.pointer)),
                .init(DNNL_ARG_DIFF_DST, operation.output.layout, ExampleTensor(squaredOutputGradient.pointer)),
            ] + gradients)
    }

    func execute(slot: Int) {
        cvm_square(squaredInput.pointer, input[slot], squaredInput.count)
        cvm_square(squaredOutputGradient.pointer, outputGradient[slot], squaredOutputGradient.count)
        call.execute()
    }
}
