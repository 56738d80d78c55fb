import CABSExamples

/// A neural network's architecture: an input shape and a list of layers, checked to fit together.
///
/// ```swift
/// let model = try Model(input: .image(height: 28, width: 28, channels: 1), seed: 1) {
///     Conv2D(filters: 32, kernelSize: 5); ReLU(); MaxPool2D(poolSize: 2)
///     Flatten(); Dense(units: 10)
/// }
/// ```
///
/// A model is a value and holds no parameters; a ``Network`` does. Layers that hold others, such as ``Residual``, make it a graph.
public struct Model: Sendable {
    /// One layer in its place.
    public struct PlacedLayer: Sendable {
        /// The layer's name in this model, such as `conv2`.
        public let name: String
        /// The layer.
        public let layer: any Layer
        /// What goes in, by number: 0 is the model's input, i + 1 the output of ``Model/layers`` number i.
        public let inputs: [Int]
        /// The number of what comes out.
        public let tensor: Int
        /// The shape that goes in.
        public let input: ExampleShape
        /// The shape that comes out.
        public let output: ExampleShape
    }

    /// The shape of one example.
    public let inputShape: ExampleShape

    /// The layers as they were listed.
    public let definition: [any Layer]

    /// The layers in the order in which they are computed, with their names, shapes and inputs; those of blocks by themselves.
    public let layers: [PlacedLayer]

    /// The seed from which the first parameters are drawn.
    public let seed: UInt64

    /// Whether outputs in training are others than in use.
    public var hasDropout: Bool { layers.contains { $0.layer is Dropout } }

    /// How many values a layer's output, or one of its parameters, may have at most.
    static let largestCount = 1 << 31

    /// Checks that the layers fit each other.
    ///
    /// - Parameters:
    ///   - input: The shape of one example.
    ///   - seed: The seed from which the first parameters are drawn.
    ///   - layers: The layers in order.
    /// - Throws: ``ModelError`` naming the layer and both shapes where two do not fit.
    public init(input: ExampleShape, seed: UInt64 = 0, layers: [any Layer]) throws(ModelError) {
        guard input.hasValues else { throw .emptyInput(input) }
        var graph = ModelGraph(input: input)
        _ = try graph.place(layers, from: 0)
        guard let last = graph.nodes.last else { throw .noLayers }
        guard case .vector = last.output else { throw .outputIsNotAVector(layer: last.name, last.output) }
        self.inputShape = input
        self.definition = layers
        self.layers = graph.nodes
        self.seed = seed
    }

    /// Checks that the layers fit each other.
    ///
    /// - Throws: ``ModelError`` naming the layer and both shapes where two do not fit.
    public init(
        input: ExampleShape, seed: UInt64 = 0, @ModelBuilder layers: () throws(ModelError) -> [any Layer]
    ) throws(ModelError) {
        try self.init(input: input, seed: seed, layers: layers())
    }

    /// The number of values in the output vector: the number of classes of a classifier.
    public var outputCount: Int { layers[layers.count - 1].output.count }

    /// The trainable parameters in the order of the layers, named as in parameter files: `conv1.weight`,
    /// `conv1.bias`, ...
    public var parameters: [(name: String, specification: ParameterSpecification)] {
        layers.flatMap { placed in
            placed.layer.parameters(for: placed.input).map { ("\(placed.name).\($0.name)", $0) }
        }
    }

    /// The number of trainable values.
    public var parameterCount: Int {
        parameters.reduce(0) { $0 + $1.specification.shape.reduce(1, *) }
    }

    /// The floating-point operations of one example in a training step: each layer's products forward, for its weight
    /// gradient, and for its input gradient, which the first layer with parameters does not need.
    public var operationsPerExample: Int {
        let counts = layers.map { $0.layer.operationCount(for: $0.input) }
        return 3 * counts.reduce(0, +) - (counts.first { $0 > 0 } ?? 0)
    }

    /// Draws the parameters that training starts from; the same for the same seed.
    public func initialParameters() -> ParameterSet {
        ParameterSet(
            parameters.enumerated().map { index, parameter in
                var random = RandomStream(seed: seed, purpose: .initialization, index: UInt64(index))
                return (parameter.name, parameter.specification.makeTensor(using: &random))
            })
    }
}

/// Collects the layers of a ``Model``.
@resultBuilder
public enum ModelBuilder {
    /// One layer.
    public static func buildExpression(_ layer: any Layer) -> [any Layer] { [layer] }
    /// Several layers.
    public static func buildExpression(_ layers: [any Layer]) -> [any Layer] { layers }
    /// Layers in order.
    public static func buildBlock(_ parts: [any Layer]...) -> [any Layer] { parts.flatMap(\.self) }
    /// Layers repeated.
    public static func buildArray(_ parts: [[any Layer]]) -> [any Layer] { parts.flatMap(\.self) }
    /// Layers that may be left out.
    public static func buildOptional(_ part: [any Layer]?) -> [any Layer] { part ?? [] }
    /// One of two alternatives.
    public static func buildEither(first: [any Layer]) -> [any Layer] { first }
    /// The other of two alternatives.
    public static func buildEither(second: [any Layer]) -> [any Layer] { second }
}

extension ExampleShape {
    fileprivate var hasValues: Bool {
        switch self {
        case .vector(let count): count > 0
        case .image(let height, let width, let channels): height > 0 && width > 0 && channels > 0
        }
    }
}
