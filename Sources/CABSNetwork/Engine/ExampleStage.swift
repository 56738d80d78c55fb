import CDNN

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
    /// The number of the tensor that the stage leaves.
    let outputTensor: Int
    /// How each layer is computed, changes of layout included.
    let plan: [PlannedLayer]
    /// The first of the operations that take several examples at a time; the number of operations where none does.
    ///
    /// Up to there an example passes through all layers while it is in the core's cache. From there on parameters are more than
    /// fits, and it pays to use them for many examples once they are read.
    let groupStart: Int

    var operations: [any ExampleOperation] { nodes.map(\.operation) }
    var input: TensorLayout { tensors[0] }
    /// What the stage leaves; its shape is that before Flatten.
    var output: TensorLayout { tensors[outputTensor] }
    /// Whether any of the operations has parameters: without, there is no backward pass.
    var hasParameters: Bool { nodes.contains { !$0.operation.parameters.isEmpty } }

    /// Plans the layers of a model that come before the first dense layer.
    ///
    /// - Parameters:
    ///   - endsPlainly: Whether what comes out must lie in row-major order, channels first.
    ///   - slotCount: How many examples a worker has in hand at a time.
    ///   - measuresExactly: Whether squared norms, if any, are exact.
    ///   - context: What a layer is told of its surroundings.
    init(
        _ layers: [Model.PlacedLayer], input shape: ExampleShape, endsPlainly: Bool, slotCount: Int,
        measuresExactly: Bool,
        context: (Model.PlacedLayer, _ backpropagates: Bool, _ exampleCounts: [Int]) -> StageContext
    ) throws(EngineError) {
        let layers = layers.withMaximaBeforeActivations
        var builder = ExampleStageBuilder(
            input: TensorLayout(shape: shape, layout: try Layout.image(shape)), readers: layers.readerCounts)
        for (index, placed) in layers.enumerated() {
            let inputs = try placed.inputs.map { tensor throws(EngineError) in try builder.take(tensor) }
            if placed.layer is any ReshapingLayer {
                builder.define(index + 1, as: inputs[0])
                continue
            }
            guard let layer = placed.layer as? any ExampleStageLayer else {
                preconditionFailure("nothing computes the layer \(placed.name) before the first dense one")
            }
            if measuresExactly, let convolution = layer as? Conv2D,
                convolution.gathersExamples(from: placed.input, to: placed.output)
            {
                builder.beginGroup()
            }
            let backpropagates = inputs.contains { builder.needsGradient[$0] }
            let exampleCounts = builder.hasGroup ? Self.powersOfTwo(downFrom: slotCount) : [1]
            var surroundings = context(placed, backpropagates, exampleCounts)
            surroundings.outputGradientIsSparse = layers.gradientIsSparse(of: index)
            let operation = try layer.makeOperation(
                from: builder.tensors[inputs[0]], to: placed.output, in: surroundings)
            builder.define(index + 1, as: try builder.append(operation, inputs, name: placed.name))
        }
        var output = try builder.take(layers.count)
        if endsPlainly { output = try builder.reordered(output, to: Layout.image(builder.tensors[output].shape)) }
        tensors = builder.tensors
        needsGradient = builder.needsGradient
        nodes = builder.nodes
        plan = builder.plan
        groupStart = builder.groupStart ?? builder.nodes.count
        outputTensor = output
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
    /// How many layers read each of the model's tensors.
    private let readers: [Int]
    /// Tensors of the stage that stand for one of the model's: one for each layer that has yet to read it.
    private var available: [Int: [Int]] = [0: [0]]

    init(input: TensorLayout, readers: [Int]) {
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
        var stock = available[modelTensor]!
        if stock.count == 1, readers[modelTensor] > 1, !isForked(stock[0]) {
            let fork = ForkOperation(input: tensors[stock[0]], outputCount: readers[modelTensor])
            stock = add(fork, stock, outputCount: readers[modelTensor])
        }
        let tensor = stock.removeFirst()
        available[modelTensor] = stock
        return tensor
    }

    private func isForked(_ tensor: Int) -> Bool {
        nodes.contains { $0.operation.outputsShareInput && $0.outputs.contains(tensor) }
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

extension [Model.PlacedLayer] {
    /// How many layers read each tensor: the model's input and each layer's output, the last of which is read by what follows.
    fileprivate var readerCounts: [Int] {
        var counts = [Int](repeating: 0, count: count + 1)
        for layer in self { for tensor in layer.inputs { counts[tensor] += 1 } }
        counts[count] += 1
        return counts
    }

    /// Whether most values of a layer's output gradient are zero: where a maximum follows with windows two or more apart.
    fileprivate func gradientIsSparse(of index: Int) -> Bool {
        guard readerCounts[index + 1] == 1, let reader = first(where: { $0.inputs.contains(index + 1) }) else {
            return false
        }
        return (reader.layer as? MaxPool2D).map { $0.stride >= 2 } ?? false
    }

    /// The layers with every increasing activation moved behind a maximum that follows it.
    ///
    /// Both orders give the same values and gradients, but behind the maximum there are fewer of them, and the
    /// output of the convolution before it need not be kept for the backward pass.
    fileprivate var withMaximaBeforeActivations: [Model.PlacedLayer] {
        var result = self
        for index in result.indices.dropLast() {
            let (first, second) = (result[index], result[index + 1])
            guard let activation = first.layer as? any ElementwiseLayer, type(of: activation).isIncreasing,
                second.layer is MaxPool2D, second.inputs == [index + 1], result.readerCounts[index + 1] == 1
            else { continue }
            result[index] = Model.PlacedLayer(
                name: second.name, layer: second.layer, inputs: first.inputs, input: second.input,
                output: second.output)
            result[index + 1] = Model.PlacedLayer(
                name: first.name, layer: first.layer, inputs: [index + 1], input: second.output, output: second.output)
        }
        return result
    }
}
