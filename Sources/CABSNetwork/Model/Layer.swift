import CABSExamples

/// One layer of a model: what it computes for one example, as a description without parameters or state.
///
/// Layers are those of this module, and types of your own that conform to ``ExampleLayer``. A layer sees one example at a time, which is
/// what gives every example a gradient of its own.
public protocol Layer: Sendable, Codable {
    /// The layer's name in model files, such as `conv2d`.
    static var kind: String { get }

    /// What the names of such layers in a model start with: the second convolution is `conv2`.
    static var namePrefix: String { get }

    /// What computes such layers. Those of this module have the engine; ``ExampleLayer`` brings its own, and nothing else can.
    static var computation: LayerComputation { get }

    /// The shape that comes out for an example of shape `input`.
    ///
    /// - Throws: ``LayerError`` where the layer cannot take that shape, or an option is out of range.
    func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape

    /// The trainable parameters that the layer has for examples of shape `input`, one that it can take.
    func parameters(for input: ExampleShape) -> [ParameterSpecification]

    /// The floating-point operations of the layer's products for one example, forward: two for each product and sum.
    /// What is linear in the number of values counts as nothing.
    func operationCount(for input: ExampleShape) -> Int
}

extension Layer {
    /// No parameters.
    public func parameters(for input: ExampleShape) -> [ParameterSpecification] { [] }

    /// None.
    public func operationCount(for input: ExampleShape) -> Int { 0 }
}

/// What computes a layer.
public struct LayerComputation: Sendable {
    /// The engine, which knows the layers of this module.
    package static let engine = LayerComputation()
    /// The layer itself, one example at a time.
    package static let byExample = LayerComputation()

    private init() {}
}

/// A trainable parameter of a layer: its shape and how it is filled before training.
public struct ParameterSpecification: Sendable, Hashable {
    /// The name within the layer, `weight` or `bias`.
    public let name: String
    /// The shape in PyTorch's order: convolution [out, in, height, width], dense [out, in], bias [out].
    public let shape: [Int]
    /// How the values are first drawn.
    public let initializer: Initializer
    /// How many input values one output value depends on.
    public let fanIn: Int
    /// How many output values one input value reaches.
    public let fanOut: Int

    /// Describes a parameter; a name is of letters, digits and underscores, and stands once in a layer.
    ///
    /// - Parameters:
    ///   - fanIn: How many input values one output value depends on, by which He's and Glorot's initialisers go.
    ///   - fanOut: How many output values one input value reaches.
    public init(name: String, shape: [Int], initializer: Initializer, fanIn: Int = 1, fanOut: Int = 1) {
        self.name = name
        self.shape = shape
        self.initializer = initializer
        self.fanIn = fanIn
        self.fanOut = fanOut
    }

    /// The number of values.
    public var count: Int { shape.reduce(1, *) }
}

/// Why a layer cannot stand where it does.
public enum LayerError: Error, Hashable, CustomStringConvertible {
    /// The layer cannot take the shape that it is given.
    case shapeMismatch(needed: String, given: ExampleShape, advice: String)
    /// An option of the layer is out of its range.
    case invalidOption(String, value: String, allowed: String)
    /// A block without layers.
    case empty

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .shapeMismatch(let needed, let given, let advice):
            "needs \(needed) but gets \(given.withArticle); \(advice)"
        case .empty: "holds no layers; give it at least one"
        case .invalidOption(let option, let value, let allowed): "has \(option) \(value); use \(allowed)"
        }
    }

    /// Throws ``invalidOption(_:value:allowed:)`` where a size is below one, or so large that products of sizes would not be
    /// integers any more.
    static func requireSize(_ value: Int, _ option: String) throws(LayerError) {
        let sizes = 1...100_000
        guard sizes.contains(value) else {
            throw .invalidOption(
                option, value: "\(value)", allowed: "\(sizes.lowerBound) to \(sizes.upperBound)")
        }
    }
}
