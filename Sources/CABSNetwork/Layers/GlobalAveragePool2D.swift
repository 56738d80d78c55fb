import CABSExamples
import CABSPrimitives

/// The mean of each channel over the whole image: a vector of as many values as there are channels.
public struct GlobalAveragePool2D: Layer {
    /// `global-average-pool2d`.
    public static let kind = "global-average-pool2d"
    /// `globalAveragePool`.
    public static let namePrefix = "globalAveragePool"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// Creates the layer.
    public init() {}

    /// A value for each channel.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        guard case .image(_, _, let channels) = input else {
            throw .shapeMismatch(needed: "an image", given: input, advice: "put it before Flatten")
        }
        return .vector(channels)
    }
}

extension GlobalAveragePool2D: ExampleStageLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        guard case .image(let height, let width, let channels) = input.shape else {
            preconditionFailure("the mean over \(input.shape)")
        }
        // One window over all: what lies outside the image counts for nothing.
        let size = max(height, width)
        return try makePooling(
            SlidingWindow(size: size, stride: size, padding: .same), averages: true, from: input,
            to: .image(height: 1, width: 1, channels: channels), in: context)
    }
}
