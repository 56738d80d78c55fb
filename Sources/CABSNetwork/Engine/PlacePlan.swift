import CABSPrimitives

/// Which tensors of the example stage share a place in memory, and which places are kept for every example in hand.
struct PlacePlan {
    /// Places of one kind.
    struct Places {
        /// The place of each tensor.
        var ofTensors: [Int] = []
        /// What lies in each place.
        var layouts: [TensorLayout] = []
        /// The places that every example in hand has for itself.
        var kept: Set<Int> = []

        fileprivate mutating func add(_ layout: TensorLayout) -> Int {
            layouts.append(layout)
            return layouts.count - 1
        }
    }

    /// Of the values.
    private(set) var values: Places
    /// Of their gradients.
    private(set) var gradients: Places

    init(_ stage: ExampleStage) {
        values = Self.values(stage)
        gradients = Self.gradients(stage)
        // What an operation reads or leaves that takes several examples at once has a place for each.
        for node in stage.nodes[stage.groupStart...] {
            for tensor in node.inputs + node.outputs {
                values.kept.insert(values.ofTensors[tensor])
                gradients.kept.insert(gradients.ofTensors[tensor])
            }
        }
    }

    private static func values(_ stage: ExampleStage) -> Places {
        var places = Places()
        var producers = [(any ExampleOperation)?](repeating: nil, count: stage.tensors.count)
        places.ofTensors = [places.add(stage.input)]
        for node in stage.nodes {
            let (operation, input) = (node.operation, node.inputs[0])
            // Nothing may be overwritten that a backward pass or another reader has yet to see.
            let isFree = producers[input].map { !$0.backwardReadsOutput && !$0.outputsShareInput } ?? true
            let shares =
                operation.outputsShareInput || operation.worksInPlace && !operation.backwardReadsInput && isFree
            for output in node.outputs {
                places.ofTensors.append(shares ? places.ofTensors[input] : places.add(stage.tensors[output]))
                producers[output] = operation
            }
            if operation.backwardReadsInput { places.kept.formUnion(node.inputs.map { places.ofTensors[$0] }) }
            if operation.backwardReadsOutput { places.kept.formUnion(node.outputs.map { places.ofTensors[$0] }) }
        }
        return places
    }

    /// The gradient of an input shares the place of the output's where an operation works in place.
    private static func gradients(_ stage: ExampleStage) -> Places {
        var places = Places()
        var found = [Int?](repeating: nil, count: stage.tensors.count)
        for tensor in stage.outputTensors { found[tensor] = places.add(stage.tensors[tensor]) }
        for node in stage.nodes.reversed() {
            for (position, input) in node.inputs.enumerated() {
                let shares = position == 0 && node.operation.worksInPlace
                found[input] = shares ? found[node.outputs[0]] : places.add(stage.tensors[input])
            }
        }
        places.ofTensors = found.map { $0! }
        return places
    }
}
