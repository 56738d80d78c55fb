import CABSExamples

/// A block of layers beside a shortcut: what both make of the same input is added,
///
///     y = F(x) + S(x)
///
/// (He, Zhang, Ren and Sun 2015, arXiv 1512.03385). Without layers of its own the shortcut is the input itself; where the block changes
/// the shape, it needs some, such as a convolution with kernels of one pixel.
///
/// ```swift
/// Residual {
///     Conv2D(filters: 32, kernelSize: 3, stride: 2); GroupNorm(groups: 4); ReLU()
///     Conv2D(filters: 32, kernelSize: 3); GroupNorm(groups: 4)
/// } shortcut: {
///     Conv2D(filters: 32, kernelSize: 1, stride: 2)
/// }
/// ReLU()
/// ```
public struct Residual: Layer {
    /// `residual`.
    public static let kind = "residual"
    /// `residual`.
    public static let namePrefix = "residual"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// The layers of the block.
    public let layers: [any Layer]
    /// The layers of the shortcut; none where it is the input itself.
    public let shortcut: [any Layer]

    /// Creates the block; its layers are checked when a model is made.
    public init(layers: [any Layer], shortcut: [any Layer] = []) {
        self.layers = layers
        self.shortcut = shortcut
    }

    /// Creates the block with a shortcut that is the input itself.
    public init(@ModelBuilder _ layers: () -> [any Layer]) {
        self.init(layers: layers())
    }

    /// Creates the block.
    public init(@ModelBuilder _ layers: () -> [any Layer], @ModelBuilder shortcut: () -> [any Layer]) {
        self.init(layers: layers(), shortcut: shortcut())
    }

    /// The shape of what is added.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        guard !layers.isEmpty else { throw .empty }
        let (output, beside) = (
            try Self.outputShape(of: layers, for: input), try Self.outputShape(of: shortcut, for: input)
        )
        guard output == beside else {
            throw .shapeMismatch(
                needed: "a shortcut that gives what its layers give, \(output.withArticle),", given: beside,
                advice: "give the block a shortcut such as Conv2D with a kernel of 1 and the same filters and stride")
        }
        return output
    }

    private static func outputShape(
        of layers: [any Layer], for input: ExampleShape
    ) throws(LayerError) -> ExampleShape {
        var shape = input
        for layer in layers {
            shape = try layer.outputShape(for: shape)
        }
        return shape
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case layers, shortcut }

    /// Reads `layers` and `shortcut`; the second may be left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(
            layers: try container.decode([LayerConfiguration].self, forKey: .layers).map(\.layer),
            shortcut: try container.decodeIfPresent([LayerConfiguration].self, forKey: .shortcut)?.map(\.layer) ?? [])
    }

    /// Writes what ``init(from:)`` reads.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(layers.map { LayerConfiguration($0) }, forKey: .layers)
        if !shortcut.isEmpty { try container.encode(shortcut.map { LayerConfiguration($0) }, forKey: .shortcut) }
    }
}

extension Residual: CompositeLayer {
    func place(in graph: inout ModelGraph, from tensor: Int) throws(ModelError) -> Int {
        let ends = (try graph.place(layers, from: tensor), try graph.place(shortcut, from: tensor))
        return try graph.append(Addition(), inputs: [ends.0, ends.1])
    }
}

/// The sum of two examples of one shape: where a block and its shortcut meet. Written as a part of ``Residual`` alone.
package struct Addition: Layer {
    package static let kind = "add"
    package static let namePrefix = "add"
    package static let computation = LayerComputation.engine

    package func outputShape(for input: ExampleShape) -> ExampleShape { input }
}
