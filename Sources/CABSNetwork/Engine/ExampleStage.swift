import CDNN

/// The layers before the first dense layer, planned to run on one example at a time.
struct ExampleStage: Sendable {
    let input: TensorLayout
    let operations: [any ExampleOperation]
    /// Whether any of the operations has parameters: without, there is no backward pass.
    let hasParameters: Bool

    /// What the last operation leaves.
    var output: TensorLayout { operations.last?.output ?? input }

    /// Plans the layers of a model that come before the first dense layer.
    ///
    /// - Parameters:
    ///   - endsPlainly: Whether what comes out must lie in row-major order, channels first.
    ///   - context: What a layer is told of its surroundings.
    init(
        _ layers: [Model.PlacedLayer], input shape: ExampleShape, endsPlainly: Bool,
        context: (Model.PlacedLayer, _ backpropagates: Bool) -> StageContext
    ) throws(EngineError) {
        input = TensorLayout(shape: shape, layout: try Layout.image(shape))
        var current = input
        // The last image: Flatten changes the name of its shape and nothing in memory.
        var image = shape
        var operations: [any ExampleOperation] = []
        var hasParameters = false

        func append(_ operation: any ExampleOperation) throws(EngineError) {
            if operation.input.layout != current.layout {
                operations.append(try ReorderOperation(from: current, to: operation.input.layout))
            }
            operations.append(operation)
            hasParameters = hasParameters || !operation.parameters.isEmpty
            current = operation.output
        }

        for placed in Self.poolingBeforeActivations(layers) {
            if case .image = placed.output { image = placed.output }
            guard let layer = placed.layer as? any ExampleStageLayer else { continue }
            try append(layer.makeOperation(from: current, to: placed.output, in: context(placed, hasParameters)))
        }
        imageShape = image
        if endsPlainly {
            let plain = try Layout.image(image)
            if plain != current.layout { operations.append(try ReorderOperation(from: current, to: plain)) }
        }
        self.operations = operations
        self.hasParameters = hasParameters
    }

    /// The shape of what comes out, before Flatten.
    let imageShape: ExampleShape

    /// The layers with every increasing activation moved behind a maximum that follows it.
    ///
    /// Both orders give the same values and gradients, but behind the maximum there are fewer of them, and the
    /// output of the convolution before it need not be kept for the backward pass.
    private static func poolingBeforeActivations(_ layers: [Model.PlacedLayer]) -> [Model.PlacedLayer] {
        var result = layers
        for index in result.indices.dropLast() {
            let (first, second) = (result[index], result[index + 1])
            guard let activation = first.layer as? any ElementwiseLayer, type(of: activation).isIncreasing,
                second.layer is MaxPool2D
            else { continue }
            result[index] = second
            result[index + 1] = Model.PlacedLayer(
                name: first.name, layer: first.layer, input: second.output, output: second.output)
        }
        return result
    }
}

/// One worker's memory for the example stage, and the stage's operations bound to it.
final class ExampleLane {
    /// Where an example's input goes, channels first.
    let input: ExampleTensor
    /// Where its output is found.
    let output: ExampleTensor
    /// Where the gradient of its output goes.
    let outputGradient: ExampleTensor
    private let kernels: [any ExampleKernel]
    private let buffers: [AlignedBuffer]

    /// - Parameter slotCount: How many examples the worker has in hand at a time.
    init(_ stage: ExampleStage, worker: Int, slotCount: Int) throws(EngineError) {
        let operations = stage.operations
        var buffers: [AlignedBuffer] = []

        func allocate(_ count: Int, slots: Int) -> ExampleTensor {
            // Whole cache lines, so that no two examples share one.
            let stride = count.roundedUp(toMultipleOf: 16)
            let buffer = AlignedBuffer(count: stride * slots)
            buffers.append(buffer)
            return ExampleTensor(buffer.pointer, slotStride: slots == 1 ? 0 : stride, slotCount: slots)
        }

        // Tensor i goes into operation i and comes out of operation i − 1. Tensors of one place form a group.
        var groups = [0]
        var keptGroups: Set<Int> = []
        for (index, operation) in operations.enumerated() {
            let outputIsRead = index > 0 && operations[index - 1].backwardReadsOutput
            let group = groups[index] + (operation.worksInPlace && !outputIsRead ? 0 : 1)
            groups.append(group)
            if operation.backwardReadsInput { keptGroups.insert(groups[index]) }
            if operation.backwardReadsOutput { keptGroups.insert(group) }
        }
        var tensors: [ExampleTensor] = []
        for (index, group) in groups.enumerated() {
            if index > 0, group == groups[index - 1] {
                tensors.append(tensors[index - 1])
            } else {
                let layout = index == 0 ? stage.input : operations[index - 1].output
                let slots = keptGroups.contains(group) ? slotCount : 1
                tensors.append(allocate(layout.storedCount, slots: slots))
            }
        }
        var gradients: [ExampleTensor] = []
        for index in (0...operations.count).reversed() {
            if index < operations.count, operations[index].worksInPlace {
                gradients.append(gradients[gradients.count - 1])
            } else {
                let layout = index == 0 ? stage.input : operations[index - 1].output
                gradients.append(allocate(layout.storedCount, slots: 1))
            }
        }
        gradients.reverse()

        let scratch = AlignedBuffer(byteCount: operations.map(\.scratchByteCount).max() ?? 0)
        var kernels: [any ExampleKernel] = []
        var hasParameters = false
        for (index, operation) in operations.enumerated() {
            kernels.append(
                try operation.bind(
                    to: ExamplePlaces(
                        worker: worker, slotCount: slotCount, input: tensors[index], output: tensors[index + 1],
                        inputGradient: hasParameters ? gradients[index] : nil,
                        outputGradient: gradients[index + 1], scratch: scratch)))
            hasParameters = hasParameters || !operation.parameters.isEmpty
        }
        self.kernels = kernels
        self.buffers = buffers
        input = tensors[0]
        output = tensors[operations.count]
        outputGradient = gradients[operations.count]
    }

    func forward(slot: Int, pass: ExamplePass) {
        for kernel in kernels { kernel.forward(slot: slot, pass: pass) }
    }

    func backward(slot: Int, pass: ExamplePass, tally: GradientTally) {
        for kernel in kernels.reversed() { kernel.backward(slot: slot, pass: pass, tally: tally) }
    }
}
