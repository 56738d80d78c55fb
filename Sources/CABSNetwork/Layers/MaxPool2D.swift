import CABSExamples

/// The largest value in each window of an image, channel by channel.
///
/// Where several values of a window are equally large, the gradient goes to the first.
public struct MaxPool2D: Layer {
    /// `max-pool2d`.
    public static let kind = "max-pool2d"
    /// `maxPool`.
    public static let namePrefix = "maxPool"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// The rows, and columns, of the window.
    public let poolSize: Int
    /// The rows, and columns, from one window to the next.
    public let stride: Int
    /// What happens at the border; padding is never the largest value.
    public let padding: Padding

    /// Creates the layer; its options are checked when a model is made.
    ///
    /// - Parameters:
    ///   - poolSize: The rows, and columns, of the window.
    ///   - stride: The rows, and columns, from one window to the next; the window's size where not given.
    ///   - padding: What happens at the border.
    public init(poolSize: Int, stride: Int? = nil, padding: Padding = .valid) {
        self.poolSize = poolSize
        self.stride = stride ?? poolSize
        self.padding = padding
    }

    /// The image of the windows' results.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        // A value's place in its window is kept in 16 bits.
        guard poolSize <= 255 else { throw .invalidOption("pool-size", value: "\(poolSize)", allowed: "1 to 255") }
        return try window.outputShape(for: input)
    }

    /// Reads `pool-size`, `stride` and `padding`; the last two may be left out.
    public init(from decoder: any Decoder) throws {
        let options = try PoolingOptions(from: decoder)
        self.init(poolSize: options.poolSize, stride: options.stride, padding: options.padding)
    }

    /// Writes what ``init(from:)`` reads.
    public func encode(to encoder: any Encoder) throws {
        try PoolingOptions(poolSize: poolSize, stride: stride, padding: padding).encode(to: encoder)
    }
}

extension MaxPool2D: Pooling {
    package var window: SlidingWindow { SlidingWindow(size: poolSize, stride: stride, padding: padding) }
    static let averages = false
}
