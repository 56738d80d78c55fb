import CABSExamples
import CABSPrimitives
import CVectorMath

/// The weight gradient of many examples as one matrix product of output gradients and patches, G = Σᵢ Vᵢ Uᵢᵀ, and each example's
/// norm from Gram matrices.
///
/// Where an output has only a few positions, oneDNN's primitive for the weight gradient runs at a third of the matrix product's
/// speed (on Zen 5: 512 to 512 channels on 2x2, 74 GFLOP/s against 215), and its sum over calls costs a pass more.
struct MultipliedWeightGradient: WeightGradientPlan {
    /// In row-major order: what the product gives.
    let layout: Layout
    private let measures: Bool
    private let gramNorm: GramNorm
    private let outputChannelCount: Int
    private let patchSize: Int
    /// Floats from one output channel's weights to the next's: padding is among them.
    private let weightStride: Int
    private let positionCount: Int
    private let inputChannelCount: Int

    /// The depth of a product: enough for full speed, and little enough memory.
    private static let depth = 256

    var scratchByteCount: Int { gramNorm.scratchByteCount }
    var computation: PlannedComputation {
        PlannedComputation(.weightGradient, "multiplied", implementations: gramNorm.implementations)
    }

    init(_ primitives: ConvolutionPrimitives, measures: Bool) throws(EngineError) {
        let weightShape = primitives.weightShape
        layout = try Layout(weightShape, .weights)
        self.measures = measures
        gramNorm = try GramNorm(primitives)
        outputChannelCount = weightShape[0]
        inputChannelCount = primitives.input.shape.channelCount
        patchSize = inputChannelCount * weightShape[2] * weightShape[3]
        weightStride = weightShape[1...].reduce(1, *)
        positionCount = primitives.positionCount
    }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        try Kernel(self, operation, places)
    }

    private final class Kernel: ConvolutionGradientKernel {
        private let plan: MultipliedWeightGradient
        private let weight: (parameter: Int, sum: AlignedBuffer)
        private let bias: (parameter: Int?, sum: AlignedBuffer)
        private let gramNorm: GramNorm.Kernel
        /// The number of examples in a product.
        private let exampleCount: Int
        /// The products' depth, and so the stride of their factors.
        private let depth: Int
        /// U, [patch size, depth]: the patches of the examples side by side.
        private let patches: AlignedBuffer
        /// V, [output channels, depth].
        private let outputGradients: AlignedBuffer
        private var sumIsEmpty = true

        init(
            _ plan: MultipliedWeightGradient, _ operation: ConvolutionOperation, _ places: ExamplePlaces
        ) throws(EngineError) {
            self.plan = plan
            weight = (operation.weight.identity.index, operation.weight.gradientSums[places.worker])
            bias = (operation.bias.parameter, operation.bias.gradientSums[places.worker])
            gramNorm = try plan.gramNorm.bind(places)
            exampleCount = max(1, MultipliedWeightGradient.depth / plan.positionCount)
            depth = exampleCount * plan.positionCount
            patches = AlignedBuffer(count: plan.patchSize * depth)
            outputGradients = AlignedBuffer(count: plan.outputChannelCount * depth)
        }

        func beginStep() {
            sumIsEmpty = true
            bias.sum.zero()
        }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            if slots.isEmpty, sumIsEmpty { weight.sum.zero() }
            for start in stride(from: slots.lowerBound, to: slots.upperBound, by: exampleCount) {
                let group = start..<min(start + exampleCount, slots.upperBound)
                for slot in group { collect(slot: slot, at: (slot - start) * plan.positionCount, tally: tally) }
                addProduct(depth: group.count * plan.positionCount)
            }
        }

        /// Takes one example's patches and output gradients up, from that column on.
        private func collect(slot: Int, at column: Int, tally: GradientTally) {
            gramNorm.readRows(slot: slot)
            if plan.measures {
                gramNorm.add(to: tally, weight: weight.parameter, bias: bias.parameter, example: slot)
            }
            var shape = gramNorm.shape
            cvm_write_patches(
                patches.pointer + column, depth, gramNorm.input.rows.pointer, plan.inputChannelCount, &shape)
            cvm_copy_rows(
                outputGradients.pointer + column, depth, gramNorm.outputGradient.rows.pointer, plan.positionCount,
                plan.outputChannelCount, plan.positionCount)
        }

        private func addProduct(depth usedDepth: Int) {
            multiply(
                transposed: (false, true), (plan.outputChannelCount, plan.patchSize, usedDepth),
                outputGradients.pointer, depth, patches.pointer, depth, weight.sum.pointer,
                plan.weightStride, beta: sumIsEmpty ? 0 : 1)
            sumIsEmpty = false
            for channel in 0..<plan.outputChannelCount {
                bias.sum.pointer[channel] += Float(cvm_sum(outputGradients.pointer + channel * depth, usedDepth))
            }
        }
    }
}
