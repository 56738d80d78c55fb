import CABSExamples
import CABSPrimitives
import CVectorMath

/// The weight gradient of one example against an image of few channels: for each of these, rows of the kernel stay in registers,
/// blocks of output channels wide, while all positions pass.
///
/// oneDNN on AVX2 has such gradients compiled for 3 channels and not for 1, 2 or 4; and a product with patches spends more time on
/// the patches.
struct DirectWeightGradient: Sendable {
    /// [out / block, in, kernel, kernel, block].
    let layout: Layout
    private let shape: cvm_padded_convolution

    /// - Returns: Nothing where the layer is none of these.
    init?(_ primitives: ConvolutionPrimitives) throws(EngineError) {
        let channelCount = primitives.weightShape[1]
        guard primitives.layer.groups == 1, channelCount <= SparseGradients.largestInterleavedCount,
            primitives.layer.kernelSize <= cvm_largest_direct_kernel, try primitives.input.channelBlock == 1,
            let block = try primitives.output.channelBlock, block > 1
        else { return nil }
        layout = try Layout(primitives.weightShape, block == 16 ? .outputBlocks16 : .outputBlocks8)
        shape = cvm_padded_convolution(
            geometry: primitives.geometry, units: primitives.layer.filters, unit_block: block, lanes: block, planes: 1,
            pixel: channelCount)
    }

    func bind(
        input: TensorAddress, outputGradient: TensorAddress, weight: AlignedBuffer, bias: AlignedBuffer
    ) -> any ExampleCalls {
        Calls(shape, input: input, outputGradient: outputGradient, weight: weight, bias: bias)
    }

    private struct Calls: ExampleCalls {
        let shape: cvm_padded_convolution
        let input: TensorAddress
        let outputGradient: TensorAddress
        let weight: AlignedBuffer
        let bias: AlignedBuffer
        let paddedInput: AlignedBuffer

        init(
            _ shape: cvm_padded_convolution, input: TensorAddress, outputGradient: TensorAddress, weight: AlignedBuffer,
            bias: AlignedBuffer
        ) {
            self.shape = shape
            self.input = input
            self.outputGradient = outputGradient
            self.weight = weight
            self.bias = bias
            var shape = shape
            paddedInput = AlignedBuffer(count: cvm_padded_count(&shape))
        }

        func execute(_ slots: Range<Int>) {
            var shape = shape
            for slot in slots {
                cvm_pad_image(paddedInput.pointer, input[slot], &shape)
                cvm_direct_weight_gradient(
                    weight.pointer, bias.pointer, paddedInput.pointer, outputGradient[slot], &shape)
            }
        }
    }
}
