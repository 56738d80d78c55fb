import CABSPrimitives

/// The layers from the first dense layer on, planned to run on a chunk of examples at a time: operations with the matrices between them.
struct BatchStage: Sendable {
    /// What the example stage hands over, one example a row.
    let inputs: [BatchMatrix]
    /// The operations in the order in which they run.
    let operations: [any BatchOperation]
    /// What goes into the loss.
    let output: BatchMatrix
    /// How each layer is computed.
    let plan: [PlannedLayer]

    /// - Parameters:
    ///   - split: The layers, and what is handed over.
    ///   - exampleStage: What comes before.
    ///   - output: The number of the tensor that goes into the loss.
    ///   - rowCapacity: How many examples a chunk may have.
    ///   - context: What a layer is told of its surroundings.
    init(
        _ split: StageSplit, after exampleStage: ExampleStage, output: Int, rowCapacity: Int,
        context: (Model.PlacedLayer, _ backpropagates: Bool) -> StageContext
    ) throws(EngineError) {
        var builder = BatchStageBuilder(split, exampleStage, output: output, rowCapacity: rowCapacity)
        inputs = builder.inputs
        for placed in split.batchLayers { try builder.append(placed, context) }
        self.output = builder.take(output).matrix
        operations = builder.operations
        plan = builder.plan
    }
}

/// Adds up the operations of a ``BatchStage``, with forks where they are needed.
private struct BatchStageBuilder {
    /// One of the model's tensors, for one reader.
    struct Tensor {
        let matrix: BatchMatrix
        let needsGradient: Bool
        /// Whether nobody else reads the values.
        let isFree: Bool
        /// The layout that it has from the example stage.
        var image: TensorLayout?
    }

    let inputs: [BatchMatrix]
    private(set) var operations: [any BatchOperation] = []
    private(set) var plan: [PlannedLayer] = []
    private var readerCounts: [Int: Int]
    private var available: [Int: [Tensor]] = [:]

    init(_ split: StageSplit, _ stage: ExampleStage, output: Int, rowCapacity: Int) {
        readerCounts = split.batchLayers.reduce(into: [output: 1]) { counts, placed in
            for tensor in placed.inputs { counts[tensor, default: 0] += 1 }
        }
        inputs = stage.outputTensors.map {
            BatchMatrix(rowCapacity: rowCapacity, columnCount: stage.tensors[$0].storedCount)
        }
        for (position, handover) in split.handovers.enumerated() {
            let number = stage.outputTensors[position]
            available[handover.tensor] = [
                Tensor(
                    matrix: inputs[position], needsGradient: stage.needsGradient[number], isFree: true,
                    image: stage.tensors[number])
            ]
        }
    }

    /// One of the model's tensors, for one layer to read. The first of several layers makes a fork.
    mutating func take(_ number: Int) -> Tensor {
        let count = readerCounts[number]!
        if count > 1 {
            let tensor = available[number]![0]
            let fork = BatchFork(tensor.matrix, readerCount: count)
            operations.append(fork)
            available[number] = fork.outputs.map {
                Tensor(matrix: $0, needsGradient: tensor.needsGradient, isFree: false, image: tensor.image)
            }
            readerCounts[number] = 1
        }
        return available[number]!.removeFirst()
    }

    mutating func append(
        _ placed: Model.PlacedLayer, _ context: (Model.PlacedLayer, _ backpropagates: Bool) -> StageContext
    ) throws(EngineError) {
        let inputs = placed.inputs.map { take($0) }
        if placed.layer is any ReshapingLayer {
            available[placed.tensor] = inputs
            return
        }
        guard let layer = placed.batchStageLayer else {
            preconditionFailure("nothing computes the layer \(placed.name) behind the first dense one")
        }
        let backpropagates = inputs.contains(where: \.needsGradient)
        let operation = try layer.makeOperation(
            from: inputs.map(\.matrix),
            in: BatchContext(
                surroundings: context(placed, backpropagates), outputCount: placed.output.count,
                inputImage: inputs[0].image, mayOverwriteInput: inputs[0].isFree))
        operations.append(operation)
        plan.append(PlannedLayer(name: placed.name, computations: operation.computations))
        available[placed.tensor] = [
            Tensor(
                matrix: operation.outputs[0], needsGradient: backpropagates || !operation.parameters.isEmpty,
                isFree: !operation.backwardReadsOutput)
        ]
    }
}
