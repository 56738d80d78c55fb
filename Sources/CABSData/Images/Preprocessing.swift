import CABSExamples

/// Turns an image's bytes into a network's input.
public protocol Preprocessing: Sendable {
    /// The shape that comes out for images of a shape.
    ///
    /// - Throws: ``DatasetError`` where such images cannot be taken.
    func outputShape(for image: ExampleShape) throws(DatasetError) -> ExampleShape

    /// Writes the values of one image.
    ///
    /// - Parameters:
    ///   - pixels: The image's bytes, channels first.
    ///   - shape: The image's shape.
    ///   - values: Receives the result; it has as many values as the output shape.
    ///   - random: Where random changes come from.
    func apply(
        to pixels: ArraySlice<UInt8>, shape: ExampleShape, into values: inout MutableSpan<Float>,
        using random: inout RandomStream)
}
