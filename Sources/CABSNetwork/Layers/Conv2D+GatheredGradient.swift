import CDNN

/// The weight gradient of many examples at once, by oneDNN's own primitive, and each example's norm from Gram matrices.
struct GatheredWeightGradient: WeightGradientPlan {
    let layout: Layout
    private let family: PrimitiveFamily
    private let measures: Bool
    private let gramNorm: GramNorm

    var scratchByteCount: Int { max(family.scratchByteCount, gramNorm.scratchByteCount) }

    init(_ primitives: ConvolutionPrimitives, measures: Bool) throws(EngineError) {
        (family, layout) = try primitives.makeBackwardWeights(singly: false)
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
