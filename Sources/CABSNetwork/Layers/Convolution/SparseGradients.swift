import CABSExamples
import CABSPrimitives
import CVectorMath

/// Gradients in time proportional to the values of the output gradient that are not zero.
///
/// A maximum hands its gradient to one value of each window. Behind a convolution and before a pooling of stride 2, three in
/// four values of the output gradient are zero, and so are three in four of the products that a dense computation makes
/// (Zen 4, 64 channels on 12x12 with a 5x5 kernel: weight gradient 76 µs against 220, input gradient 90 against 207).
/// Each example's weight gradient is formed in registers, so its norm costs nothing.
struct SparseGradients: ConvolutionGradients {
    private let shape: cvm_padded_convolution
    private let measures: Bool
    private let weights: Weights?
    /// How many examples pass while a part of the weights is in the core's cache.
    private let groupSize: Int
    private let lanesText: String

    /// What the input gradient reads.
    private struct Weights {
        let copy: WeightCopy
        let packed: AlignedBuffer
    }

    let scratchByteCount = 0

    /// Up to so many channels lie side by side, pixel by pixel, where they are not in blocks: one row of a window then fills a few
    /// vectors, whatever the number of channels.
    static let largestInterleavedCount = 4

    /// - Parameter shape: What ``shape(_:in:)`` gave.
    init(
        _ primitives: ConvolutionPrimitives, _ shape: cvm_padded_convolution, weight: TrainableArray,
        in context: StageContext
    ) throws(EngineError) {
        self.shape = shape
        measures = context.estimator != .unmeasured
        let layout = try Self.weightLayout(primitives.weightShape, shape)
        weights =
            context.backpropagates
            ? Weights(
                copy: try WeightCopy(of: weight, from: primitives.weightLayout, to: layout),
                packed: AlignedBuffer(count: layout.storedCount)) : nil
        groupSize = layout.storedCount <= 1 << 17 ? 1 : 8
        lanesText = shape.pixel == shape.lanes ? "blocks of \(shape.lanes)" : "channels side by side"
    }

    var computations: [PlannedComputation] {
        let way = "sparse, \(lanesText)"
        let weightGradient = PlannedComputation(.weightGradient, way)
        guard let weights else { return [weightGradient] }
        return [weightGradient, PlannedComputation(.inputGradient, way, implementations: weights.copy.implementations)]
    }

    /// The layout of the weight gradient, [out, blocks, kernel, kernel, block], or for channels side by side [out, kernel, kernel · in]
    /// with each row of the kernel filled up to whole vectors.
    static func weightLayout(
        _ weightShape: [Int], _ shape: cvm_padded_convolution
    ) throws(EngineError) -> Layout {
        if shape.pixel == shape.lanes {
            return try Layout(weightShape, shape.lanes == 16 ? .inputBlocks16 : .inputBlocks8)
        }
        var shape = shape
        let row = cvm_row_vectors(&shape) * shape.lanes
        return try Layout(
            weightShape, strides: [row * weightShape[2], 1, row, weightShape[1]],
            storedCount: row * weightShape[2] * weightShape[0])
    }

    /// The layer as our loops take it.
    ///
    /// - Returns: Nothing where they do not: the input must be in blocks of channels, or have few channels and need no gradient.
    static func shape(
        _ primitives: ConvolutionPrimitives, in context: StageContext
    ) throws(EngineError) -> cvm_padded_convolution? {
        guard let unitBlock = try primitives.output.channelBlock else { return nil }
        let channelCount = primitives.input.shape.channelCount
        let shape: cvm_padded_convolution
        switch try primitives.input.channelBlock {
        case let block? where block > 1 && unitBlock > 1:
            shape = cvm_padded_convolution(
                geometry: primitives.geometry, units: primitives.layer.filters, unit_block: unitBlock, lanes: block,
                planes: (channelCount + block - 1) / block, pixel: block)
        case 1 where channelCount <= largestInterleavedCount && !context.backpropagates:
            shape = cvm_padded_convolution(
                geometry: primitives.geometry, units: primitives.layer.filters, unit_block: unitBlock, lanes: 8,
                planes: 1, pixel: channelCount)
        default: return nil
        }
        var copy = shape
        return cvm_row_vectors(&copy) <= cvm_largest_row_vectors ? shape : nil
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
        private var shape: cvm_padded_convolution
        private let measures: Bool
        private let groupSize: Int
        private let weight: (parameter: Int, sum: AlignedBuffer)
        private let bias: (parameter: Int?, sum: AlignedBuffer)
        private let input: TensorAddress
        private let outputGradient: TensorAddress
        /// Where the input gradient goes, and the weights for it.
        private let inputGradient: (destination: TensorAddress, packedWeights: AlignedBuffer)?
        private let nonzeros: AlignedBuffer
        /// Of a group of examples, one after the other.
        private let paddedInputs: AlignedBuffer
        private let paddedGradients: AlignedBuffer
        private var squaredNorms: [Double]

        init(_ plan: SparseGradients, _ operation: ConvolutionOperation, _ places: ExamplePlaces) {
            shape = plan.shape
            measures = plan.measures
            groupSize = plan.groupSize
            weight = (operation.weight.identity.index, operation.weight.gradientSums[places.worker])
            bias = (operation.bias.parameter, operation.bias.gradientSums[places.worker])
            input = places.input
            outputGradient = places.outputGradient
            inputGradient =
                if let weights = plan.weights, let destination = places.inputGradient {
                    (destination, weights.packed)
                } else { nil }
            nonzeros = AlignedBuffer(byteCount: cvm_nonzeros_size(&shape) * groupSize)
            paddedInputs = AlignedBuffer(count: cvm_padded_count(&shape) * groupSize)
            paddedGradients = AlignedBuffer(count: inputGradient == nil ? 0 : cvm_padded_count(&shape) * groupSize)
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
                computeInputGradients(group)
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

        private func computeInputGradients(_ group: Range<Int>) {
            guard let inputGradient else { return }
            cvm_sparse_input_gradient(
                paddedGradients.pointer, nonzeros.pointer, group.count, inputGradient.packedWeights.pointer, &shape)
            for (index, slot) in group.enumerated() {
                cvm_unpad_image(
                    inputGradient.destination[slot], paddedGradients.pointer + index * cvm_padded_count(&shape), &shape)
            }
        }
    }
}
