import CABSExamples
import CABSPrimitives
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
    var implementations: [String] { input.implementations + outputGradient.implementations }

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
        func add(to tally: GradientTally, weight: Int?, bias: Int?, example: Int) {
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
    private let rows: ImageRows

    var scratchByteCount: Int { rows.scratchByteCount }
    var implementations: [String] { rows.implementations }

    init(_ image: TensorLayout) throws(EngineError) {
        channelCount = image.shape.channelCount
        pixelCount = image.shape.count / channelCount
        rows = try ImageRows(image)
    }

    func bind(_ image: TensorAddress, scratch: AlignedBuffer) throws(EngineError) -> Kernel {
        Kernel(self, try rows.bind(image, scratch))
    }

    final class Kernel {
        private let pixelCount: Int
        private let channelCount: Int
        private let image: ImageRows.Bound
        private let products: AlignedBuffer

        fileprivate init(_ plan: PixelProducts, _ image: ImageRows.Bound) {
            pixelCount = plan.pixelCount
            channelCount = plan.channelCount
            self.image = image
            products = AlignedBuffer(count: pixelCount * pixelCount)
        }

        /// The image as ``readRows(slot:)`` left it.
        var rows: AlignedBuffer { image.rows }

        /// Brings the image in that place into rows.
        func readRows(slot: Int) { image.read(slot: slot) }

        /// The products of the image whose rows were read.
        func compute() -> AlignedBuffer {
            multiply(
                transposed: (true, false), (pixelCount, pixelCount, channelCount), rows.pointer, pixelCount,
                rows.pointer, pixelCount, products.pointer, pixelCount)
            return products
        }
    }
}
