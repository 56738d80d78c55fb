import CABSTraining

/// A ReLU that learns how much of negative values it lets through (He, Zhang, Ren and Sun 2015, arXiv 1502.01852):
///
///     y = x for x > 0, a_c x otherwise
///
/// with a slope a_c for each channel. Of one example the gradient by the slope is Σ x ∂ℓ/∂y over the channel's values that are not positive.
struct ParametricReLU: ExampleLayer {
    /// The first slope of every channel.
    var slope: Float = 0.25

    func outputShape(for input: ExampleShape) -> ExampleShape { input }

    func parameters(for input: ExampleShape) -> [ParameterSpecification] {
        [ParameterSpecification(name: "slope", shape: [channelCount(of: input)], initializer: .constant(slope))]
    }

    func forward(
        _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>, _ context: LayerContext
    ) {
        let size = input.count / channelCount(of: context.input)
        for index in input.indices {
            output[index] = input[index] > 0 ? input[index] : parameters[index / size] * input[index]
        }
    }

    func backward(
        _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
        to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>,
        _ context: LayerContext
    ) {
        let size = input.count / channelCount(of: context.input)
        for index in input.indices {
            if input[index] > 0 {
                inputGradient[index] = outputGradient[index]
            } else {
                inputGradient[index] = parameters[index / size] * outputGradient[index]
                parameterGradient[index / size] += input[index] * outputGradient[index]
            }
        }
    }

    private func channelCount(of shape: ExampleShape) -> Int {
        if case .image(_, _, let channels) = shape { channels } else { 1 }
    }
}
