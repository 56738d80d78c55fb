import CABSPrimitives

/// The weight gradient of many examples at once, by oneDNN's own primitive, and each example's norm from Gram matrices.
struct GatheredWeightGradient: WeightGradientPlan {
    let layout: Layout
    private let family: PrimitiveFamily
    private let measures: Bool
    private let gramNorm: GramNorm

    var scratchByteCount: Int { max(family.scratchByteCount, gramNorm.scratchByteCount) }
    var computation: PlannedComputation {
        PlannedComputation(
            .weightGradient, "gathered", implementations: [family.implementation] + gramNorm.implementations)
    }

    init(
        _ primitives: ConvolutionPrimitives, _ found: (family: PrimitiveFamily, weightLayout: Layout), measures: Bool
    ) throws(EngineError) {
        (family, layout) = found
        self.measures = measures
        gramNorm = try GramNorm(primitives)
    }

    func bind(
        _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> any ConvolutionGradientKernel {
        try Kernel(self, operation, places)
    }

    private final class Kernel: ConvolutionGradientKernel {
        private let weight: GradientSink
        private let bias: GradientSink
        /// Into the sum itself, which spares clearing and adding, and to be added.
        private let intoSum: PrimitiveCalls
        private let intoFormed: PrimitiveCalls
        private let gramNorm: GramNorm.Kernel?
        private var sumIsEmpty = true

        init(
            _ plan: GatheredWeightGradient, _ operation: ConvolutionOperation, _ places: ExamplePlaces
        ) throws(EngineError) {
            let (weight, bias) = (
                GradientSink(
                    parameter: operation.weight.identity.index, sum: operation.weight.gradientSums[places.worker]),
                GradientSink(
                    parameter: operation.bias.parameter, sum: operation.bias.gradientSums[places.worker])
            )
            func calls(_ weights: AlignedBuffer, _ biases: AlignedBuffer) throws(EngineError) -> PrimitiveCalls {
                try operation.primitives.bindBackwardWeights(
                    plan.family, plan.layout, input: places.input, outputGradient: places.outputGradient,
                    weight: weights, bias: biases, scratch: places.scratch)
            }
            intoSum = try calls(weight.sum, bias.sum)
            intoFormed = try calls(weight.formed, bias.formed)
            gramNorm = plan.measures ? try plan.gramNorm.bind(places) : nil
            self.weight = weight
            self.bias = bias
        }

        func beginStep() { sumIsEmpty = true }

        func backward(_ slots: Range<Int>, tally: GradientTally) {
            if let gramNorm {
                for slot in slots {
                    gramNorm.readRows(slot: slot)
                    gramNorm.add(to: tally, weight: weight.parameter, bias: bias.parameter, example: slot)
                }
            }
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
    }
}
