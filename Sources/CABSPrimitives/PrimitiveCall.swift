import CDNN

/// A primitive with all its arguments bound to memory, so that running it for one example costs nothing but
/// the call.
package final class PrimitiveCall: @unchecked Sendable {
    /// One argument: what it is, its layout and where it lies.
    package struct Argument {
        let operand: Operand
        package let layout: Layout
        let tensor: TensorAddress

        package init(_ operand: Operand, _ layout: Layout, _ tensor: TensorAddress) {
            self.operand = operand
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

    package init(_ primitive: Primitive, scratch: AlignedBuffer, _ bound: [Argument]) throws(EngineError) {
        let engine = try DNNLEngine.shared.get()
        var created: dnnl_stream_t?
        try check(dnnl_stream_create(&created, engine.handle, dnnl_stream_default_flags.rawValue), "a stream")
        stream = OwnedHandle(created!) { dnnl_stream_destroy($0) }
        let all = bound + [Argument(.scratch, primitive.scratch, TensorAddress(scratch.pointer))]
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
                dnnl_exec_arg_t(arg: argument.operand.argument, memory: column[column.count == 1 ? 0 : slot].handle)
            }
        }
    }

    /// A copy from one layout to another between two fixed places.
    package convenience init(
        reorderingFrom source: Layout, _ input: UnsafeMutablePointer<Float>, to destination: Layout,
        _ output: UnsafeMutablePointer<Float>
    ) throws(EngineError) {
        let primitive = try Primitive.reorder(from: source, to: destination)
        try self.init(
            primitive, scratch: AlignedBuffer(byteCount: primitive.scratch.byteCount),
            [
                .init(.from, source, TensorAddress(input)),
                .init(.to, destination, TensorAddress(output)),
            ])
    }

    /// oneDNN's name for what it chose.
    package var implementation: String { primitive.implementation }

    /// Runs the primitive for the examples in those places, one after the other.
    package func execute(_ slots: Range<Int>) {
        for slot in slots { execute(slot: slot) }
    }

    /// Runs the primitive for the example in that place.
    package func execute(slot: Int = 0) {
        let status = arguments.withUnsafeBufferPointer { all in
            // A call whose tensors have one place each serves every slot.
            let first = all.count == argumentCount ? 0 : slot * argumentCount
            return dnnl_primitive_execute(
                primitive.handle, stream.handle, Int32(argumentCount), all.baseAddress! + first)
        }
        precondition(status == dnnl_success, "oneDNN failed to run a primitive: status \(status.rawValue)")
    }
}
