import CABSExamples
import CABSPrimitives
import CVectorMath

/// A layer that treats every value by itself.
protocol ElementwiseLayer: ExampleStageLayer, BatchStageLayer {
    func makeFunction(in context: StageContext) -> any ElementwiseFunction
    /// Whether larger values stay larger, so that the layer may trade places with a maximum.
    static var isIncreasing: Bool { get }
    /// Whether what becomes of a value depends on its number, which then must not follow from the memory layout.
    static var readsNumbers: Bool { get }
}

/// A function of single values and its derivative, in place. The stages of a step share it.
protocol ElementwiseFunction: Sendable {
    /// Whether zero stays zero.
    var mapsZeroToZero: Bool { get }
    /// What the backward pass reads.
    var backwardReads: BackwardOperand { get }
    /// Replaces `count` values, of which the first is the example's value number `offset`, by the function's.
    ///
    /// - Parameter draw: The number of examples drawn before this one; none where this is an evaluation.
    func forward(_ values: UnsafeMutablePointer<Float>, count: Int, offset: Int, draw: UInt64?)
    /// Multiplies the output gradient by the derivative.
    ///
    /// - Parameter operand: What ``backwardReads`` says; not to be read where that is nothing.
    func backward(
        _ gradient: UnsafeMutablePointer<Float>, operand: UnsafePointer<Float>, count: Int, offset: Int, draw: UInt64)
}

/// What the derivative of a function follows from.
enum BackwardOperand {
    case nothing, input, output
}

/// A layer with an activation function.
protocol Activation: ElementwiseLayer {
    static var function: ActivationFunction { get }
}

extension Activation {
    static var isIncreasing: Bool { true }
    static var readsNumbers: Bool { false }
    func makeFunction(in context: StageContext) -> any ElementwiseFunction { Self.function }
}

/// An activation function whose derivative follows from its value, or its argument.
struct ActivationFunction: ElementwiseFunction {
    let forward: @convention(c) @Sendable (UnsafeMutablePointer<Float>?, Int) -> Void
    let backward: @convention(c) @Sendable (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void
    let mapsZeroToZero: Bool
    var backwardReads = BackwardOperand.output

    func forward(_ values: UnsafeMutablePointer<Float>, count: Int, offset: Int, draw: UInt64?) {
        forward(values, count)
    }

    func backward(
        _ gradient: UnsafeMutablePointer<Float>, operand: UnsafePointer<Float>, count: Int, offset: Int, draw: UInt64
    ) {
        backward(gradient, operand, count)
    }
}

extension ElementwiseLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        let plain = TensorLayout(shape: input.shape, layout: try Layout.image(input.shape))
        return try ElementwiseOperation(
            input: Self.readsNumbers ? plain : input, function: makeFunction(in: context))
    }
}

/// An elementwise layer in the example stage.
private struct ElementwiseOperation: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    let function: any ElementwiseFunction
    /// One where a value stands, zero where padding does; none where there is no padding or it stays zero.
    let paddingMask: AlignedBuffer?

    init(input: TensorLayout, function: any ElementwiseFunction) throws(EngineError) {
        self.input = input
        // The shape of the layout, which behind Flatten is still an image's.
        output = TensorLayout(shape: input.shape, layout: input.layout)
        self.function = function
        if input.isPadded && !function.mapsZeroToZero {
            let mask = AlignedBuffer(count: input.storedCount)
            let ones = StoredForm(repetitions: 1, plain: try Layout.image(input.shape), stored: input.layout)
            try ones.store(Array(repeating: 1, count: input.shape.count), into: mask)
            paddingMask = mask
        } else {
            paddingMask = nil
        }
    }

    var backwardReadsInput: Bool { function.backwardReads == .input }
    var backwardReadsOutput: Bool { function.backwardReads == .output }
    let worksInPlace = true
    let scratchByteCount = 0

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(operation: self, places: places) }

    private final class Kernel: ExampleKernel {
        let operation: ElementwiseOperation
        let places: ExamplePlaces

        init(operation: ElementwiseOperation, places: ExamplePlaces) {
            self.operation = operation
            self.places = places
        }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {
            let count = operation.output.storedCount
            for slot in slots {
                let output = places.output[slot]
                if output != places.input[slot] { output.update(from: places.input[slot], count: count) }
                operation.function.forward(
                    output, count: count, offset: 0, draw: pass.isTraining ? pass.draw(of: slot) : nil)
                if let mask = operation.paddingMask { cvm_multiply(output, mask.pointer, count) }
            }
        }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            guard places.inputGradient != nil else { return }
            let operand = operation.backwardReadsInput ? places.input : places.output
            for slot in slots {
                operation.function.backward(
                    places.outputGradient[slot], operand: operand[slot],
                    count: operation.output.storedCount, offset: 0, draw: pass.draw(of: slot))
            }
        }
    }
}
