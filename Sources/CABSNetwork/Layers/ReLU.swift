import CABSExamples
import CVectorMath

/// The rectifier, `y = max(x, 0)` for each value; any shape.
public struct ReLU: Layer {
    /// `relu`.
    public static let kind = "relu"
    /// `relu`.
    public static let namePrefix = "relu"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// The input's shape.
    public func outputShape(for input: ExampleShape) -> ExampleShape { input }
}

extension ReLU: Activation {
    static let function = ActivationFunction(
        forward: cvm_relu, backward: cvm_relu_backward, mapsZeroToZero: true)
}
