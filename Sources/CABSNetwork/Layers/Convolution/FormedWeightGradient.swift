import CABSPrimitives
import CVectorMath

/// The weight gradient of each example by itself, while the example is at hand: one pass then adds it to the worker's sum and
/// takes its squared norm. For parameters that fit there, both are in the core's cache.
struct FormedWeightGradient: WeightGradientPlan {
    let layout: Layout
    private let former: Former
    private let estimator: GradientEstimator

    /// What forms the gradient.
    private enum Former {
        case primitive(ConvolutionPrimitives, PrimitiveFamily, Layout)
        case direct(DirectWeightGradient)
        case product(ConvolutionProduct)

        func bind(
            input: TensorAddress, outputGradient: TensorAddress, weight: AlignedBuffer, bias: AlignedBuffer,
            scratch: AlignedBuffer
        ) throws(EngineError) -> any ExampleCalls {
            switch self {
            case .primitive(let primitives, let family, let layout):
                try primitives.bindBackwardWeights(
                    family, layout, input: input, outputGradient: outputGradient, weight: weight, bias: bias,
                    scratch: scratch)
            case .direct(let direct):
                direct.bind(input: input, outputGradient: outputGradient, weight: weight, bias: bias)
            case .product(let product):
                try product.bindWeightGradient(
                    input: input, outputGradient: outputGradient, weight: weight, bias: bias, scratch: scratch)
            }
        }
    }

    init(_ primitives: ConvolutionPrimitives, estimator: GradientEstimator) throws(EngineError) {
        self.estimator = estimator
        if let (family, layout) = try primitives.makeBackwardWeights(singly: true) {
            former = .primitive(primitives, family, layout)
            self.layout = layout
        } else if let direct = try DirectWeightGradient(primitives) {
            former = .direct(direct)
            layout = direct.layout
        } else {
            former = .product(try ConvolutionProduct(primitives))
            layout = try primitives.plainWeightLayout()
        }
    }

    var scratchByteCount: Int {
        switch former {
        case .primitive(_, let family, _): family.scratchByteCount
        case .direct: 0
        case .product(let product): product.scratchByteCount
        }
    }

    var computation: PlannedComputation {
        switch former {
        case .primitive(_, let family, _):
            PlannedComputation(.weightGradient, "formed", implementations: [family.implementation])
        case .direct: PlannedComputation(.weightGradient, "formed in loops over few channels")
        case .product(let product):
            PlannedComputation(
                .weightGradient, "formed by \(ConvolutionProduct.way)", implementations: product.implementations)
        }
    }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        try Kernel(self, operation, places)
    }

    private final class Kernel: ConvolutionGradientKernel {
        private let calls: any ExampleCalls
        private let squares: SquaredGradient?
        private let weight: GradientSink
        private let bias: GradientSink
        private let measures: Bool

        init(
            _ plan: FormedWeightGradient, _ operation: ConvolutionOperation, _ places: ExamplePlaces
        ) throws(EngineError) {
            let (weight, bias) = (
                GradientSink(
                    parameter: operation.weight.identity.index, sum: operation.weight.gradientSums[places.worker]),
                GradientSink(
                    parameter: operation.bias.parameter, sum: operation.bias.gradientSums[places.worker])
            )
            func bind(_ input: TensorAddress, _ outputGradient: TensorAddress) throws(EngineError) -> any ExampleCalls {
                try plan.former.bind(
                    input: input, outputGradient: outputGradient, weight: weight.formed, bias: bias.formed,
                    scratch: places.scratch)
            }
            calls = try bind(places.input, places.outputGradient)
            squares = plan.estimator == .reference ? try SquaredGradient(operation, places, bind) : nil
            measures = plan.estimator == .exact
            self.weight = weight
            self.bias = bias
        }

        func beginStep() {
            weight.sum.zero()
            bias.sum.zero()
        }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            for slot in slots { backward(slot: slot, tally: tally) }
        }

        private func backward(slot: Int, tally: GradientTally) {
            calls.execute(slot..<slot + 1)
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
    /// The parameter's number; nothing where its norms are of no use.
    let parameter: Int?
    /// The gradient just formed, of one example or several.
    let formed: AlignedBuffer
    /// The worker's sum over examples.
    let sum: AlignedBuffer

    init(parameter: Int?, sum: AlignedBuffer) {
        self.parameter = parameter
        self.sum = sum
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
    let calls: any ExampleCalls
    let input: TensorAddress
    let outputGradient: TensorAddress
    let squaredInput: AlignedBuffer
    let squaredOutputGradient: AlignedBuffer

    /// - Parameter bind: Binds what forms the gradient to an input and an output gradient.
    init(
        _ operation: ConvolutionOperation, _ places: ExamplePlaces,
        _ bind: (_ input: TensorAddress, _ outputGradient: TensorAddress) throws(EngineError) -> any ExampleCalls
    ) throws(EngineError) {
        input = places.input
        outputGradient = places.outputGradient
        squaredInput = AlignedBuffer(count: operation.input.storedCount)
        squaredOutputGradient = AlignedBuffer(count: operation.output.storedCount)
        calls = try bind(TensorAddress(squaredInput.pointer), TensorAddress(squaredOutputGradient.pointer))
    }

    func execute(slot: Int) {
        cvm_square(squaredInput.pointer, input[slot], squaredInput.count)
        cvm_square(squaredOutputGradient.pointer, outputGradient[slot], squaredOutputGradient.count)
        calls.execute(0..<1)
    }
}
