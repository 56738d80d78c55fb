import CABSExamples
import CVectorMath

/// The logistic function, `y = 1 / (1 + exp(-x))` for each value; any shape.
public struct Sigmoid: Layer {
    /// `sigmoid`.
    public static let kind = "sigmoid"
    /// `sigmoid`.
    public static let namePrefix = "sigmoid"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// The input's shape.
    public func outputShape(for input: ExampleShape) -> ExampleShape { input }
}

extension Sigmoid: Activation {
    static let function = ActivationFunction(
        forward: cvm_sigmoid, backward: cvm_sigmoid_backward, mapsZeroToZero: false)
}
