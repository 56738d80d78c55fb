import CDNN
import CVectorMath

/// The squared norm of one example's weight gradient without the gradient.
///
/// With the pixels xₐ of an example's input (vectors over channels), the patches u_p of pixels under the kernel at position p,
/// and the output gradients v_p, the example's gradient is Σ_p v_p u_pᵀ, and
///
///     ‖G‖² = Σ_p Σ_q (u_p · u_q) (v_p · v_q),    u_p · u_q = Σ over kernel places of x · x
///
/// so the two matrices of products between pixels and between output gradients are enough.
struct GramNorm: Sendable {
    let shape: cvm_convolution
    private let input: PixelProducts
    private let outputGradient: PixelProducts

    var scratchByteCount: Int { max(input.scratchByteCount, outputGradient.scratchByteCount) }

    init(_ primitives: ConvolutionPrimitives) throws(EngineError) {
        shape = primitives.geometry
        input = try PixelProducts(primitives.input)
        outputGradient = try PixelProducts(primitives.output)
    }

    func bind(_ places: ExamplePlaces) throws(EngineError) -> Kernel {
        Kernel(
            shape: shape, input: try input.bind(places.input, scratch: places.scratch),
            outputGradient: try outputGradient.bind(places.outputGradient, scratch: places.scratch))
    }

    final class Kernel {
        let shape: cvm_convolution
        let input: PixelProducts.Kernel
        let outputGradient: PixelProducts.Kernel

        fileprivate init(shape: cvm_convolution, input: PixelProducts.Kernel, outputGradient: PixelProducts.Kernel) {
            self.shape = shape
            self.input = input
            self.outputGradient = outputGradient
        }

        /// Brings the input and output gradient of the example in that place into rows.
        func readRows(slot: Int) {
            input.readRows(slot: slot)
            outputGradient.readRows(slot: slot)
        }

        /// Adds the squared norms of the gradients of weights and biases for the example whose rows were read.
        func add(to tally: GradientTally, weight: Int, bias: Int, example: Int) {
            let pixels = input.compute()
            let gradients = outputGradient.compute()
            var shape = shape
            // Rounding may take a small norm below zero.
            tally.add(
                max(cvm_weight_gradient_squared_norm(pixels.pointer, gradients.pointer, &shape), 0), parameter: weight,
                example: example)
            tally.add(max(cvm_sum(gradients.pointer, gradients.count), 0), parameter: bias, example: example)
        }
    }
}

/// The products between the pixels of an image, each a vector over channels: a matrix [pixels, pixels].
struct PixelProducts {
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
        /// The image brought into rows of pixels, a row for each channel: as ``readRows(slot:)`` left them.
        let rows: AlignedBuffer
        private let products: AlignedBuffer

        init(_ plan: PixelProducts, _ image: ExampleTensor, scratch: AlignedBuffer) throws(EngineError) {
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

        /// Brings the image in that place into rows.
        func readRows(slot: Int) { reorder.execute(slot: slot) }

        /// The products of the image whose rows were read.
        func compute() -> AlignedBuffer {
            multiply(
                transposed: (true, false), (pixelCount, pixelCount, channelCount), rows.pointer, pixelCount,
                rows.pointer, pixelCount, products.pointer, pixelCount)
            return products
        }
    }
}
