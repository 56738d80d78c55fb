/// An array of numbers with a shape, in row-major order (the last index runs fastest).
public struct Tensor: Sendable, Hashable {
    /// The size of each dimension.
    public let shape: [Int]
    /// The values, as many as the sizes multiply to.
    public var values: [Float]

    /// Creates a tensor. The number of values must be the product of the shape.
    public init(shape: [Int], values: [Float]) {
        precondition(shape.reduce(1, *) == values.count, "tensor of shape \(shape) with \(values.count) values")
        self.shape = shape
        self.values = values
    }
}

/// Named tensors in the order of a model's layers: parameters, or gradients of the same shapes.
///
/// Names and shapes follow PyTorch: `conv1.weight` [out, in, height, width], `dense1.weight` [out, in],
/// `conv1.bias` [out], and a dense layer after `Flatten` numbers its inputs by channel, row, column.
public struct ParameterSet: Sendable, Hashable {
    /// The names in order.
    public let names: [String]
    private var tensors: [String: Tensor]

    /// Creates a set; names must be unique.
    public init(_ elements: [(name: String, tensor: Tensor)]) {
        names = elements.map(\.name)
        tensors = Dictionary(uniqueKeysWithValues: elements.map { ($0.name, $0.tensor) })
    }

    /// The tensor of that name, if there is one.
    public subscript(name: String) -> Tensor? { tensors[name] }

    /// Names and tensors in order.
    public var elements: [(name: String, tensor: Tensor)] { names.map { ($0, tensors[$0]!) } }

    /// Checks that these are parameters of `model`, no more and no fewer, each in its shape.
    ///
    /// - Throws: ``ModelError`` naming the first parameter that does not fit.
    public func check(against model: Model) throws(ModelError) {
        try check(against: model.parameters.map { ($0.name, $0.specification.shape) })
    }

    /// Checks that these are tensors of those names and shapes, no more and no fewer.
    func check(against expected: [(name: String, shape: [Int])]) throws(ModelError) {
        for (name, shape) in expected {
            guard let tensor = tensors[name] else { throw .missingParameter(name, found: names) }
            guard tensor.shape == shape else {
                throw .parameterShape(name: name, expected: shape, given: tensor.shape)
            }
        }
        let known = expected.map(\.name)
        for name in names where !known.contains(name) {
            throw .unknownParameter(name, known: known)
        }
    }
}
