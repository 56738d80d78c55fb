import CDNN

/// The kernel of a convolution and how it moves over images; pairs are of height and width.
package struct ConvolutionWindow: Sendable {
    let window: cdnn_window

    /// - Parameters:
    ///   - size: The rows, and columns, of the kernel.
    ///   - stride: The rows, and columns, from one position to the next.
    ///   - rows: The rows of zeros before and after an image.
    ///   - columns: The columns of zeros.
    package init(size: Int, stride: Int, rows: (low: Int, high: Int), columns: (low: Int, high: Int)) {
        window = cdnn_window(
            kernel: (Int64(size), Int64(size)), strides: (Int64(stride), Int64(stride)),
            padding_low: (Int64(rows.low), Int64(columns.low)), padding_high: (Int64(rows.high), Int64(columns.high)))
    }
}

/// The layouts of a convolution's operands.
package struct ConvolutionLayouts {
    let source: Layout
    let weights: Layout
    let bias: Layout
    let destination: Layout

    package init(source: Layout, weights: Layout, bias: Layout, destination: Layout) {
        self.source = source
        self.weights = weights
        self.bias = bias
        self.destination = destination
    }
}

extension Primitive {
    /// A convolution. Layouts that are ``LayoutTag/any`` are chosen: see ``layout(of:)``.
    package static func convolution(
        _ what: @autoclosure () -> String, _ layouts: ConvolutionLayouts, _ window: ConvolutionWindow
    ) throws(EngineError) -> Primitive {
        var window = window.window
        return try Primitive("the convolution \(what())") {
            cdnn_convolution_forward(
                &$0, $1, layouts.source.handle, layouts.weights.handle, layouts.bias.handle,
                layouts.destination.handle, &window)
        }
    }

    /// The gradient of its source.
    ///
    /// - Parameter forward: The convolution, with the same sizes.
    package static func convolutionSourceGradient(
        _ what: @autoclosure () -> String, _ layouts: ConvolutionLayouts, _ window: ConvolutionWindow,
        of forward: Primitive
    ) throws(EngineError) -> Primitive {
        var window = window.window
        return try Primitive("the input gradient of \(what())") {
            cdnn_convolution_backward_data(
                &$0, $1, layouts.source.handle, layouts.weights.handle, layouts.destination.handle, &window,
                forward.descriptor)
        }
    }

    /// The gradients of its weights and biases, summed over the examples of a call.
    ///
    /// - Parameter forward: The convolution, with the same sizes.
    package static func convolutionWeightGradient(
        _ what: @autoclosure () -> String, _ layouts: ConvolutionLayouts, _ window: ConvolutionWindow,
        of forward: Primitive
    ) throws(EngineError) -> Primitive {
        var window = window.window
        return try Primitive("the weight gradient of \(what())") {
            cdnn_convolution_backward_weights(
                &$0, $1, layouts.source.handle, layouts.weights.handle, layouts.bias.handle,
                layouts.destination.handle, &window, forward.descriptor)
        }
    }
}
