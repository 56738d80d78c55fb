import CABSExamples

/// Sets each value to zero with probability `rate` while training, and scales the others by `1 / (1 − rate)`, so
/// that evaluation, which drops nothing, needs no scaling; any shape.
///
/// Which values are dropped follows from the model's seed, the layer and the example drawn.
public struct Dropout: Layer, Codable {
    /// `dropout`.
    public static let kind = "dropout"
    /// `dropout`.
    public static let namePrefix = "dropout"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// The probability that a value is dropped, in [0, 1).
    public let rate: Float

    /// Creates the layer; the rate is checked when a model is made.
    public init(rate: Float) {
        self.rate = rate
    }

    /// The input's shape.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        guard (0..<1).contains(rate) else {
            throw .invalidOption("rate", value: "\(rate)", allowed: "0 up to, not including, 1")
        }
        return input
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case rate }

    /// Reads `rate`.
    public init(from decoder: any Decoder) throws {
        self.init(rate: try decoder.strictContainer(keyedBy: CodingKeys.self).decode(Float.self, forKey: .rate))
    }
}

extension Dropout: ElementwiseLayer {
    static var isIncreasing: Bool { false }
    static var readsNumbers: Bool { true }

    func makeFunction(in context: StageContext) -> any ElementwiseFunction {
        DropoutFunction(rate: rate, seed: Self.seed(of: context.seed, position: context.position))
    }

    /// The seed of one layer's streams. Drawn and not added up, as layers of neighbouring seeds would else drop the same values.
    static func seed(of network: UInt64, position: Int) -> UInt64 {
        var stream = RandomStream(seed: network, purpose: .dropoutLayer, index: UInt64(position))
        return stream.next()
    }
}

/// Dropout by a random stream for each example, which the backward pass draws again instead of keeping a mask.
private struct DropoutFunction: ElementwiseFunction {
    let rate: Float
    let seed: UInt64

    let mapsZeroToZero = true
    let backwardReads = BackwardOperand.nothing

    func forward(_ values: UnsafeMutablePointer<Float>, count: Int, offset: Int, draw: UInt64?) {
        guard let draw else { return }
        let scale = 1 / (1 - rate)
        var random = RandomStream(seed: seed, purpose: .dropout, index: draw)
        random.skip(offset)
        for index in 0..<count {
            values[index] = Float(random.nextUniform()) < rate ? 0 : values[index] * scale
        }
    }

    func backward(
        _ gradient: UnsafeMutablePointer<Float>, operand: UnsafePointer<Float>, count: Int, offset: Int, draw: UInt64
    ) {
        forward(gradient, count: count, offset: offset, draw: draw)
    }
}
