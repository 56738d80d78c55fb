import CABSPrimitives

/// The input gradient by oneDNN.
struct PrimitiveInputGradient: InputGradientPlan {
    private let primitives: ConvolutionPrimitives
    private let family: PrimitiveFamily
    private let weights: WeightCopy

    init(
        _ primitives: ConvolutionPrimitives, _ found: (family: PrimitiveFamily, weightLayout: Layout),
        weight: TrainableArray
    ) throws(EngineError) {
        self.primitives = primitives
        family = found.family
        weights = try WeightCopy(of: weight, from: primitives.weightLayout, to: found.weightLayout)
    }

    var scratchByteCount: Int { family.scratchByteCount }
    var computation: PlannedComputation {
        PlannedComputation(
            .inputGradient, family.exampleCountText, implementations: [family.implementation] + weights.implementations)
    }

    func parametersDidChange() { weights.renew() }

    func bind(_ places: ExamplePlaces, _ inputGradient: TensorAddress) throws(EngineError) -> any ExampleCalls {
        try primitives.bindBackwardData(family, weights.layout, weights.buffer, to: places, inputGradient)
    }
}

/// The input gradient as a product of weights and output gradient.
struct ProductInputGradient: InputGradientPlan {
    private let product: ConvolutionProduct
    private let weights: WeightCopy

    init(_ primitives: ConvolutionPrimitives, weight: TrainableArray) throws(EngineError) {
        product = try ConvolutionProduct(primitives)
        weights = try WeightCopy(
            of: weight, from: primitives.weightLayout, to: primitives.plainWeightLayout())
    }

    var scratchByteCount: Int { product.scratchByteCount }
    var computation: PlannedComputation {
        PlannedComputation(
            .inputGradient, ConvolutionProduct.way, implementations: product.implementations + weights.implementations)
    }

    func parametersDidChange() { weights.renew() }

    func bind(_ places: ExamplePlaces, _ inputGradient: TensorAddress) throws(EngineError) -> any ExampleCalls {
        try product.bindInputGradient(
            inputGradient: inputGradient, outputGradient: places.outputGradient, weight: weights.buffer,
            scratch: places.scratch)
    }
}

/// A layer's weights in a layout that a gradient takes them in: the weights themselves where it is theirs, or else a copy, renewed
/// once a step.
struct WeightCopy: Sendable {
    let layout: Layout
    let buffer: AlignedBuffer
    private let call: PrimitiveCall?

    init(of weight: TrainableArray, from layout: Layout, to other: Layout) throws(EngineError) {
        self.layout = other
        if layout == other {
            (buffer, call) = (weight.values, nil)
        } else {
            buffer = AlignedBuffer(byteCount: other.byteCount)
            call = try PrimitiveCall(reorderingFrom: layout, weight.values.pointer, to: other, buffer.pointer)
        }
    }

    var implementations: [String] { call.map { [$0.implementation] } ?? [] }

    /// Brings the copy up to date.
    func renew() { call?.execute() }
}
