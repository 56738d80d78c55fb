import CABSExamples
import CABSPrimitives

/// The layers before the first dense layer, planned to run on one example at a time, the last of them perhaps on several: operations
/// with the tensors between them.
struct ExampleStage: Sendable {
    /// An operation with the numbers of its tensors.
    struct Node: Sendable {
        let operation: any ExampleOperation
        let inputs: [Int]
        let outputs: [Int]
    }

    /// The tensors by number; the first is the stage's input.
    let tensors: [TensorLayout]
    /// Whether an operation with parameters lies before a tensor, so that its gradient is needed.
    let needsGradient: [Bool]
    /// The operations in the order in which they run.
    let nodes: [Node]
    /// The numbers of the tensors that the stage leaves; their shapes are those before Flatten.
    let outputTensors: [Int]
    /// How each layer is computed, changes of layout included.
    let plan: [PlannedLayer]
    /// The first of the operations that take several examples at a time; the number of operations where none does.
    ///
    /// Up to there an example passes through all layers while it is in the core's cache. From there on parameters are more than
    /// fits, and it pays to use them for many examples once they are read.
    let groupStart: Int

    var operations: [any ExampleOperation] { nodes.map(\.operation) }
    var input: TensorLayout { tensors[0] }
    /// Whether any of the operations has parameters: without, there is no backward pass.
    var hasParameters: Bool { nodes.contains { !$0.operation.parameters.isEmpty } }

    /// Plans the layers of a model that come before dense ones.
    ///
    /// - Parameters:
    ///   - split: The layers, and what is handed over.
    ///   - slotCount: How many examples a worker has in hand at a time.
    ///   - measuresExactly: Whether squared norms, if any, are exact.
    ///   - context: What a layer is told of its surroundings.
    init(
        _ split: StageSplit, input shape: ExampleShape, slotCount: Int, measuresExactly: Bool,
        context: (Model.PlacedLayer, _ backpropagates: Bool, _ exampleCounts: [Int]) -> StageContext
    ) throws(EngineError) {
        let readers = split.readerCounts
        let layers = split.exampleLayers.withMaximaBeforeActivations(readers)
        var builder = ExampleStageBuilder(
            input: TensorLayout(shape: shape, layout: try Layout.image(shape)), readers: readers)
        for placed in layers {
            let inputs = try placed.inputs.map { tensor throws(EngineError) in try builder.take(tensor) }
            if placed.layer is any ReshapingLayer {
                builder.define(placed.tensor, as: inputs[0])
                continue
            }
            guard let layer = placed.exampleStageLayer else {
                preconditionFailure("nothing computes the layer \(placed.name) before the first dense one")
            }
            if measuresExactly, layer.gathersExamples(from: placed.input, to: placed.output) { builder.beginGroup() }
            let backpropagates = inputs.contains { builder.needsGradient[$0] }
            let exampleCounts = builder.hasGroup ? Self.powersOfTwo(downFrom: slotCount) : [1]
            var surroundings = context(placed, backpropagates, exampleCounts)
            surroundings.outputGradientIsSparse = layers.gradientIsSparse(of: placed.tensor, readers)
            let operation = try layer.makeOperation(
                from: builder.tensors[inputs[0]], to: placed.output, in: surroundings)
            builder.define(placed.tensor, as: try builder.append(operation, inputs, name: placed.name))
        }
        var outputs: [Int] = []
        for handover in split.handovers {
            let tensor = try builder.take(handover.tensor)
            outputs.append(
                handover.isPlain
                    ? try builder.reordered(tensor, to: Layout.image(builder.tensors[tensor].shape)) : tensor)
        }
        tensors = builder.tensors
        needsGradient = builder.needsGradient
        nodes = builder.nodes
        plan = builder.plan
        groupStart = builder.groupStart ?? builder.nodes.count
        outputTensors = outputs
    }

    private static func powersOfTwo(downFrom largest: Int) -> [Int] {
        Array(sequence(first: largest) { $0 > 1 ? $0 / 2 : nil })
    }
}

/// Adds up the nodes of an ``ExampleStage``, with changes of layout and forks where they are needed.
private struct ExampleStageBuilder {
    private(set) var tensors: [TensorLayout]
    private(set) var needsGradient = [false]
    private(set) var nodes: [ExampleStage.Node] = []
    private(set) var plan: [PlannedLayer] = []
    private(set) var groupStart: Int?
    /// How many layers read each of the model's tensors that has no fork yet.
    private var readers: [Int: Int]
    /// Tensors of the stage that stand for one of the model's: one for each layer that has yet to read it.
    private var available: [Int: [Int]] = [0: [0]]

    init(input: TensorLayout, readers: [Int: Int]) {
        tensors = [input]
        self.readers = readers
    }

    var hasGroup: Bool { groupStart != nil }

    /// From here on operations take several examples.
    mutating func beginGroup() { groupStart = groupStart ?? nodes.count }

    /// Says which of the stage's tensors is one of the model's.
    mutating func define(_ modelTensor: Int, as tensor: Int) { available[modelTensor] = [tensor] }

    /// One of the model's tensors, for one layer to read. The first of several layers makes a fork.
    mutating func take(_ modelTensor: Int) throws(EngineError) -> Int {
        let count = readers[modelTensor, default: 1]
        if count > 1 {
            let stock = available[modelTensor]!
            let fork = ForkOperation(input: tensors[stock[0]], outputCount: count)
            available[modelTensor] = add(fork, stock, outputCount: count)
            readers[modelTensor] = 1
        }
        return available[modelTensor]!.removeFirst()
    }

    /// Adds an operation of a layer, and before it the changes of layout that its inputs need.
    ///
    /// - Returns: The number of its output.
    mutating func append(
        _ operation: any ExampleOperation, _ inputs: [Int], name: String
    ) throws(EngineError) -> Int {
        let inputs = try inputs.map { tensor throws(EngineError) in try reordered(tensor, to: operation.input.layout) }
        plan.append(PlannedLayer(name: name, computations: operation.computations))
        return add(operation, inputs, outputCount: 1)[0]
    }

    /// A tensor in another layout.
    mutating func reordered(_ tensor: Int, to layout: Layout) throws(EngineError) -> Int {
        guard layout != tensors[tensor].layout else { return tensor }
        let reorder = try ReorderOperation(from: tensors[tensor], to: layout)
        plan.append(PlannedLayer(name: "layout", computations: reorder.computations))
        return add(reorder, [tensor], outputCount: 1)[0]
    }

    private mutating func add(_ operation: any ExampleOperation, _ inputs: [Int], outputCount: Int) -> [Int] {
        let outputs = Array(tensors.count..<tensors.count + outputCount)
        tensors += outputs.map { _ in operation.output }
        let needs = !operation.parameters.isEmpty || inputs.contains { needsGradient[$0] }
        needsGradient += outputs.map { _ in needs }
        nodes.append(ExampleStage.Node(operation: operation, inputs: inputs, outputs: outputs))
        return outputs
    }
}

extension StageSplit {
    /// How many layers of the example stage read each tensor; what is handed over has one reader more.
    fileprivate var readerCounts: [Int: Int] {
        var counts: [Int: Int] = [:]
        for placed in exampleLayers { for tensor in placed.inputs { counts[tensor, default: 0] += 1 } }
        for handover in handovers { counts[handover.tensor, default: 0] += 1 }
        return counts
    }
}

extension [Model.PlacedLayer] {
    /// Whether most values of a tensor's gradient are zero, by the one layer that reads it.
    fileprivate func gradientIsSparse(of tensor: Int, _ readers: [Int: Int]) -> Bool {
        guard readers[tensor] == 1, let reader = first(where: { $0.inputs.contains(tensor) }) else { return false }
        return reader.exampleStageLayer?.inputGradientIsSparse ?? false
    }

    /// The layers with every increasing activation moved behind a maximum that follows it.
    ///
    /// Both orders give the same values and gradients, but behind the maximum there are fewer of them, and the
    /// output of the convolution before it need not be kept for the backward pass.
    fileprivate func withMaximaBeforeActivations(_ readers: [Int: Int]) -> [Model.PlacedLayer] {
        var result = self
        for index in result.indices.dropLast() {
            let (first, second) = (result[index], result[index + 1])
            guard let activation = first.layer as? any ElementwiseLayer, type(of: activation).isIncreasing,
                let maximum = second.exampleStageLayer, maximum.takesMaxima,
                second.inputs == [first.tensor], readers[first.tensor] == 1
            else { continue }
            result[index] = Model.PlacedLayer(
                name: second.name, layer: second.layer, inputs: first.inputs, tensor: first.tensor,
                input: second.input, output: second.output)
            result[index + 1] = Model.PlacedLayer(
                name: first.name, layer: first.layer, inputs: [first.tensor], tensor: second.tensor,
                input: second.output, output: second.output)
        }
        return result
    }
}
