import CDNN

/// What the pooling layers have in common: a window that slides over each channel.
protocol Pooling: ExampleStageLayer {
    var poolSize: Int { get }
    var stride: Int { get }
    var padding: Padding { get }
    /// Whether a window gives its mean, and not its maximum.
    static var averages: Bool { get }
}

extension Pooling {
    var window: SlidingWindow { SlidingWindow(size: poolSize, stride: stride, padding: padding) }

    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        func operation(_ input: TensorLayout) throws(EngineError) -> PoolingOperation {
            try PoolingOperation(
                input: input, shape: output, window: window.geometry(for: input.shape), averages: Self.averages,
                backpropagates: context.backpropagates, name: context.name)
        }
        let asItComes = try operation(input)
        if asItComes.isCompiled { return asItComes }
        // Of plain images oneDNN has one that is not compiled either, but no reference.
        return try operation(TensorLayout(shape: input.shape, layout: Layout.image(input.shape)))
    }
}

/// A pooling layer's options as model files write them.
struct PoolingOptions: Codable {
    let poolSize: Int
    let stride: Int?
    let padding: Padding

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case poolSize = "pool-size"
        case stride, padding
    }

    init(poolSize: Int, stride: Int, padding: Padding) {
        self.poolSize = poolSize
        self.stride = stride
        self.padding = padding
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        poolSize = try container.decode(Int.self, forKey: .poolSize)
        stride = try container.decodeIfPresent(Int.self, forKey: .stride)
        padding = try container.decodeIfPresent(Padding.self, forKey: .padding) ?? .valid
    }
}

/// Pooling of one example.
private struct PoolingOperation: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    let averages: Bool
    let forward: Primitive
    let backward: Primitive?
    /// Which value of each window was the largest, in oneDNN's own form; the mean needs no such memory.
    let workspace: Layout?

    init(
        input: TensorLayout, shape: ExampleShape, window: cdnn_window, averages: Bool, backpropagates: Bool,
        name: String
    ) throws(EngineError) {
        var window = window
        let anyLayout = try Layout.image(shape, dnnl_format_tag_any)
        let forward = try Primitive("the pooling \(name)") {
            cdnn_pooling_forward(&$0, $1, averages, input.layout.handle, anyLayout.handle, &window)
        }
        let outputLayout = try forward.layout(dnnl_query_dst_md)
        self.input = input
        output = TensorLayout(shape: shape, layout: outputLayout)
        self.averages = averages
        self.forward = forward
        workspace = averages ? nil : try forward.layout(dnnl_query_workspace_md)
        backward =
            backpropagates
            ? try Primitive("the gradient of the pooling \(name)") {
                cdnn_pooling_backward(
                    &$0, $1, averages, input.layout.handle, outputLayout.handle, &window, forward.descriptor)
            } : nil
    }

    /// Whether oneDNN has more than a reference implementation.
    var isCompiled: Bool { !forward.isReference && backward?.isReference != true }

    var computations: [PlannedComputation] {
        let ways = [(PlannedComputation.Purpose.forward, Optional(forward)), (.inputGradient, backward)]
        return ways.compactMap { purpose, primitive in
            primitive.map { PlannedComputation(purpose, "one example at a time", implementations: [$0.implementation]) }
        }
    }

    let backwardReadsInput = false
    let backwardReadsOutput = false
    let worksInPlace = false
    var scratchByteCount: Int {
        max(forward.scratch.byteCount, backward?.scratch.byteCount ?? 0)
    }

    func bind(to places: ExamplePlaces) throws(EngineError) -> any ExampleKernel {
        try Kernel(self, places)
    }

    private final class Kernel: ExampleKernel {
        let forwardCall: PrimitiveCall
        let backwardCall: PrimitiveCall?
        let workspaceMemory: AlignedBuffer?

        init(_ operation: PoolingOperation, _ places: ExamplePlaces) throws(EngineError) {
            var remembered: [PrimitiveCall.Argument] = []
            if let layout = operation.workspace {
                let stride = ((layout.byteCount + 3) / 4).roundedUp(toMultipleOf: 16)
                let memory = AlignedBuffer(count: stride * places.slotCount)
                let tensor = ExampleTensor(
                    memory.pointer, slotStride: stride, slotCount: places.slotCount)
                remembered = [.init(DNNL_ARG_WORKSPACE, layout, tensor)]
                workspaceMemory = memory
            } else {
                workspaceMemory = nil
            }
            forwardCall = try PrimitiveCall(
                operation.forward, scratch: places.scratch,
                [
                    .init(DNNL_ARG_SRC, operation.input.layout, places.input),
                    .init(DNNL_ARG_DST, operation.output.layout, places.output),
                ] + remembered)
            if let backward = operation.backward, let inputGradient = places.inputGradient {
                backwardCall = try PrimitiveCall(
                    backward, scratch: places.scratch,
                    [
                        .init(DNNL_ARG_DIFF_DST, operation.output.layout, places.outputGradient),
                        .init(DNNL_ARG_DIFF_SRC, operation.input.layout, inputGradient),
                    ] + remembered)
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
