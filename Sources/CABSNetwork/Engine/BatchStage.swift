import CDNN

/// The layers from the first dense layer on, planned to run on a chunk of examples at a time.
struct BatchStage: Sendable {
    /// What the example stage hands over, one example a row.
    let input: BatchMatrix
    let operations: [any BatchOperation]
    /// How each layer is computed.
    let plan: [PlannedLayer]

    /// What goes into the loss.
    var output: BatchMatrix { operations.last?.output ?? input }

    /// - Parameters:
    ///   - layers: The layers of a model from its first dense layer on.
    ///   - exampleStage: What comes before.
    ///   - rowCapacity: How many examples a chunk may have.
    ///   - context: What a layer is told of its surroundings.
    init(
        _ layers: [Model.PlacedLayer], after exampleStage: ExampleStage, rowCapacity: Int,
        context: (Model.PlacedLayer, _ backpropagates: Bool) -> StageContext
    ) throws(EngineError) {
        let input = BatchMatrix(rowCapacity: rowCapacity, columnCount: exampleStage.output.storedCount)
        var operations: [any BatchOperation] = []
        var current = input
        var outputIsRead = false
        var plan: [PlannedLayer] = []
        for placed in layers {
            let context = context(placed, !operations.isEmpty || exampleStage.hasParameters)
            if let dense = placed.layer as? Dense {
                let imageForm =
                    operations.isEmpty
                    ? StoredForm(
                        repetitions: dense.units, plain: try Layout.image(exampleStage.output.shape),
                        stored: exampleStage.output.layout) : nil
                let operation = try DenseOperation(
                    input: current, inputForm: imageForm, units: dense.units, in: context)
                operations.append(operation)
                outputIsRead = false
            } else if let layer = placed.layer as? any ElementwiseLayer {
                let function = layer.makeFunction(in: context)
                let output =
                    outputIsRead || function.backwardReads == .input
                    ? BatchMatrix(rowCapacity: rowCapacity, columnCount: current.columnCount) : current
                operations.append(
                    ElementwiseBatchOperation(
                        input: current, output: output, function: function))
                outputIsRead = function.backwardReads == .output
            } else if !(placed.layer is any ReshapingLayer) {
                preconditionFailure("nothing computes the layer \(placed.name) behind the first dense one")
            }
            plan.append(PlannedLayer(name: placed.name, computations: operations.last?.computations ?? []))
            current = operations.last?.output ?? input
        }
        self.input = input
        self.plan = plan
        self.operations = operations
    }
}
