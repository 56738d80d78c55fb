import CDNN
import CVectorMath

/// Gradients in time proportional to the values of the output gradient that are not zero.
///
/// A maximum hands its gradient to one value of each window. Behind a convolution and before a pooling of stride 2, three in
/// four values of the output gradient are zero, and so are three in four of the products that a dense computation makes
/// (Zen 4, 64 channels on 12x12 with a 5x5 kernel: weight gradient 76 µs against 220, input gradient 90 against 207).
/// Each example's weight gradient is formed in registers, so its norm costs nothing.
struct SparseGradients: ConvolutionGradients {
    private let shape: cvm_sparse_convolution
    private let measures: Bool
    private let weights: Weights?
    /// How many examples pass while a part of the weight gradient is in the core's cache.
    private let groupSize: Int

    /// What the input gradient reads.
    private struct Weights {
        let copy: WeightCopy
        let packed: AlignedBuffer
    }

    let scratchByteCount = 0

    init(
        _ primitives: ConvolutionPrimitives, weight: TrainableArray, in context: StageContext
    ) throws(EngineError) {
        guard case .image(_, _, let channels) = primitives.input.shape,
            case .image(_, _, let units) = primitives.output.shape
        else { preconditionFailure("a convolution from a \(primitives.input.shape)") }
        shape = cvm_sparse_convolution(geometry: primitives.geometry, channels: channels, units: units)
        measures = context.estimator != .unmeasured
        let layout = try Self.weightLayout(primitives.weightShape)
        weights =
            context.backpropagates
            ? Weights(
                copy: try WeightCopy(of: weight, from: primitives.weightLayout, to: layout),
                packed: AlignedBuffer(count: layout.storedCount)) : nil
        groupSize = layout.storedCount <= 1 << 17 ? 1 : 8
    }

    /// Blocks of input channels: what the loops read and write.
    static func weightLayout(_ shape: [Int]) throws(EngineError) -> Layout { try Layout(shape, dnnl_aBcd16b) }

    /// Whether this is the faster way, and possible: whole blocks of channels in the layout that oneDNN chooses where registers hold
    /// one, and, beside the products, positions enough to be worth a pass over the weights for each example.
    static func suit(_ primitives: ConvolutionPrimitives, in context: StageContext) throws(EngineError) -> Bool {
        guard context.outputGradientIsSparse, context.estimator != .reference,
            primitives.layer.kernelSize <= cvm_largest_sparse_kernel,
            primitives.output.shape.count / primitives.layer.filters >= 32
        else { return false }
        for tensor in [primitives.input, primitives.output] {
            let blocks = try Layout.image(tensor.shape, dnnl_nChw16c)
            guard tensor.layout == blocks, !tensor.isPadded else { return false }
        }
        return true
    }

    func parametersDidChange() {
        guard let weights else { return }
        weights.copy.renew()
        var shape = shape
        cvm_pack_kernel_rows(weights.packed.pointer, weights.copy.buffer.pointer, &shape)
    }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        Kernel(self, operation, places)
    }

    private final class Kernel: ConvolutionGradientKernel {
        private var shape: cvm_sparse_convolution
        private let measures: Bool
        private let groupSize: Int
        private let weight: (parameter: Int, sum: AlignedBuffer)
        private let bias: (parameter: Int, sum: AlignedBuffer)
        private let input: ExampleTensor
        private let outputGradient: ExampleTensor
        /// Where the input gradient goes, and the weights for it.
        private let inputGradient: (destination: ExampleTensor, packedWeights: AlignedBuffer)?
        private let nonzeros: AlignedBuffer
        /// Of a group of examples, one after the other.
        private let paddedInputs: AlignedBuffer
        private let paddedGradient: AlignedBuffer
        private var squaredNorms: [Double]

        init(_ plan: SparseGradients, _ operation: ConvolutionOperation, _ places: ExamplePlaces) {
            shape = plan.shape
            measures = plan.measures
            groupSize = plan.groupSize
            weight = (operation.weight.identity.index, operation.weight.gradientSums[places.worker])
            bias = (operation.bias.identity.index, operation.bias.gradientSums[places.worker])
            input = places.input
            outputGradient = places.outputGradient
            inputGradient =
                if let weights = plan.weights, let destination = places.inputGradient {
                    (destination, weights.packed)
                } else { nil }
            nonzeros = AlignedBuffer(byteCount: cvm_nonzeros_size(&shape) * groupSize)
            paddedInputs = AlignedBuffer(count: cvm_padded_count(&shape) * groupSize)
            paddedGradient = AlignedBuffer(count: inputGradient == nil ? 0 : cvm_padded_count(&shape))
            squaredNorms = Array(repeating: 0, count: groupSize)
        }

        func beginStep() {
            weight.sum.zero()
            bias.sum.zero()
        }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            for start in stride(from: slots.lowerBound, to: slots.upperBound, by: groupSize) {
                let group = start..<min(start + groupSize, slots.upperBound)
                for slot in group { collect(slot: slot, index: slot - start, tally: tally) }
                addWeightGradients(group, tally: tally)
                for slot in group { computeInputGradient(slot: slot, index: slot - start) }
            }
        }

        /// Makes an example ready as the group's one of that index.
        private func collect(slot: Int, index: Int, tally: GradientTally) {
            cvm_list_nonzeros(nonzeros.pointer, index, outputGradient[slot], &shape)
            cvm_pad_image(paddedInputs.pointer + index * cvm_padded_count(&shape), input[slot], &shape)
            let squaredNorm = cvm_sparse_bias_gradient(bias.sum.pointer, nonzeros.pointer, index, &shape)
            if measures { tally.add(squaredNorm, parameter: bias.parameter, example: slot) }
        }

        private func addWeightGradients(_ group: Range<Int>, tally: GradientTally) {
            for index in squaredNorms.indices { squaredNorms[index] = 0 }
            cvm_sparse_weight_gradient(
                weight.sum.pointer, &squaredNorms, paddedInputs.pointer, nonzeros.pointer, group.count, &shape)
            guard measures else { return }
            for slot in group {
                tally.add(squaredNorms[slot - group.lowerBound], parameter: weight.parameter, example: slot)
            }
        }

        private func computeInputGradient(slot: Int, index: Int) {
            guard let inputGradient else { return }
            cvm_sparse_input_gradient(
                paddedGradient.pointer, nonzeros.pointer, index, inputGradient.packedWeights.pointer, &shape)
            cvm_unpad_image(inputGradient.destination[slot], paddedGradient.pointer, &shape)
        }
    }
}
