import CABSExamples
import CVectorMath

/// The Gaussian error linear unit, `y = x Φ(x)` for each value with the normal distribution's probability Φ (Hendrycks and Gimpel 2016,
/// arXiv 1606.08415; not the approximation by tanh); any shape.
public struct GELU: Layer {
    /// `gelu`.
    public static let kind = "gelu"
    /// `gelu`.
    public static let namePrefix = "gelu"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// The input's shape.
    public func outputShape(for input: ExampleShape) -> ExampleShape { input }
}

extension GELU: Activation {
    // It falls before it rises.
    static let isIncreasing = false
    static let function = ActivationFunction(
        forward: cvm_gelu, backward: cvm_gelu_backward, mapsZeroToZero: true, backwardReads: .input)
}
