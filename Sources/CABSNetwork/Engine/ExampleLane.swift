import CABSPrimitives

/// One worker's memory for the example stage, and the stage's operations bound to it.
final class ExampleLane {
    /// Where an example's input goes, channels first.
    let input: TensorAddress
    /// Where its outputs are found.
    let outputs: [TensorAddress]
    /// Where the gradients of its outputs go.
    let outputGradients: [TensorAddress]
    /// The operations that take one example at a time, and those after them that take all.
    private let singleKernels: ArraySlice<any ExampleKernel>
    private let groupKernels: ArraySlice<any ExampleKernel>
    private let buffers: [AlignedBuffer]

    /// - Parameter slotCount: How many examples the worker has in hand at a time.
    init(_ stage: ExampleStage, worker: Int, slotCount: Int) throws(EngineError) {
        let plan = PlacePlan(stage)
        var buffers: [AlignedBuffer] = []

        // Places follow each other without gaps, so that a primitive for several examples can take several.
        func allocate(_ places: PlacePlan.Places) -> [TensorAddress] {
            let tensors = places.layouts.enumerated().map { index, layout in
                let (count, slots) = (layout.storedCount, places.kept.contains(index) ? slotCount : 1)
                let buffer = AlignedBuffer(count: count * slots)
                buffers.append(buffer)
                return TensorAddress(buffer.pointer, slotStride: slots == 1 ? 0 : count, slotCount: slots)
            }
            return places.ofTensors.map { tensors[$0] }
        }
        let (values, gradients) = (allocate(plan.values), allocate(plan.gradients))
        let scratch = AlignedBuffer(byteCount: stage.nodes.map(\.operation.scratchByteCount).max() ?? 0)
        let kernels = try stage.nodes.map { node throws(EngineError) in
            try node.operation.bind(
                to: ExamplePlaces(
                    worker: worker, slotCount: slotCount, inputs: node.inputs.map { values[$0] },
                    outputs: node.outputs.map { values[$0] },
                    inputGradients: node.inputs.map { stage.needsGradient[$0] ? gradients[$0] : nil },
                    outputGradients: node.outputs.map { gradients[$0] }, scratch: scratch))
        }
        singleKernels = kernels[..<stage.groupStart]
        groupKernels = kernels[stage.groupStart...]
        self.buffers = buffers
        input = values[0]
        outputs = stage.outputTensors.map { values[$0] }
        outputGradients = stage.outputTensors.map { gradients[$0] }
    }

    func beginStep() {
        for kernel in singleKernels { kernel.beginStep() }
        for kernel in groupKernels { kernel.beginStep() }
    }

    /// - Parameters:
    ///   - begin: Puts an example's input in its place.
    ///   - finish: Takes an example's output over.
    func forward(_ slots: Range<Int>, pass: ExamplePass, begin: (_ slot: Int) -> Void, finish: (_ slot: Int) -> Void) {
        for slot in slots {
            begin(slot)
            for kernel in singleKernels { kernel.forward(slot..<slot + 1, pass: pass) }
            if groupKernels.isEmpty { finish(slot) }
        }
        guard !groupKernels.isEmpty else { return }
        for kernel in groupKernels { kernel.forward(slots, pass: pass) }
        for slot in slots { finish(slot) }
    }

    /// - Parameter begin: Puts the gradient of an example's output in its place.
    func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally, begin: (_ slot: Int) -> Void) {
        if !groupKernels.isEmpty {
            for slot in slots { begin(slot) }
            for kernel in groupKernels.reversed() { kernel.backward(slots, pass: pass, tally: tally) }
        }
        for slot in slots {
            if groupKernels.isEmpty { begin(slot) }
            for kernel in singleKernels.reversed() { kernel.backward(slot..<slot + 1, pass: pass, tally: tally) }
        }
    }
}
