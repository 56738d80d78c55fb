import CABSExamples
import CABSPrimitives
import CVectorMath

extension SlidingWindow {
    /// The window over images of shape `input` in oneDNN's terms.
    func geometry(for input: ExampleShape) -> ConvolutionWindow {
        guard case .image(let height, let width, _) = input else {
            preconditionFailure("a window over a \(input)")
        }
        return ConvolutionWindow(
            size: size, stride: stride, rows: paddedLengths(for: height), columns: paddedLengths(for: width))
    }

    /// The window over images in the terms of our own loops.
    func convolution(from input: ExampleShape, to output: ExampleShape) -> cvm_convolution {
        guard case .image(let height, let width, _) = input,
            case .image(let outputHeight, let outputWidth, _) = output
        else { preconditionFailure("a window over a \(input)") }
        return cvm_convolution(
            height: height, width: width, output_height: outputHeight, output_width: outputWidth, kernel: size,
            stride: stride, top: paddedLengths(for: height).low, left: paddedLengths(for: width).low)
    }
}
