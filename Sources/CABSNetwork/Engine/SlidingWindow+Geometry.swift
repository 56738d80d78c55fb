import CABSExamples
import CDNN
import CVectorMath

extension SlidingWindow {
    /// The window over images of shape `input` in oneDNN's terms.
    func geometry(for input: ExampleShape) -> cdnn_window {
        guard case .image(let height, let width, _) = input else {
            preconditionFailure("a window over a \(input)")
        }
        let (rows, columns) = (paddedLengths(for: height), paddedLengths(for: width))
        return cdnn_window(
            kernel: (Int64(size), Int64(size)),
            strides: (Int64(stride), Int64(stride)),
            padding_low: (Int64(rows.low), Int64(columns.low)),
            padding_high: (Int64(rows.high), Int64(columns.high)))
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
