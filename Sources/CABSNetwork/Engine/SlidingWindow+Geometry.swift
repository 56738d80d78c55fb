import CDNN

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
}
