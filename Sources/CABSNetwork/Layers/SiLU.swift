import CABSExamples
import CVectorMath

/// The sigmoid linear unit, `y = x / (1 + exp(−x))` for each value (also called Swish; Elfwing, Uchibe, Doya 2018, arXiv 1702.03118); any
/// shape.
public struct SiLU: Layer {
    /// `silu`.
    public static let kind = "silu"
    /// `silu`.
    public static let namePrefix = "silu"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// The input's shape.
    public func outputShape(for input: ExampleShape) -> ExampleShape { input }
}

extension SiLU: Activation {
    // It falls before it rises.
    static let isIncreasing = false
    static let function = ActivationFunction(
        forward: cvm_silu, backward: cvm_silu_backward, mapsZeroToZero: true, backwardReads: .input)
}
