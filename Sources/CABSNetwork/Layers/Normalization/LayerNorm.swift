import CABSExamples

/// Layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450): with the mean μ and the variance σ² of all K values of one example,
///
///     y_k = γ_k (x_k − μ) / √(σ² + ε) + β_k
///
/// with a scale γ and a shift β for each value; of an image as well, as PyTorch's `LayerNorm([channels, height, width])`. It sees one example
/// at a time, so every example has a gradient of its own.
public struct LayerNorm: Layer {
    /// `layer-norm`.
    public static let kind = "layer-norm"
    /// `layerNorm`.
    public static let namePrefix = "layerNorm"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// What is added to the variance.
    public let epsilon: Float

    /// Creates the layer; its option is checked when a model is made.
    public init(epsilon: Float = 1e-5) {
        self.epsilon = epsilon
    }

    /// The input's shape.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        guard epsilon > 0, epsilon.isFinite else {
            throw .invalidOption("epsilon", value: "\(epsilon)", allowed: "a positive number")
        }
        return input
    }

    /// `weight`, at first 1, and `bias`, at first 0: [values], or of an image [channels, height, width].
    public func parameters(for input: ExampleShape) -> [ParameterSpecification] {
        let shape =
            switch input {
            case .vector(let count): [count]
            case .image(let height, let width, let channels): [channels, height, width]
            }
        return [("weight", 1), ("bias", 0)].map { name, value in
            ParameterSpecification(
                name: name, shape: shape, initializer: .constant(value), fanIn: input.count, fanOut: input.count)
        }
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case epsilon }

    /// Reads `epsilon`, which may be left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(epsilon: try container.decodeIfPresent(Float.self, forKey: .epsilon) ?? 1e-5)
    }
}
