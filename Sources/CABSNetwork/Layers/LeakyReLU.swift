import CABSExamples
import CVectorMath

/// The rectifier that lets some of what is negative through, `y = max(x, 0) + slope · min(x, 0)` for each value (Maas, Hannun, Ng 2013);
/// any shape.
public struct LeakyReLU: Layer {
    /// `leaky-relu`.
    public static let kind = "leaky-relu"
    /// `leakyReLU`.
    public static let namePrefix = "leakyReLU"
    /// By the engine.
    public static let computation = LayerComputation.engine

    /// What negative values are multiplied by.
    public let slope: Float

    /// Creates the layer; the slope is checked when a model is made.
    public init(slope: Float = 0.01) {
        self.slope = slope
    }

    /// The input's shape.
    public func outputShape(for input: ExampleShape) throws(LayerError) -> ExampleShape {
        guard (0..<1).contains(slope) else {
            throw .invalidOption("slope", value: "\(slope)", allowed: "0 up to, not including, 1")
        }
        return input
    }

    private enum CodingKeys: String, CodingKey, CaseIterable { case slope }

    /// Reads `slope`, which may be left out.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        self.init(slope: try container.decodeIfPresent(Float.self, forKey: .slope) ?? 0.01)
    }
}

extension LeakyReLU: ElementwiseLayer {
    static let isIncreasing = true
    static let readsNumbers = false
    func makeFunction(in context: StageContext) -> any ElementwiseFunction { LeakyFunction(slope: slope) }
}

private struct LeakyFunction: ElementwiseFunction {
    let slope: Float

    let mapsZeroToZero = true
    let backwardReads = BackwardOperand.output

    func forward(_ values: UnsafeMutablePointer<Float>, count: Int, offset: Int, draw: UInt64?) {
        cvm_leaky_relu(values, slope, count)
    }

    func backward(
        _ gradient: UnsafeMutablePointer<Float>, operand: UnsafePointer<Float>, count: Int, offset: Int, draw: UInt64
    ) {
        cvm_leaky_relu_backward(gradient, operand, slope, count)
    }
}
