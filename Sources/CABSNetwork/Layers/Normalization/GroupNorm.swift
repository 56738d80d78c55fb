import CABSExamples

/// Group normalisation of an image's channels (Wu and He 2018, arXiv 1803.08494): with the mean μ and the variance σ² of all values of a
/// group of neighbouring channels in one example,
///
///     y = γ_c (x − μ) / √(σ² + ε) + β_c
///
/// with a scale γ and a shift β for each channel c. It sees one example at a time, unlike batch normalisation, so every example has a
/// gradient of its own.
public struct GroupNorm: Layer {
    /// `group-norm`.
    public static let kind = "group-norm"
    /// `groupNorm`.
    public static let namePrefix = "groupNorm"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// The number of groups, which divides that of channels.
    public let groups: Int
    /// What is added to the variance.
    public let epsilon: Float

    /// Creates the layer; its options are checked when a model is made.
    public init(groups: Int, epsilon: Float = 1e-5) {
        self.groups = groups
        self.epsilon = epsilon
    }

    /// The input's shape.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        guard case .image(_, _, let channels) = input else {
            throw .shapeMismatch(needed: "an image", given: input, advice: "put it before Flatten")
        }
        guard groups > 0, channels % groups == 0 else {
            throw .invalidOption(
                "groups", value: "\(groups)", allowed: "a number that divides its \(channels) channels")
        }
        guard epsilon > 0, epsilon.isFinite else {
            throw .invalidOption("epsilon", value: "\(epsilon)", allowed: "a positive number")
        }
        return input
    }

    /// `weight` [channels], at first 1, and `bias` [channels], at first 0.
    public func parameters(for input: ExampleShape) -> [ParameterSpecification] {
        let count = input.channelCount
        return [("weight", 1), ("bias", 0)].map { name, value in
            ParameterSpecification(
                name: name, shape: [count], initializer: .constant(value), fanIn: count, fanOut: count)
        }
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case groups, epsilon }

    /// Reads `groups` and `epsilon`; the second may be left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            groups: try container.decode(Int.self, forKey: .groups),
            epsilon: try container.decodeIfPresent(Float.self, forKey: .epsilon) ?? 1e-5)
    }
}
