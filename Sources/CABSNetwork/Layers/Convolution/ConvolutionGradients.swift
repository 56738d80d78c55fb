import CABSPrimitives

/// How a convolution's gradients follow from those of its output: what all workers share.
protocol ConvolutionGradients: Sendable {
    var scratchByteCount: Int { get }
    /// The ways, for people to read.
    var computations: [PlannedComputation] { get }
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

/// How a convolution's weight gradient and the norms of its examples' own are computed.
protocol WeightGradientPlan: Sendable {
    /// The layout of the weight gradient.
    var layout: Layout { get }
    var scratchByteCount: Int { get }
    var computation: PlannedComputation { get }
    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel
}

/// How a convolution's input gradient is computed.
protocol InputGradientPlan: Sendable {
    var scratchByteCount: Int { get }
    var computation: PlannedComputation { get }
    func parametersDidChange()
    /// - Parameter inputGradient: Where it goes.
    func bind(_ places: ExamplePlaces, _ inputGradient: TensorAddress) throws(EngineError) -> any ExampleCalls
}

/// Both gradients, each in a way of its own, whatever the output gradient: that of the weights, and, where an earlier layer has parameters,
/// that of the input.
struct SeparateGradients: ConvolutionGradients {
    let weightGradient: any WeightGradientPlan
    let inputGradient: (any InputGradientPlan)?

    var scratchByteCount: Int { max(weightGradient.scratchByteCount, inputGradient?.scratchByteCount ?? 0) }
    var computations: [PlannedComputation] {
        [weightGradient.computation] + (inputGradient.map { [$0.computation] } ?? [])
    }

    func parametersDidChange() { inputGradient?.parametersDidChange() }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        var inputCalls: (any ExampleCalls)?
        if let inputGradient, let destination = places.inputGradient {
            inputCalls = try inputGradient.bind(places, destination)
        }
        return Kernel(weightGradient: try weightGradient.bind(operation, to: places), inputGradient: inputCalls)
    }

    private final class Kernel: ConvolutionGradientKernel {
        private let weightGradient: any ConvolutionGradientKernel
        private let inputGradient: (any ExampleCalls)?

        init(weightGradient: any ConvolutionGradientKernel, inputGradient: (any ExampleCalls)?) {
            self.weightGradient = weightGradient
            self.inputGradient = inputGradient
        }

        func beginStep() { weightGradient.beginStep() }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            weightGradient.backward(slots, tally: tally)
            inputGradient?.execute(slots)
        }
    }
}
