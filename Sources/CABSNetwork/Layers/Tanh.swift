import CABSExamples
import CVectorMath

/// The hyperbolic tangent of each value; any shape.
public struct Tanh: Layer {
    /// `tanh`.
    public static let kind = "tanh"
    /// `tanh`.
    public static let namePrefix = "tanh"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// The input's shape.
    public func outputShape(for input: ExampleShape) -> ExampleShape { input }
}

extension Tanh: Activation {
    static let function = ActivationFunction(
        forward: cvm_tanh, backward: cvm_tanh_backward, mapsZeroToZero: true)
}
