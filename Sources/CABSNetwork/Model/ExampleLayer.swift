import CABSExamples

/// A layer of your own, in plain Swift: what it computes for one example, and the gradients of that.
///
/// The engine does the rest: it calls the layer for every example, takes the exact norm of each example's gradient, sums and updates the
/// parameters by whatever optimiser, divides the work among threads and ranks, and keeps the parameters in checkpoints.
///
/// ```swift
/// /// y = s x, with one scale s for all values.
/// struct Scale: ExampleLayer {
///     func outputShape(for input: ExampleShape) -> ExampleShape { input }
///     func parameters(for input: ExampleShape) -> [ParameterSpecification] {
///         [ParameterSpecification(name: "scale", shape: [1], initializer: .constant(1))]
///     }
///     func forward(
///         _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>, _ context: LayerContext
///     ) {
///         for index in input.indices { output[index] = parameters[0] * input[index] }
///     }
///     func backward(
///         _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
///         to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>, _ context: LayerContext
///     ) {
///         for index in input.indices {
///             inputGradient[index] = parameters[0] * outputGradient[index]
///             parameterGradient[0] += input[index] * outputGradient[index]
///         }
///     }
/// }
/// ```
///
/// Several threads call a layer at once, which is a value and keeps nothing: what the backward pass needs it computes anew from the input.
/// For model files, and runs that are resumed, register its type: ``LayerConfiguration/register(_:)``.
public protocol ExampleLayer: Layer {
    /// Computes the output of one example.
    ///
    /// - Parameters:
    ///   - input: The values that go in; those of an image channels first.
    ///   - parameters: The layer's parameters one after the other, in the order of ``Layer/parameters(for:)``, each in row-major order.
    ///   - output: Receives the values that come out, all of them; what they were before means nothing.
    ///   - context: The shapes, and whether the network is training.
    func forward(
        _ input: Span<Float>, _ parameters: Span<Float>, to output: inout MutableSpan<Float>, _ context: LayerContext)

    /// Computes the gradients of one example's loss from its gradient by the output.
    ///
    /// - Parameters:
    ///   - input: The values that went in.
    ///   - parameters: The layer's parameters, as in the forward pass.
    ///   - outputGradient: ∂ℓ/∂y, a value for each of the output's.
    ///   - inputGradient: Receives ∂ℓ/∂x, all of it; what it was before means nothing.
    ///   - parameterGradient: Receives ∂ℓ/∂w of this example alone, laid out as the parameters; it comes as zeros.
    ///   - context: The shapes.
    func backward(
        _ input: Span<Float>, _ parameters: Span<Float>, outputGradient: Span<Float>,
        to inputGradient: inout MutableSpan<Float>, _ parameterGradient: inout MutableSpan<Float>,
        _ context: LayerContext)
}

/// Where a layer stands while it computes.
public struct LayerContext: Sendable {
    /// The shape that goes in.
    public let input: ExampleShape
    /// The shape that comes out.
    public let output: ExampleShape
    /// Whether this is a training step, and not an evaluation.
    public let isTraining: Bool
}

extension ExampleLayer {
    /// The type's name.
    public static var kind: String { "\(Self.self)" }
    /// The type's name with a small letter at the beginning: the second layer of a type `Scale` is `scale2`.
    public static var namePrefix: String {
        let name = kind.filter { $0.isLetter || $0.isNumber || $0 == "_" }
        return name.prefix(1).lowercased() + name.dropFirst()
    }
    /// The layer itself.
    public static var computation: LayerComputation { .byExample }
}
