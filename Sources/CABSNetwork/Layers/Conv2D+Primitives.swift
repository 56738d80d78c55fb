import CDNN
import CVectorMath

/// A convolution's primitives, for one example or several at a time.
///
/// Where there are several numbers of examples, the largest chooses all layouts and the others take them over.
struct ConvolutionPrimitives: Sendable {
    let layer: Conv2D
    let name: String
    /// The layouts of one example; several lie one after the other.
    let input: TensorLayout
    let output: TensorLayout
    let weightShape: [Int]
    let biasLayout: Layout
    let forward: PrimitiveFamily
    let weightLayout: Layout
    private let exampleCounts: [Int]
    private let window: cdnn_window

    init(
        _ layer: Conv2D, from inputShape: ExampleShape, to outputShape: ExampleShape, weightShape: [Int],
        in context: StageContext
    ) throws(EngineError) {
        self.layer = layer
        self.weightShape = weightShape
        name = context.name
        biasLayout = try Layout([layer.filters], dnnl_a)
        window = layer.window.geometry(for: inputShape)
        let makeForward = {
            [biasLayout, window] (source: Layout, weights: Layout, destination: Layout) throws(EngineError) in
            var window = window
            return try Primitive("the convolution \(context.name)") {
                cdnn_convolution_forward(
                    &$0, $1, source.handle, weights.handle, biasLayout.handle, destination.handle, &window)
            }
        }
        func chosenLayouts(_ count: Int) throws(EngineError) -> (TensorLayout, TensorLayout)? {
            let primitive = try makeForward(
                Layout.images(count, inputShape, dnnl_format_tag_any), Layout(weightShape, dnnl_format_tag_any),
                Layout.images(count, outputShape, dnnl_format_tag_any))
            let source = try primitive.layout(dnnl_query_src_md)
            let destination = try primitive.layout(dnnl_query_dst_md)
            if count == 1 {
                return (
                    TensorLayout(shape: inputShape, layout: source),
                    TensorLayout(shape: outputShape, layout: destination)
                )
            }
            guard let sourceTag = try source.tag(of: count, inputShape),
                let destinationTag = try destination.tag(of: count, outputShape)
            else { return nil }
            return (
                TensorLayout(shape: inputShape, layout: try Layout.image(inputShape, sourceTag)),
                TensorLayout(shape: outputShape, layout: try Layout.image(outputShape, destinationTag))
            )
        }

        var exampleCounts = context.exampleCounts
        var chosen = try chosenLayouts(exampleCounts[0])
        if chosen == nil {
            exampleCounts = [1]
            chosen = try chosenLayouts(1)
        }
        let (input, output) = chosen!
        var weights = try Layout(weightShape, dnnl_format_tag_any)
        forward = try PrimitiveFamily(exampleCounts) { count throws(EngineError) in
            let primitive = try makeForward(input.layout(of: count), weights, output.layout(of: count))
            weights = try primitive.layout(dnnl_query_weights_md)
            return primitive
        }
        weightLayout = weights
        self.input = input
        self.output = output
        self.exampleCounts = exampleCounts
    }

    /// The positions of the kernel as our own loops take them.
    var geometry: cvm_convolution {
        guard case .image(let height, let width, _) = input.shape,
            case .image(let outputHeight, let outputWidth, _) = output.shape
        else { preconditionFailure("a convolution from a \(input.shape)") }
        let window = layer.window
        return cvm_convolution(
            height: height, width: width, output_height: outputHeight, output_width: outputWidth,
            kernel: window.size, stride: window.stride, top: window.paddedLengths(for: height).low,
            left: window.paddedLengths(for: width).low)
    }

    /// The gradients with respect to the input, and the layout in which they take the weights.
    func makeBackwardData() throws(EngineError) -> (PrimitiveFamily, weightLayout: Layout) {
        var window = window
        var weights = try Layout(weightShape, dnnl_format_tag_any)
        let family = try PrimitiveFamily(exampleCounts) { count throws(EngineError) in
            let (source, destination) = (try input.layout(of: count), try output.layout(of: count))
            let primitive = try Primitive("the input gradient of \(name)") {
                cdnn_convolution_backward_data(
                    &$0, $1, source.handle, weights.handle, destination.handle, &window, forward[count].descriptor)
            }
            weights = try primitive.layout(dnnl_query_weights_md)
            return primitive
        }
        return (family, weights)
    }

    /// The weight gradients, summed over the examples of a call, and their layout.
    ///
    /// - Parameter singly: Whether only for one example at a time.
    func makeBackwardWeights(singly: Bool) throws(EngineError) -> (PrimitiveFamily, weightLayout: Layout) {
        var window = window
        var weights = try Layout(weightShape, dnnl_format_tag_any)
        let family = try PrimitiveFamily(singly ? [1] : exampleCounts) { count throws(EngineError) in
            let (source, destination) = (try input.layout(of: count), try output.layout(of: count))
            let primitive = try Primitive("the weight gradient of \(name)") {
                cdnn_convolution_backward_weights(
                    &$0, $1, source.handle, weights.handle, biasLayout.handle, destination.handle, &window,
                    forward[count].descriptor)
            }
            weights = try primitive.layout(dnnl_query_diff_weights_md)
            return primitive
        }
        return (family, weights)
    }
}
