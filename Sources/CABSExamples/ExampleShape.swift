/// The shape of one example, or of one layer's output for one example.
public enum ExampleShape: Hashable, Sendable, CustomStringConvertible {
    /// A vector of so many values.
    case vector(Int)
    /// An image. In memory channels come first: the value of channel c, row y and column x stands at
    /// `(c * height + y) * width + x`.
    case image(height: Int, width: Int, channels: Int)

    /// The number of values in one example.
    public var count: Int {
        switch self {
        case .vector(let count): count
        case .image(let height, let width, let channels): height * width * channels
        }
    }

    /// For example `vector of 10` or `image of 28x28x1 (height x width x channels)`.
    public var description: String {
        switch self {
        case .vector(let count): "vector of \(count)"
        case .image(let height, let width, let channels):
            "image of \(height)x\(width)x\(channels) (height x width x channels)"
        }
    }

    /// The same with its article, for sentences: `a vector of 10`.
    public var withArticle: String {
        switch self {
        case .vector: "a \(self)"
        case .image: "an \(self)"
        }
    }
}

extension ExampleShape {
    /// The number of channels of an image.
    package var channelCount: Int {
        guard case .image(_, _, let channels) = self else { preconditionFailure("the channels of a \(self)") }
        return channels
    }

    /// An image of the same size.
    package func withChannelCount(_ count: Int) -> ExampleShape {
        guard case .image(let height, let width, _) = self else { preconditionFailure("the channels of a \(self)") }
        return .image(height: height, width: width, channels: count)
    }
}
