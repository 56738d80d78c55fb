import CABSExamples

/// A convolution of an image with square kernels, plus a bias for each output channel:
///
///     y[o, h, w] = b[o] + Σ_c Σ_r Σ_s  W[o, c, r, s] · x[c, h·stride + r − top, w·stride + s − left]
///
/// (a cross-correlation, as everywhere in the field), with zeros outside the image. Shapes: x [in, height, width],
/// W [out, in, kernel, kernel], b [out], y [out, height', width'].
///
/// With groups, the channels that come in and those that go out are divided into as many parts, and each part sees its own alone:
/// W [out, in / groups, kernel, kernel]. As many groups as channels make a depthwise convolution.
public struct Conv2D: Layer {
    /// `conv2d`.
    public static let kind = "conv2d"
    /// `conv`.
    public static let namePrefix = "conv"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// The number of output channels.
    public let filters: Int
    /// The rows, and columns, of the kernel.
    public let kernelSize: Int
    /// The rows, and columns, from one kernel position to the next.
    public let stride: Int
    /// What happens at the border.
    public let padding: Padding
    /// How the weights are first drawn.
    public let weightInitializer: Initializer
    /// How the biases are first drawn.
    public let biasInitializer: Initializer
    /// The number of groups, which divides that of the channels that come in and of those that go out.
    public let groups: Int
    /// Whether there are biases: in front of a normalisation they have no effect.
    public let hasBias: Bool

    /// Creates the layer; its options are checked when a model is made.
    ///
    /// - Parameters:
    ///   - filters: The number of output channels.
    ///   - kernelSize: The rows, and columns, of the kernel.
    ///   - stride: The rows, and columns, from one kernel position to the next.
    ///   - padding: What happens at the border.
    ///   - groups: The number of groups.
    ///   - weights: How the weights are first drawn.
    ///   - biases: How the biases are first drawn.
    ///   - hasBias: Whether there are biases.
    public init(
        filters: Int, kernelSize: Int, stride: Int = 1, padding: Padding = .same, groups: Int = 1,
        weights: Initializer = .he, biases: Initializer = .constant(0), hasBias: Bool = true
    ) {
        self.filters = filters
        self.kernelSize = kernelSize
        self.stride = stride
        self.padding = padding
        self.groups = groups
        weightInitializer = weights
        biasInitializer = biases
        self.hasBias = hasBias
    }

    package var window: SlidingWindow { SlidingWindow(size: kernelSize, stride: stride, padding: padding) }

    /// The image of the filters' results.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        try LayerError.requireSize(filters, "filters")
        if case .image(_, _, let channels) = input {
            guard groups > 0, channels % groups == 0, filters % groups == 0 else {
                throw .invalidOption(
                    "groups", value: "\(groups)",
                    allowed: "a number that divides its \(channels) channels and its \(filters) filters")
            }
        }
        return try window.outputShape(for: input, channels: filters)
    }

    /// `weight` [out, in / groups, kernel, kernel] and `bias` [out], unless there is none.
    public func parameters(for input: ExampleShape) -> [ParameterSpecification] {
        guard case .image(_, _, let channels) = input else { return [] }
        let area = kernelSize * kernelSize
        let weight = ParameterSpecification(
            name: "weight", shape: [filters, channels / groups, kernelSize, kernelSize], initializer: weightInitializer,
            fanIn: channels / groups * area, fanOut: filters / groups * area)
        let bias = ParameterSpecification(
            name: "bias", shape: [filters], initializer: biasInitializer, fanIn: channels / groups * area,
            fanOut: filters / groups * area)
        return hasBias ? [weight, bias] : [weight]
    }

    /// `2 · in / groups · kernel² · out · height′ · width′`.
    public func operationCount(for input: ExampleShape) -> Int {
        guard case .image(let height, let width, let channels) = input else { return 0 }
        let positions = window.outputLength(for: height) * window.outputLength(for: width)
        return 2 * (channels / groups) * kernelSize * kernelSize * filters * positions
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case filters
        case kernelSize = "kernel-size"
        case stride, padding, groups
        case weightInitializer = "weights"
        case biasInitializer = "biases"
        case hasBias = "bias"
    }

    /// Reads the options; all but `filters` and `kernel-size` may be left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            filters: try container.decode(Int.self, forKey: .filters),
            kernelSize: try container.decode(Int.self, forKey: .kernelSize),
            stride: try container.decodeIfPresent(Int.self, forKey: .stride) ?? 1,
            padding: try container.decodeIfPresent(Padding.self, forKey: .padding) ?? .same,
            groups: try container.decodeIfPresent(Int.self, forKey: .groups) ?? 1,
            weights: try container.decodeIfPresent(Initializer.self, forKey: .weightInitializer) ?? .he,
            biases: try container.decodeIfPresent(Initializer.self, forKey: .biasInitializer) ?? .constant(0),
            hasBias: try container.decodeIfPresent(Bool.self, forKey: .hasBias) ?? true)
    }
}
