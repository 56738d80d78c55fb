import CABSExamples

/// A fully connected layer, `y = W x + b`. Shapes: x [in], W [out, in], b [out], y [out].
public struct Dense: Layer {
    /// `dense`.
    public static let kind = "dense"
    /// `dense`.
    public static let namePrefix = "dense"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// The number of outputs.
    public let units: Int
    /// How the weights are first drawn.
    public let weightInitializer: Initializer
    /// How the biases are first drawn.
    public let biasInitializer: Initializer

    /// Creates the layer; its options are checked when a model is made.
    ///
    /// - Parameters:
    ///   - units: The number of outputs.
    ///   - weights: How the weights are first drawn.
    ///   - biases: How the biases are first drawn.
    public init(units: Int, weights: Initializer = .glorot, biases: Initializer = .constant(0)) {
        self.units = units
        weightInitializer = weights
        biasInitializer = biases
    }

    /// A vector of the units' results.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        try LayerError.requireSize(units, "units")
        guard case .vector = input else {
            throw .shapeMismatch(needed: "a vector", given: input, advice: "put Flatten before it")
        }
        return .vector(units)
    }

    /// `weight` [out, in] and `bias` [out].
    public func parameters(for input: ExampleShape) -> [ParameterSpecification] {
        [
            ParameterSpecification(
                name: "weight", shape: [units, input.count], initializer: weightInitializer,
                fanIn: input.count, fanOut: units),
            ParameterSpecification(
                name: "bias", shape: [units], initializer: biasInitializer, fanIn: input.count, fanOut: units),
        ]
    }

    /// `2 · in · out`.
    public func operationCount(for input: ExampleShape) -> Int { 2 * input.count * units }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case units
        case weightInitializer = "weights"
        case biasInitializer = "biases"
    }

    /// Reads the options; all but `units` may be left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            units: try container.decode(Int.self, forKey: .units),
            weights: try container.decodeIfPresent(Initializer.self, forKey: .weightInitializer) ?? .glorot,
            biases: try container.decodeIfPresent(Initializer.self, forKey: .biasInitializer) ?? .constant(0))
    }
}
