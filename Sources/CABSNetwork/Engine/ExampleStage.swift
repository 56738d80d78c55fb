import CDNN

/// The layers before the first dense layer, planned to run on one example at a time, the last of them perhaps on several.
struct ExampleStage: Sendable {
    let input: TensorLayout
    let operations: [any ExampleOperation]
    /// How each layer is computed, changes of layout included.
    let plan: [PlannedLayer]
    /// Whether any of the operations has parameters: without, there is no backward pass.
    let hasParameters: Bool
    /// The first of the operations that take several examples at a time; the number of operations where none does.
    ///
    /// Up to there an example passes through all layers while it is in the core's cache. From there on parameters are more than
    /// fits, and it pays to use them for many examples once they are read.
    let groupStart: Int

    /// What the last operation leaves.
    var output: TensorLayout { operations.last?.output ?? input }

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
        input = TensorLayout(shape: shape, layout: try Layout.image(shape))
        var current = input
        // The last image: Flatten changes the name of its shape and nothing in memory.
        var image = shape
        var operations: [any ExampleOperation] = []
        var hasParameters = false
        var groupStart: Int?
        var plan: [PlannedLayer] = []

        func appendReorder(to layout: Layout) throws(EngineError) {
            guard layout != current.layout else { return }
            let reorder = try ReorderOperation(from: current, to: layout)
            operations.append(reorder)
            plan.append(PlannedLayer(name: "layout", computations: reorder.computations))
            current = reorder.output
        }

        func append(_ operation: any ExampleOperation, _ name: String) throws(EngineError) {
            try appendReorder(to: operation.input.layout)
            operations.append(operation)
            plan.append(PlannedLayer(name: name, computations: operation.computations))
            hasParameters = hasParameters || !operation.parameters.isEmpty
            current = operation.output
        }

        let layers = Self.poolingBeforeActivations(layers)
        for (index, placed) in layers.enumerated() {
            if case .image = placed.output { image = placed.output }
            if placed.layer is any ReshapingLayer { continue }
            guard let layer = placed.layer as? any ExampleStageLayer else {
                preconditionFailure("nothing computes the layer \(placed.name) before the first dense one")
            }
            if groupStart == nil, measuresExactly, let convolution = layer as? Conv2D,
                convolution.gathersExamples(from: placed.input, to: placed.output)
            {
                groupStart = operations.count
            }
            let exampleCounts = groupStart == nil ? [1] : Self.powersOfTwo(downFrom: slotCount)
            var surroundings = context(placed, hasParameters, exampleCounts)
            if index + 1 < layers.count, let maximum = layers[index + 1].layer as? MaxPool2D {
                surroundings.outputGradientIsSparse = maximum.stride >= 2
            }
            try append(layer.makeOperation(from: current, to: placed.output, in: surroundings), placed.name)
        }
        imageShape = image
        if endsPlainly { try appendReorder(to: Layout.image(image)) }
        self.operations = operations
        self.plan = plan
        self.hasParameters = hasParameters
        self.groupStart = groupStart ?? operations.count
    }

    private static func powersOfTwo(downFrom largest: Int) -> [Int] {
        Array(sequence(first: largest) { $0 > 1 ? $0 / 2 : nil })
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
    /// The operations that take one example at a time, and those after them that take all.
    private let singleKernels: ArraySlice<any ExampleKernel>
    private let groupKernels: ArraySlice<any ExampleKernel>
    private let buffers: [AlignedBuffer]

    /// - Parameter slotCount: How many examples the worker has in hand at a time.
    init(_ stage: ExampleStage, worker: Int, slotCount: Int) throws(EngineError) {
        let operations = stage.operations
        var buffers: [AlignedBuffer] = []

        // Places follow each other without gaps, so that a primitive for several examples can take several.
        func allocate(_ layout: TensorLayout, isKept: Bool) -> ExampleTensor {
            let (count, slots) = (layout.storedCount, isKept ? slotCount : 1)
            let buffer = AlignedBuffer(count: count * slots)
            buffers.append(buffer)
            return ExampleTensor(buffer.pointer, slotStride: slots == 1 ? 0 : count, slotCount: slots)
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
        // From the first operation that takes several examples on, each has a place of its own for everything.
        let firstGrouped = stage.groupStart < operations.count ? stage.groupStart : operations.count + 1
        keptGroups.formUnion(groups[min(firstGrouped, groups.count)...])
        var tensors: [ExampleTensor] = []
        for (index, group) in groups.enumerated() {
            if index > 0, group == groups[index - 1] {
                tensors.append(tensors[index - 1])
            } else {
                let layout = index == 0 ? stage.input : operations[index - 1].output
                tensors.append(allocate(layout, isKept: keptGroups.contains(group)))
            }
        }
        // The gradients of tensor i and of the tensors that elementwise operations make of it share one place.
        var gradients = [ExampleTensor?](repeating: nil, count: operations.count + 1)
        var start = 0
        for index in 0...operations.count
        where index == operations.count || !operations[index].worksInPlace {
            let layout = index == 0 ? stage.input : operations[index - 1].output
            let tensor = allocate(layout, isKept: index >= firstGrouped)
            for shared in start...index { gradients[shared] = tensor }
            start = index + 1
        }

        let scratch = AlignedBuffer(byteCount: operations.map(\.scratchByteCount).max() ?? 0)
        var kernels: [any ExampleKernel] = []
        var hasParameters = false
        for (index, operation) in operations.enumerated() {
            kernels.append(
                try operation.bind(
                    to: ExamplePlaces(
                        worker: worker, slotCount: slotCount, input: tensors[index], output: tensors[index + 1],
                        inputGradient: hasParameters ? gradients[index]! : nil,
                        outputGradient: gradients[index + 1]!, scratch: scratch)))
            hasParameters = hasParameters || !operation.parameters.isEmpty
        }
        singleKernels = kernels[..<stage.groupStart]
        groupKernels = kernels[stage.groupStart...]
        self.buffers = buffers
        input = tensors[0]
        output = tensors[operations.count]
        outputGradient = gradients[operations.count]!
    }

    func beginStep() {
        for kernel in singleKernels { kernel.beginStep() }
        for kernel in groupKernels { kernel.beginStep() }
    }

    /// - Parameters:
    ///   - begin: Puts an example's input in its place.
    ///   - finish: Takes an example's output over.
    func forward(_ slots: Range<Int>, pass: ExamplePass, begin: (_ slot: Int) -> Void, finish: (_ slot: Int) -> Void) {
        for slot in slots {
            begin(slot)
            for kernel in singleKernels { kernel.forward(slot..<slot + 1, pass: pass) }
            if groupKernels.isEmpty { finish(slot) }
        }
        guard !groupKernels.isEmpty else { return }
        for kernel in groupKernels { kernel.forward(slots, pass: pass) }
        for slot in slots { finish(slot) }
    }

    /// - Parameter begin: Puts the gradient of an example's output in its place.
    func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally, begin: (_ slot: Int) -> Void) {
        if !groupKernels.isEmpty {
            for slot in slots { begin(slot) }
            for kernel in groupKernels.reversed() { kernel.backward(slots, pass: pass, tally: tally) }
        }
        for slot in slots {
            if groupKernels.isEmpty { begin(slot) }
            for kernel in singleKernels.reversed() { kernel.backward(slot..<slot + 1, pass: pass, tally: tally) }
        }
    }
}
