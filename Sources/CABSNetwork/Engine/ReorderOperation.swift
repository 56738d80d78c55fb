import CABSPrimitives

/// A change of memory layout between two operations, for one example at a time.
struct ReorderOperation: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    private let forward: Primitive
    private let backward: Primitive

    init(from input: TensorLayout, to output: Layout) throws(EngineError) {
        self.input = input
        self.output = TensorLayout(shape: input.shape, layout: output)
        forward = try Primitive.reorder(from: input.layout, to: output)
        backward = try Primitive.reorder(from: output, to: input.layout)
    }

    let backwardReadsInput = false
    let backwardReadsOutput = false
    let worksInPlace = false
    var scratchByteCount: Int { max(forward.scratch.byteCount, backward.scratch.byteCount) }

    var computations: [PlannedComputation] {
        [
            PlannedComputation(.forward, "copied", implementations: [forward.implementation]),
            PlannedComputation(.inputGradient, "copied", implementations: [backward.implementation]),
        ]
    }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        try Kernel(self, places)
    }

    private final class Kernel: ExampleKernel {
        private let forwardCall: PrimitiveCall
        private let backwardCall: PrimitiveCall?

        init(_ operation: ReorderOperation, _ places: ExamplePlaces) throws(EngineError) {
            forwardCall = try PrimitiveCall(
                operation.forward, scratch: places.scratch,
                [
                    .init(.from, operation.input.layout, places.input),
                    .init(.to, operation.output.layout, places.output),
                ])
            if let inputGradient = places.inputGradient {
                backwardCall = try PrimitiveCall(
                    operation.backward, scratch: places.scratch,
                    [
                        .init(.from, operation.output.layout, places.outputGradient),
                        .init(.to, operation.input.layout, inputGradient),
                    ])
            } else {
                backwardCall = nil
            }
        }

        func forward(_ slots: Range<Int>, pass: ExamplePass) { forwardCall.execute(slots) }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            backwardCall?.execute(slots)
        }
    }
}
