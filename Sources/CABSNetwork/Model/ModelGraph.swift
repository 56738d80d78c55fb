import CABSExamples

/// A layer that stands for several, which take its place in the graph.
protocol CompositeLayer: Layer {
    /// Places the layers that it stands for.
    ///
    /// - Parameter tensor: The number of the tensor that goes in.
    /// - Returns: That of the one that comes out.
    func place(in graph: inout ModelGraph, from tensor: Int) throws(ModelError) -> Int
}

/// The layers of a model with the tensors between them: tensor 0 is the model's input, tensor i + 1 what layer i gives.
struct ModelGraph {
    private(set) var nodes: [Model.PlacedLayer] = []
    /// The shapes of the tensors.
    private var shapes: [ExampleShape]
    private var ordinals: [String: Int] = [:]

    init(input: ExampleShape) { shapes = [input] }

    /// Places layers one after the other.
    ///
    /// - Returns: The number of the last one's tensor.
    mutating func place(_ layers: [any Layer], from tensor: Int) throws(ModelError) -> Int {
        var current = tensor
        for layer in layers {
            let type = Swift.type(of: layer)
            if let composite = layer as? any CompositeLayer {
                try checkFit(layer, name: name(of: type), shapes[current])
                current = try composite.place(in: &self, from: current)
            } else {
                current = try append(layer, inputs: [current])
            }
        }
        return current
    }

    /// Adds a node.
    ///
    /// - Returns: The number of its tensor.
    mutating func append(_ layer: any Layer, inputs: [Int]) throws(ModelError) -> Int {
        let (name, input) = (name(of: type(of: layer)), shapes[inputs[0]])
        let output = try checkFit(layer, name: name, input)
        nodes.append(
            Model.PlacedLayer(
                name: name, layer: layer, inputs: inputs, tensor: shapes.count, input: input, output: output))
        shapes.append(output)
        return shapes.count - 1
    }

    private mutating func name(of type: any Layer.Type) -> String {
        ordinals[type.namePrefix, default: 0] += 1
        return "\(type.namePrefix)\(ordinals[type.namePrefix]!)"
    }

    /// Checks that a layer can take a shape, and that nothing about it is larger than any memory.
    ///
    /// - Returns: The shape that comes out.
    @discardableResult
    private func checkFit(_ layer: any Layer, name: String, _ input: ExampleShape) throws(ModelError) -> ExampleShape {
        let output: ExampleShape
        do {
            output = try layer.outputShape(for: input)
        } catch {
            throw .layer(name, error)
        }
        let names = layer.parameters(for: input).map(\.name)
        if let wrong = names.first(where: { name in
            name.isEmpty || !name.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
                || names.count { $0 == name } > 1
        }) {
            throw .parameterName(layer: name, name: wrong)
        }
        // No product below overflows: sizes are bounded, and so are all counts before.
        let counts = layer.parameters(for: input).map { $0.shape.map(Double.init).reduce(1, *) }
        guard output.count <= Model.largestCount, counts.allSatisfy({ $0 <= Double(Model.largestCount) }) else {
            throw .layerTooLarge(name)
        }
        return output
    }
}
