import CABSExamples

/// Turns an image into a vector, in the order channel, row, column; a vector stays as it is.
public struct Flatten: Layer {
    /// `flatten`.
    public static let kind = "flatten"
    /// `flatten`.
    public static let namePrefix = "flatten"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// A vector of as many values.
    public func outputShape(for input: ExampleShape) -> ExampleShape {
        .vector(input.count)
    }
}

extension Flatten: ReshapingLayer {}
