import CABSPrimitives

/// How a convolution's output is computed: what all workers share.
protocol ConvolutionForward: Sendable {
    var scratchByteCount: Int { get }
    /// The way, for people to read.
    var computation: PlannedComputation { get }
    func bind(_ operation: ConvolutionOperation, to places: ExamplePlaces) throws(EngineError) -> any ExampleCalls
}

/// Something bound to one worker's memory that is computed for the examples in some places.
protocol ExampleCalls {
    func execute(_ slots: Range<Int>)
}

extension PrimitiveCalls: ExampleCalls {}

/// The output by oneDNN.
struct PrimitiveForward: ConvolutionForward {
    let family: PrimitiveFamily

    var scratchByteCount: Int { family.scratchByteCount }
    var computation: PlannedComputation {
        PlannedComputation(.forward, family.exampleCountText, implementations: [family.implementation])
    }

    func bind(_ operation: ConvolutionOperation, to places: ExamplePlaces) throws(EngineError) -> any ExampleCalls {
        try operation.primitives.bindForward(family, operation, to: places)
    }
}

/// The output as a product of weights and patches.
struct ProductForward: ConvolutionForward {
    let product: ConvolutionProduct

    var scratchByteCount: Int { product.scratchByteCount }
    var computation: PlannedComputation {
        PlannedComputation(.forward, ConvolutionProduct.way, implementations: product.implementations)
    }

    func bind(_ operation: ConvolutionOperation, to places: ExamplePlaces) throws(EngineError) -> any ExampleCalls {
        try product.bindForward(
            input: places.input, output: places.output, weight: operation.weight.values, bias: operation.bias.values,
            scratch: places.scratch)
    }
}
