import CABSExamples
import CABSPrimitives
import CVectorMath

extension GroupNorm: ExampleStageLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        // As the image comes, where its channels lie in blocks or one after the other.
        let isReadable = try input.channelBlock.map { [1, 8, 16].contains($0) } ?? false
        return try GroupNormOperation(
            self, input: isReadable ? input : TensorLayout(shape: input.shape, layout: Layout.image(input.shape)),
            in: context)
    }
}

/// Group normalisation of one example.
///
/// With x̂ = (x − μ)/s, s = √(σ² + ε), n values in a group and the output's gradient g, the gradients are Σ g x̂ for a channel's scale
/// and Σ g for its shift, and for the input
///
///     dx = (γ g − mean(γ g) − x̂ mean(γ g x̂)) / s
///
/// with means over the group.
private struct GroupNormOperation: ExampleOperation {
    let input: TensorLayout
    let layer: GroupNorm
    let weight: TrainableArray
    let bias: TrainableArray
    let shape: cvm_channels
    let measures: Bool
    let backpropagates: Bool

    init(_ layer: GroupNorm, input: TensorLayout, in context: StageContext) throws(EngineError) {
        self.layer = layer
        self.input = input
        let lanes = try input.channelBlock!
        let channelCount = input.shape.channelCount
        shape = cvm_channels(
            planes: (channelCount + lanes - 1) / lanes, pixels: input.shape.count / channelCount, lanes: lanes)
        measures = context.estimator != .unmeasured
        backpropagates = context.backpropagates
        weight = try TrainableArray(
            plain: context.parameters["weight"]!, sumCount: context.workerCount, in: context)
        bias = try TrainableArray(
            plain: context.parameters["bias"]!, sumCount: context.workerCount, in: context)
    }

    var output: TensorLayout { input }
    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    let scratchByteCount = 0
    var parameters: [TrainableArray] { [weight, bias] }
    var computations: [PlannedComputation] {
        PlannedComputation.purposes(backpropagates: backpropagates).map { PlannedComputation($0, "sums over channels") }
    }

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(self, places) }

    private final class Kernel: ExampleKernel {
        private let places: ExamplePlaces
        private let weight: TrainableArray
        private let bias: TrainableArray
        private let measures: Bool
        private let epsilon: Double
        private let groupCount: Int
        private let channelCount: Int
        private var shape: cvm_channels
        /// Each example's means, by channel, and inverse deviations, by group.
        private let means: AlignedBuffer
        private var inverseDeviations: [Double]
        // By channel, zero where padding is.
        private var sums: [Double]
        private var products: [Double]
        private let factors: AlignedBuffer
        private let valueFactors: AlignedBuffer
        private let shifts: AlignedBuffer

        init(_ operation: GroupNormOperation, _ places: ExamplePlaces) {
            self.places = places
            weight = operation.weight
            bias = operation.bias
            measures = operation.measures
            epsilon = Double(operation.layer.epsilon)
            groupCount = operation.layer.groups
            channelCount = operation.input.shape.channelCount
            shape = operation.shape
            let count = shape.planes * shape.lanes
            means = AlignedBuffer(count: count * places.slotCount)
            inverseDeviations = Array(repeating: 0, count: groupCount * places.slotCount)
            sums = Array(repeating: 0, count: count)
            products = sums
            factors = AlignedBuffer(count: count)
            valueFactors = AlignedBuffer(count: count)
            shifts = AlignedBuffer(count: count)
        }

        func beginStep() {
            weight.gradientSums[places.worker].zero()
            bias.gradientSums[places.worker].zero()
        }

        private func channels(of group: Int) -> Range<Int> {
            let size = channelCount / groupCount
            return group * size..<(group + 1) * size
        }

        /// The number of values in a group.
        private var valueCount: Double { Double(channelCount / groupCount * shape.pixels) }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {
            for slot in slots { forward(slot: slot) }
        }

        /// An example's means.
        private func means(of slot: Int) -> UnsafeMutablePointer<Float> { means.pointer + slot * sums.count }

        private func forward(slot: Int) {
            let (x, y, means) = (places.input[slot], places.output[slot], means(of: slot))
            cvm_channel_sums(&sums, x, &shape)
            for group in 0..<groupCount {
                let channels = channels(of: group)
                let mean = Float(channels.reduce(0) { $0 + sums[$1] } / valueCount)
                for channel in channels { means[channel] = mean }
            }
            cvm_channel_squares(&sums, x, means, &shape)
            for group in 0..<groupCount {
                let channels = channels(of: group)
                let variance = channels.reduce(0) { $0 + sums[$1] } / valueCount
                let inverse = 1 / (variance + epsilon).squareRoot()
                inverseDeviations[slot * groupCount + group] = inverse
                for channel in channels {
                    factors.pointer[channel] = weight.values.pointer[channel] * Float(inverse)
                    shifts.pointer[channel] = bias.values.pointer[channel]
                }
            }
            cvm_scale_channels(y, x, means, factors.pointer, shifts.pointer, &shape)
        }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            for slot in slots { backward(slot: slot, tally: tally) }
        }

        private func backward(slot: Int, tally: GradientTally) {
            let (x, gradient) = (places.input[slot], places.outputGradient[slot])
            cvm_channel_products(&sums, &products, gradient, x, means(of: slot), &shape)
            let (weightSums, biasSums) = (weight.gradientSums[places.worker], bias.gradientSums[places.worker])
            var (weightNorm, biasNorm) = (0.0, 0.0)
            for group in 0..<groupCount {
                let inverse = inverseDeviations[slot * groupCount + group]
                var (gradientMean, productMean) = (0.0, 0.0)
                for channel in channels(of: group) {
                    let weightGradient = products[channel] * inverse
                    weightSums.pointer[channel] += Float(weightGradient)
                    biasSums.pointer[channel] += Float(sums[channel])
                    weightNorm += weightGradient * weightGradient
                    biasNorm += sums[channel] * sums[channel]
                    let scale = Double(weight.values.pointer[channel])
                    gradientMean += scale * sums[channel] / valueCount
                    productMean += scale * weightGradient / valueCount
                }
                for channel in channels(of: group) {
                    factors.pointer[channel] = weight.values.pointer[channel] * Float(inverse)
                    valueFactors.pointer[channel] = Float(-inverse * inverse * productMean)
                    shifts.pointer[channel] = Float(-inverse * gradientMean)
                }
            }
            if measures {
                tally.add(weightNorm, parameter: weight.identity.index, example: slot)
                tally.add(biasNorm, parameter: bias.identity.index, example: slot)
            }
            guard let inputGradient = places.inputGradient else { return }
            cvm_combine_channels(
                inputGradient[slot], gradient, x, means(of: slot), factors.pointer, valueFactors.pointer,
                shifts.pointer,
                &shape)
        }
    }
}
