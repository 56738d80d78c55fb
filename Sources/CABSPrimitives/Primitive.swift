import CDNN
import CVectorMath

/// Runs `body` with OpenMP granting this thread no helpers: oneDNN plans and runs a primitive for as many threads
/// as it would get.
package func withoutOpenMPThreads<Value, Failure: Error>(
    _ body: () throws(Failure) -> Value
) throws(Failure) -> Value {
    let before = omp_get_max_threads()
    omp_set_num_threads(1)
    defer { omp_set_num_threads(before) }
    return try body()
}

/// Makes all primitives that this thread runs from here on run on it alone.
package func forbidOpenMPThreads() { omp_set_num_threads(1) }

/// What every oneDNN call needs: the engine, made once for the process. Our own loops use the same instruction set from then on.
package struct DNNLEngine: @unchecked Sendable {
    // oneDNN's CPU engine has no state that its functions change: the proof of Sendable.
    let handle: dnnl_engine_t

    package static let shared: Result<DNNLEngine, EngineError> = {
        var handle: dnnl_engine_t?
        let status = dnnl_engine_create(&handle, dnnl_cpu, 0)
        guard status == dnnl_success, let handle else {
            return .failure(.primitiveUnavailable(what: "a CPU engine", status: status.rawValue))
        }
        InstructionSet.effective.limitVectorMath()
        return .success(DNNLEngine(handle: handle))
    }()
}

/// A computation that oneDNN has compiled for given layouts and one thread. It may run on several threads at a
/// time, as every call brings its own memory, scratch memory included.
package final class Primitive: Sendable {
    private let ownedDescriptor: OwnedHandle<dnnl_primitive_desc_t>
    // `dnnl_primitive_execute` is thread-safe with scratch memory from the caller.
    private let ownedHandle: OwnedHandle<dnnl_primitive_t>
    package let scratch: Layout
    /// oneDNN's name for what it chose, such as `jit:avx2`.
    package let implementation: String

    /// Makes the primitive that `describe` describes, for one thread.
    package init(
        _ what: @autoclosure () -> String,
        describe: (inout dnnl_primitive_desc_t?, dnnl_engine_t) -> dnnl_status_t
    ) throws(EngineError) {
        let engine = try DNNLEngine.shared.get()
        var descriptor: dnnl_primitive_desc_t?
        var handle: dnnl_primitive_t?
        let status = withoutOpenMPThreads {
            let status = describe(&descriptor, engine.handle)
            return status == dnnl_success ? dnnl_primitive_create(&handle, descriptor) : status
        }
        guard status == dnnl_success, let descriptor, let handle else {
            if let descriptor { dnnl_primitive_desc_destroy(descriptor) }
            throw .primitiveUnavailable(what: what(), status: status.rawValue)
        }
        ownedDescriptor = OwnedHandle(descriptor) { dnnl_primitive_desc_destroy($0) }
        ownedHandle = OwnedHandle(handle) { dnnl_primitive_destroy($0) }
        scratch = try Self.layout(of: descriptor, .scratch)
        implementation = String(cString: cdnn_implementation(descriptor))
    }

    /// Whether this is one of the slow implementations that oneDNN has for what it has not compiled.
    package var isReference: Bool { implementation.split(separator: ":").contains("ref") }

    package var descriptor: dnnl_primitive_desc_t { ownedDescriptor.handle }
    package var handle: dnnl_primitive_t { ownedHandle.handle }

    /// A layout that the primitive settled on.
    package func layout(of operand: Operand) throws(EngineError) -> Layout {
        try Self.layout(of: descriptor, operand)
    }

    private static func layout(
        of descriptor: dnnl_primitive_desc_t, _ operand: Operand
    ) throws(EngineError) -> Layout {
        var handle: cdnn_layout?
        try check(cdnn_layout_query(&handle, descriptor, operand.query), "a query for a layout")
        return Layout(taking: handle!)
    }
}

/// Copies a tensor from one layout to another, outside of training steps.
package func reorder(
    from source: Layout, _ input: UnsafeMutablePointer<Float>, to destination: Layout,
    _ output: UnsafeMutablePointer<Float>
) throws(EngineError) {
    let call = try PrimitiveCall(reorderingFrom: source, input, to: destination, output)
    withoutOpenMPThreads { call.execute() }
}

extension Primitive {
    /// A copy from one layout to another.
    package static func reorder(from source: Layout, to destination: Layout) throws(EngineError) -> Primitive {
        try Primitive("a change of memory layout") {
            cdnn_reorder(&$0, $1, source.handle, destination.handle)
        }
    }
}
