import CABSExamples
import CABSPrimitives
import CVectorMath

extension LayerNorm: ExampleStageLayer, BatchStageLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        // Behind Flatten the layout's shape is still an image's.
        LayerNormOperation(
            input: TensorLayout(shape: input.shape, layout: try Layout.image(input.shape)),
            normalization: try LayerNormalization(self, valueCount: input.shape.count, in: context))
    }

    func makeOperation(
        from inputs: [BatchMatrix], in context: BatchContext
    ) throws(EngineError) -> any BatchOperation {
        LayerNormBatchOperation(
            input: inputs[0],
            normalization: try LayerNormalization(
                self, valueCount: inputs[0].columnCount, in: context.surroundings))
    }
}

/// Layer normalisation of one example, with its parameters: what both stages share.
///
/// With x̂ = (x − μ)/s, s = √(σ² + ε), K values and the output's gradient g, the gradients are g x̂ for the scale and g for the shift, and for
/// the input
///
///     dx = (γ g − mean(γ g) − x̂ mean(γ g x̂)) / s
private struct LayerNormalization: Sendable {
    let weight: TrainableArray
    let bias: TrainableArray
    let measures: Bool
    let backpropagates: Bool
    private let epsilon: Double
    private let valueCount: Int

    /// What the backward pass needs of an example beside its values.
    struct Moments {
        var mean: Float = 0
        var inverseDeviation: Float = 0
    }

    init(_ layer: LayerNorm, valueCount: Int, in context: StageContext) throws(EngineError) {
        weight = try TrainableArray(plain: context.parameters["weight"]!, sumCount: context.workerCount, in: context)
        bias = try TrainableArray(plain: context.parameters["bias"]!, sumCount: context.workerCount, in: context)
        measures = context.estimator != .unmeasured
        backpropagates = context.backpropagates
        epsilon = Double(layer.epsilon)
        self.valueCount = valueCount
    }

    var parameters: [TrainableArray] { [weight, bias] }
    var computations: [PlannedComputation] {
        PlannedComputation.purposes(backpropagates: backpropagates).map {
            PlannedComputation($0, "sums over an example")
        }
    }

    func beginStep(_ worker: Int) {
        weight.gradientSums[worker].zero()
        bias.gradientSums[worker].zero()
    }

    func forward(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) -> Moments {
        let mean = Float(cvm_sum(x, valueCount) / Double(valueCount))
        let variance = cvm_squared_distance(x, mean, valueCount) / Double(valueCount)
        let moments = Moments(mean: mean, inverseDeviation: Float(1 / (variance + epsilon).squareRoot()))
        cvm_normalize(
            y, x, moments.mean, moments.inverseDeviation, weight.values.pointer, bias.values.pointer, valueCount)
        return moments
    }

    /// - Parameter inputGradient: Where the input's gradient goes; nothing where it is of no use.
    func backward(
        _ x: UnsafePointer<Float>, _ moments: Moments, gradient: UnsafePointer<Float>,
        to inputGradient: UnsafeMutablePointer<Float>?, worker: Int, example: Int, tally: GradientTally
    ) {
        let sums = cvm_normalize_sums(
            weight.gradientSums[worker].pointer, bias.gradientSums[worker].pointer, gradient, x, moments.mean,
            moments.inverseDeviation, weight.values.pointer, valueCount)
        if measures {
            tally.add(sums.weight_norm, parameter: weight.identity.index, example: example)
            tally.add(sums.bias_norm, parameter: bias.identity.index, example: example)
        }
        guard let inputGradient else { return }
        cvm_normalize_backward(
            inputGradient, gradient, x, moments.mean, moments.inverseDeviation, weight.values.pointer,
            Float(sums.gradient / Double(valueCount)), Float(sums.product / Double(valueCount)), valueCount)
    }
}

/// Layer normalisation in the example stage.
private struct LayerNormOperation: ExampleOperation {
    let input: TensorLayout
    let normalization: LayerNormalization

    var output: TensorLayout { input }
    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    let scratchByteCount = 0
    var parameters: [TrainableArray] { normalization.parameters }
    var computations: [PlannedComputation] { normalization.computations }

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(normalization, places) }

    private final class Kernel: ExampleKernel {
        private let normalization: LayerNormalization
        private let places: ExamplePlaces
        private var moments: [LayerNormalization.Moments]

        init(_ normalization: LayerNormalization, _ places: ExamplePlaces) {
            self.normalization = normalization
            self.places = places
            moments = Array(repeating: .init(), count: places.slotCount)
        }

        func beginStep() { normalization.beginStep(places.worker) }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {
            for slot in slots { moments[slot] = normalization.forward(places.input[slot], to: places.output[slot]) }
        }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            for slot in slots {
                normalization.backward(
                    places.input[slot], moments[slot], gradient: places.outputGradient[slot],
                    to: places.inputGradient?[slot], worker: places.worker, example: slot, tally: tally)
            }
        }
    }
}

/// Layer normalisation in the batch stage.
private final class LayerNormBatchOperation: BatchOperation {
    private let input: BatchMatrix
    private let output: BatchMatrix
    private let normalization: LayerNormalization
    /// Mean and inverse deviation of each row.
    private let moments: AlignedBuffer

    init(input: BatchMatrix, normalization: LayerNormalization) {
        self.input = input
        self.normalization = normalization
        output = BatchMatrix(rowCapacity: input.rowCapacity, columnCount: input.columnCount)
        moments = AlignedBuffer(count: 2 * input.rowCapacity)
    }

    var outputs: [BatchMatrix] { [output] }
    var parameters: [TrainableArray] { normalization.parameters }
    var computations: [PlannedComputation] { normalization.computations }
    var forwardAccesses: [MatrixAccess] { [input.readsValues(by: .rows), output.writesValues(by: .rows)] }
    var backwardAccesses: [MatrixAccess] {
        [input.readsValues(by: .rows), output.readsGradients(by: .rows), input.writesGradients(by: .rows)]
    }

    func forward(_ worker: Worker, pass: ChunkPass) {
        for row in worker.share(of: pass.rowCount) {
            let found = normalization.forward(input.values(row: row), to: output.values(row: row))
            (moments.pointer[2 * row], moments.pointer[2 * row + 1]) = (found.mean, found.inverseDeviation)
        }
    }

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        if pass.isFirst { normalization.beginStep(worker.index) }
        for row in worker.share(of: pass.rowCount) {
            normalization.backward(
                input.values(row: row),
                .init(mean: moments.pointer[2 * row], inverseDeviation: moments.pointer[2 * row + 1]),
                gradient: output.gradient(row: row), to: input.gradient(row: row), worker: worker.index, example: row,
                tally: tally)
        }
    }
}
