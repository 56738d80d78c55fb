import CDNN
import CVectorMath

/// The weight gradient of many examples at once, and each example's norm from Gram matrices.
///
/// With the pixels xₐ of an example's input (vectors over channels), the patches u_p of pixels under the kernel at position p,
/// and the output gradients v_p, the example's gradient is Σ_p v_p u_pᵀ, and
///
///     ‖G‖² = Σ_p Σ_q (u_p · u_q) (v_p · v_q),    u_p · u_q = Σ over kernel places of x · x
///
/// so the two matrices of products between pixels and between output gradients are enough.
struct GatheredWeightGradient: WeightGradientPlan {
    let layout: Layout
    private let family: PrimitiveFamily
    private let measures: Bool
    private let inputProducts: PixelProducts
    private let gradientProducts: PixelProducts
    private let shape: cvm_convolution

    var scratchByteCount: Int {
        max(family.scratchByteCount, inputProducts.scratchByteCount, gradientProducts.scratchByteCount)
    }

    init(_ primitives: ConvolutionPrimitives, measures: Bool) throws(EngineError) {
        (family, layout) = try primitives.makeBackwardWeights(singly: false)
        self.measures = measures
        inputProducts = try PixelProducts(primitives.input)
        gradientProducts = try PixelProducts(primitives.output)
        guard case .image(let height, let width, _) = primitives.input.shape,
            case .image(let outputHeight, let outputWidth, _) = primitives.output.shape
        else { preconditionFailure("a convolution from a \(primitives.input.shape)") }
        let window = primitives.layer.window
        shape = cvm_convolution(
            height: height, width: width, output_height: outputHeight, output_width: outputWidth,
            kernel: window.size, stride: window.stride, top: window.paddedLengths(for: height).low,
            left: window.paddedLengths(for: width).low)
    }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any WeightGradientKernel {
        try Kernel(self, operation, places)
    }

    private final class Kernel: WeightGradientKernel {
        private let shape: cvm_convolution
        private let weight: GradientSink
        private let bias: GradientSink
        /// Into the sum itself, which spares clearing and adding, and to be added.
        private let intoSum: PrimitiveCalls
        private let intoFormed: PrimitiveCalls
        private let products: (input: PixelProducts.Kernel, gradient: PixelProducts.Kernel)?
        private var sumIsEmpty = true

        init(
            _ plan: GatheredWeightGradient, _ operation: ConvolutionOperation, _ places: ExamplePlaces
        ) throws(EngineError) {
            let (weight, bias) = (
                GradientSink(operation.weight, worker: places.worker),
                GradientSink(operation.bias, worker: places.worker)
            )
            func calls(_ weights: AlignedBuffer, _ biases: AlignedBuffer) throws(EngineError) -> PrimitiveCalls {
                try plan.family.bind(scratch: places.scratch) { count throws(EngineError) in
                    [
                        .init(DNNL_ARG_SRC, try operation.input.layout(of: count), places.input.grouped(count)),
                        .init(
                            DNNL_ARG_DIFF_DST, try operation.output.layout(of: count),
                            places.outputGradient.grouped(count)),
                        .init(DNNL_ARG_DIFF_WEIGHTS, plan.layout, ExampleTensor(weights.pointer)),
                        .init(DNNL_ARG_DIFF_BIAS, operation.primitives.biasLayout, ExampleTensor(biases.pointer)),
                    ]
                }
            }
            intoSum = try calls(weight.sum, bias.sum)
            intoFormed = try calls(weight.formed, bias.formed)
            products =
                plan.measures
                ? (
                    try plan.inputProducts.bind(places.input, scratch: places.scratch),
                    try plan.gradientProducts.bind(places.outputGradient, scratch: places.scratch)
                ) : nil
            shape = plan.shape
            self.weight = weight
            self.bias = bias
        }

        func beginStep() { sumIsEmpty = true }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            for slot in slots { measure(slot: slot, tally: tally) }
            if slots.isEmpty, sumIsEmpty {
                weight.sum.zero()
                bias.sum.zero()
                sumIsEmpty = false
            }
            intoSum.forEachPart(of: slots) { part in
                if sumIsEmpty {
                    intoSum.execute(part)
                    sumIsEmpty = false
                } else {
                    intoFormed.execute(part)
                    weight.add()
                    bias.add()
                }
            }
        }

        private func measure(slot: Int, tally: GradientTally) {
            guard let products else { return }
            let pixelProducts = products.input.compute(slot: slot)
            let gradientProducts = products.gradient.compute(slot: slot)
            var shape = shape
            // Rounding may take a small norm below zero.
            tally.add(
                max(cvm_weight_gradient_squared_norm(pixelProducts.pointer, gradientProducts.pointer, &shape), 0),
                parameter: weight.parameter, example: slot)
            tally.add(
                max(cvm_sum(gradientProducts.pointer, gradientProducts.count), 0), parameter: bias.parameter,
                example: slot)
        }
    }
}

/// The products between the pixels of an image, each a vector over channels: a matrix [pixels, pixels].
private struct PixelProducts {
    private let pixelCount: Int
    private let channelCount: Int
    private let source: Layout
    private let plain: Layout
    /// To channels first, in rows.
    private let reorder: Primitive

    var scratchByteCount: Int { reorder.scratch.byteCount }

    init(_ image: TensorLayout) throws(EngineError) {
        guard case .image(let height, let width, let channels) = image.shape else {
            preconditionFailure("the pixels of a \(image.shape)")
        }
        pixelCount = height * width
        channelCount = channels
        source = image.layout
        plain = try Layout.image(image.shape)
        reorder = try Primitive.reorder(from: source, to: plain)
    }

    func bind(_ image: ExampleTensor, scratch: AlignedBuffer) throws(EngineError) -> Kernel {
        try Kernel(self, image, scratch: scratch)
    }

    final class Kernel {
        private let pixelCount: Int
        private let channelCount: Int
        private let reorder: PrimitiveCall
        private let rows: AlignedBuffer
        private let products: AlignedBuffer

        fileprivate init(_ plan: PixelProducts, _ image: ExampleTensor, scratch: AlignedBuffer) throws(EngineError) {
            pixelCount = plan.pixelCount
            channelCount = plan.channelCount
            rows = AlignedBuffer(count: plan.plain.storedCount)
            products = AlignedBuffer(count: pixelCount * pixelCount)
            reorder = try PrimitiveCall(
                plan.reorder, scratch: scratch,
                [
                    .init(DNNL_ARG_FROM, plan.source, image),
                    .init(DNNL_ARG_TO, plan.plain, ExampleTensor(rows.pointer)),
                ])
        }

        /// The products of the image in that place.
        func compute(slot: Int) -> AlignedBuffer {
            reorder.execute(slot: slot)
            multiply(
                transposed: (true, false), (pixelCount, pixelCount, channelCount), rows.pointer, pixelCount,
                rows.pointer, pixelCount, addTo: false, products.pointer, pixelCount)
            return products
        }
    }
}
