import CABSExamples

/// How a sliding window meets the border of an image.
public enum Padding: String, Sendable, Hashable, Codable, CaseIterable {
    /// Zeros around the image so that the output has ceil(size / stride) rows and columns. As TensorFlow
    /// defines it: where their number is odd, the extra row and column stand at the end.
    case same
    /// No padding: the window stays inside the image.
    case valid
}

/// The window that a convolution or pooling layer slides over an image.
package struct SlidingWindow: Sendable, Hashable {
    package let size: Int
    package let stride: Int
    package let padding: Padding

    /// The number of window positions along a side of `length`.
    func outputLength(for length: Int) -> Int {
        switch padding {
        case .same: (length + stride - 1) / stride
        case .valid: (length - size) / stride + 1
        }
    }

    /// The zeros before and after a side of `length`.
    package func paddedLengths(for length: Int) -> (low: Int, high: Int) {
        let covered = (outputLength(for: length) - 1) * stride + size
        let total = padding == .same ? max(covered - length, 0) : 0
        return (total / 2, total - total / 2)
    }

    /// The shape that comes out of sliding over `input`, with `channels` output channels, or as many as go in.
    func outputShape(for input: ExampleShape, channels: Int? = nil) throws(LayerError) -> ExampleShape {
        try LayerError.requireSize(size, "size")
        try LayerError.requireSize(stride, "stride")
        guard case .image(let height, let width, let inputChannels) = input else {
            throw .shapeMismatch(
                needed: "an image", given: input, advice: "put it before Flatten and Dense layers")
        }
        guard padding == .same || (height >= size && width >= size) else {
            throw .shapeMismatch(
                needed: "an image of at least \(size)x\(size)", given: input,
                advice: "use a smaller window or padding same")
        }
        return .image(
            height: outputLength(for: height), width: outputLength(for: width),
            channels: channels ?? inputChannels)
    }
}
