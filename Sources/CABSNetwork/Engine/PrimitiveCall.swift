import CDNN

/// Where a tensor of the example stage lies: one place, or one for each example that a worker has in hand.
struct ExampleTensor: @unchecked Sendable {
    // A plain address; `AlignedBuffer` says who may use it when.
    let base: UnsafeMutablePointer<Float>
    /// Floats from one example's place to the next; zero where all share one place.
    let slotStride: Int
    /// The number of places.
    let slotCount: Int

    init(_ base: UnsafeMutablePointer<Float>, slotStride: Int = 0, slotCount: Int = 1) {
        self.base = base
        self.slotStride = slotStride
        self.slotCount = slotCount
    }

    subscript(slot: Int) -> UnsafeMutablePointer<Float> { base + slot * slotStride }

    /// The same places, so many to a group.
    func grouped(_ exampleCount: Int) -> ExampleTensor {
        if exampleCount == 1 { return self }
        return ExampleTensor(base, slotStride: slotStride * exampleCount, slotCount: slotCount / exampleCount)
    }
}

/// A primitive with all its arguments bound to memory, so that running it for one example costs nothing but
/// the call.
final class PrimitiveCall: @unchecked Sendable {
    /// One argument: oneDNN's number for it, its layout and where it lies.
    struct Argument {
        let index: Int32
        let layout: Layout
        let tensor: ExampleTensor

        init(_ index: Int32, _ layout: Layout, _ tensor: ExampleTensor) {
            self.index = index
            self.layout = layout
            self.tensor = tensor
        }
    }

    // One worker runs a call, and nothing here changes after init: the proof of Sendable.
    private let primitive: Primitive
    private let stream: OwnedHandle<dnnl_stream_t>
    private let memories: [OwnedHandle<dnnl_memory_t>]
    private let arguments: [dnnl_exec_arg_t]
    private let argumentCount: Int
    private let scratch: AlignedBuffer

    init(_ primitive: Primitive, scratch: AlignedBuffer, _ bound: [Argument]) throws(EngineError) {
        let engine = try DNNLEngine.shared.get()
        var created: dnnl_stream_t?
        try check(dnnl_stream_create(&created, engine.handle, dnnl_stream_default_flags.rawValue), "a stream")
        stream = OwnedHandle(created!) { dnnl_stream_destroy($0) }
        let all = bound + [Argument(DNNL_ARG_SCRATCHPAD, primitive.scratch, ExampleTensor(scratch.pointer))]
        let slotCount = all.map(\.tensor.slotCount).max()!
        var columns: [[OwnedHandle<dnnl_memory_t>]] = []
        for argument in all {
            var column: [OwnedHandle<dnnl_memory_t>] = []
            for slot in 0..<argument.tensor.slotCount {
                var memory: dnnl_memory_t?
                let status = cdnn_memory_create(
                    &memory, argument.layout.handle, engine.handle, argument.tensor[slot])
                try check(status, "a memory object")
                column.append(OwnedHandle(memory!) { dnnl_memory_destroy($0) })
            }
            columns.append(column)
        }
        self.primitive = primitive
        memories = columns.flatMap(\.self)
        self.scratch = scratch
        argumentCount = all.count
        arguments = (0..<slotCount).flatMap { slot in
            zip(all, columns).map { argument, column in
                dnnl_exec_arg_t(arg: argument.index, memory: column[column.count == 1 ? 0 : slot].handle)
            }
        }
    }

    /// A copy from one layout to another between two fixed places.
    convenience init(
        reorderingFrom source: Layout, _ input: UnsafeMutablePointer<Float>, to destination: Layout,
        _ output: UnsafeMutablePointer<Float>
    ) throws(EngineError) {
        let primitive = try Primitive.reorder(from: source, to: destination)
        try self.init(
            primitive, scratch: AlignedBuffer(byteCount: primitive.scratch.byteCount),
            [
                .init(DNNL_ARG_FROM, source, ExampleTensor(input)),
                .init(DNNL_ARG_TO, destination, ExampleTensor(output)),
            ])
    }

    /// oneDNN's name for what it chose.
    var implementation: String { primitive.implementation }

    /// Runs the primitive for the examples in those places, one after the other.
    func execute(_ slots: Range<Int>) {
        for slot in slots { execute(slot: slot) }
    }

    /// Runs the primitive for the example in that place.
    func execute(slot: Int = 0) {
        let status = arguments.withUnsafeBufferPointer { all in
            // A call whose tensors have one place each serves every slot.
            let first = all.count == argumentCount ? 0 : slot * argumentCount
            return dnnl_primitive_execute(
                primitive.handle, stream.handle, Int32(argumentCount), all.baseAddress! + first)
        }
        precondition(status == dnnl_success, "oneDNN failed to run a primitive: status \(status.rawValue)")
    }
}
