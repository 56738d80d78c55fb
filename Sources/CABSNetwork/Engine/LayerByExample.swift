import CABSExamples
import CABSPrimitives
import CVectorMath

extension Model.PlacedLayer {
    /// What plans the layer in the example stage; nothing where only the batch stage has it.
    var exampleStageLayer: (any ExampleStageLayer)? { layer as? any ExampleStageLayer ?? byExample }

    /// What plans the layer in the batch stage; nothing where only the example stage has it.
    var batchStageLayer: (any BatchStageLayer)? { layer as? any BatchStageLayer ?? byExample }

    private var byExample: LayerByExample? {
        (layer as? any ExampleLayer).map { LayerByExample(layer: $0, input: input, output: output) }
    }
}

/// A layer that computes itself, one example at a time, made part of either stage.
private struct LayerByExample: ExampleStageLayer, BatchStageLayer {
    let layer: any ExampleLayer
    let input: ExampleShape
    let output: ExampleShape

    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        // Behind Flatten the layout's shape is still an image's.
        OperationByExample(
            input: TensorLayout(shape: input.shape, layout: try Layout.image(input.shape)),
            output: TensorLayout(shape: self.output, layout: try Layout.image(self.output)),
            computation: try ComputationByExample(self, in: context))
    }

    func makeOperation(
        from inputs: [BatchMatrix], in context: BatchContext
    ) throws(EngineError) -> any BatchOperation {
        BatchOperationByExample(
            input: inputs[0], outputCount: output.count,
            computation: try ComputationByExample(self, in: context.surroundings))
    }
}

/// What both stages share: the layer with its parameters, and how an example's gradients are taken over.
private struct ComputationByExample: Sendable {
    let parameters: [TrainableArray]
    let measures: Bool
    let workerCount: Int
    /// The number of values of all parameters.
    let parameterCount: Int
    private let layer: any ExampleLayer
    private let input: ExampleShape
    private let output: ExampleShape

    init(_ planned: LayerByExample, in context: StageContext) throws(EngineError) {
        layer = planned.layer
        (input, output) = (planned.input, planned.output)
        parameters = try layer.parameters(for: input).map { specification throws(EngineError) in
            try TrainableArray(
                plain: context.parameters[specification.name]!, sumCount: context.workerCount, in: context)
        }
        parameterCount = parameters.reduce(0) { $0 + $1.values.count }
        measures = context.estimator != .unmeasured
        workerCount = context.workerCount
    }

    var computations: [PlannedComputation] { [PlannedComputation(.forward, "the layer's own")] }

    /// Lays the parameters one after the other.
    func gather(_ values: AlignedBuffer) {
        var offset = 0
        for array in parameters {
            (values.pointer + offset).update(from: array.values.pointer, count: array.values.count)
            offset += array.values.count
        }
    }

    func beginStep(_ worker: Int) {
        for array in parameters { array.gradientSums[worker].zero() }
    }

    func forward(
        _ x: UnsafeMutablePointer<Float>, _ values: AlignedBuffer, to y: UnsafeMutablePointer<Float>, isTraining: Bool
    ) {
        var destination = UnsafeMutableBufferPointer(start: y, count: output.count).mutableSpan
        layer.forward(
            UnsafeBufferPointer(start: x, count: input.count).span,
            UnsafeBufferPointer(start: values.pointer, count: parameterCount).span, to: &destination,
            LayerContext(input: input, output: output, isTraining: isTraining))
    }

    /// - Parameter gradient: Memory for the gradient of one example by all parameters.
    func backward(
        _ x: UnsafeMutablePointer<Float>, _ values: AlignedBuffer, outputGradient: UnsafeMutablePointer<Float>,
        to inputGradient: UnsafeMutablePointer<Float>, _ gradient: AlignedBuffer, worker: Int, example: Int,
        tally: GradientTally
    ) {
        gradient.zero()
        var destination = UnsafeMutableBufferPointer(start: inputGradient, count: input.count).mutableSpan
        var ofParameters = UnsafeMutableBufferPointer(start: gradient.pointer, count: parameterCount).mutableSpan
        layer.backward(
            UnsafeBufferPointer(start: x, count: input.count).span,
            UnsafeBufferPointer(start: values.pointer, count: parameterCount).span,
            outputGradient: UnsafeBufferPointer(start: outputGradient, count: output.count).span, to: &destination,
            &ofParameters, LayerContext(input: input, output: output, isTraining: true))
        var offset = 0
        for array in parameters {
            let (own, count) = (gradient.pointer + offset, array.values.count)
            if measures {
                tally.add(cvm_squared_norm(own, count), parameter: array.identity.index, example: example)
            }
            cvm_add(array.gradientSums[worker].pointer, own, count)
            offset += count
        }
    }
}

/// The layer in the example stage.
private struct OperationByExample: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    let computation: ComputationByExample
    /// All parameters, one after the other.
    private let values: AlignedBuffer

    init(input: TensorLayout, output: TensorLayout, computation: ComputationByExample) {
        (self.input, self.output, self.computation) = (input, output, computation)
        values = AlignedBuffer(count: computation.parameterCount)
    }

    let backwardReadsInput = true
    let backwardReadsOutput = false
    let worksInPlace = false
    var scratchByteCount: Int { input.storedCount * MemoryLayout<Float>.stride }
    var parameters: [TrainableArray] { computation.parameters }
    var computations: [PlannedComputation] { computation.computations }

    func parametersDidChange() { computation.gather(values) }

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(self, places) }

    private final class Kernel: ExampleKernel {
        private let operation: OperationByExample
        private let places: ExamplePlaces
        private let gradient: AlignedBuffer

        init(_ operation: OperationByExample, _ places: ExamplePlaces) {
            (self.operation, self.places) = (operation, places)
            gradient = AlignedBuffer(count: operation.computation.parameterCount)
        }

        func beginStep() { operation.computation.beginStep(places.worker) }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {
            for slot in slots {
                operation.computation.forward(
                    places.input[slot], operation.values, to: places.output[slot], isTraining: pass.isTraining)
            }
        }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            for slot in slots {
                operation.computation.backward(
                    places.input[slot], operation.values, outputGradient: places.outputGradient[slot],
                    to: places.inputGradient?[slot] ?? places.scratch.pointer, gradient, worker: places.worker,
                    example: slot, tally: tally)
            }
        }
    }
}

/// The layer in the batch stage.
private final class BatchOperationByExample: BatchOperation {
    private let input: BatchMatrix
    private let output: BatchMatrix
    private let computation: ComputationByExample
    /// By worker: all parameters, one after the other, and the gradient of one example by them.
    private let memory: [(values: AlignedBuffer, gradient: AlignedBuffer)]

    init(input: BatchMatrix, outputCount: Int, computation: ComputationByExample) {
        (self.input, self.computation) = (input, computation)
        output = BatchMatrix(rowCapacity: input.rowCapacity, columnCount: outputCount)
        memory = (0..<computation.workerCount).map { _ in
            (AlignedBuffer(count: computation.parameterCount), AlignedBuffer(count: computation.parameterCount))
        }
    }

    var outputs: [BatchMatrix] { [output] }
    var parameters: [TrainableArray] { computation.parameters }
    var computations: [PlannedComputation] { computation.computations }
    var forwardAccesses: [MatrixAccess] { [input.readsValues(by: .rows), output.writesValues(by: .rows)] }
    var backwardAccesses: [MatrixAccess] {
        [input.readsValues(by: .rows), output.readsGradients(by: .rows), input.writesGradients(by: .rows)]
    }

    func forward(_ worker: Worker, pass: ChunkPass) {
        let values = memory[worker.index].values
        if pass.isFirst { computation.gather(values) }
        for row in worker.share(of: pass.rowCount) {
            computation.forward(
                input.values(row: row), values, to: output.values(row: row), isTraining: pass.isTraining)
        }
    }

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        if pass.isFirst { computation.beginStep(worker.index) }
        let (values, gradient) = memory[worker.index]
        for row in worker.share(of: pass.rowCount) {
            computation.backward(
                input.values(row: row), values, outputGradient: output.gradient(row: row),
                to: input.gradient(row: row), gradient, worker: worker.index, example: row, tally: tally)
        }
    }
}
