import CABSExamples
import Foundation

/// How a parameter is filled before training.
public enum Initializer: Sendable, Hashable {
    /// Every value the same.
    case constant(Float)
    /// A normal distribution around zero, redrawn where it falls beyond two standard deviations.
    case truncatedNormal(standardDeviation: Float)
    /// Uniform within ±sqrt(6 / (fan-in + fan-out)): Glorot and Bengio 2010, equation 16.
    case glorot
    /// Normal with variance 2 / fan-in: He, Zhang, Ren and Sun 2015, equation 10.
    case he
}

extension ParameterSpecification {
    /// Draws a tensor of this shape.
    func makeTensor(using random: inout RandomStream) -> Tensor {
        let count = shape.reduce(1, *)
        let values: [Float]
        switch initializer {
        case .constant(let value):
            values = Array(repeating: value, count: count)
        case .truncatedNormal(let standardDeviation):
            values = (0..<count).map { _ in
                var draw = random.nextNormal()
                while abs(draw) > 2 { draw = random.nextNormal() }
                return Float(draw) * standardDeviation
            }
        case .glorot:
            let bound = (6 / Double(fanIn + fanOut)).squareRoot()
            values = (0..<count).map { _ in Float((2 * random.nextUniform() - 1) * bound) }
        case .he:
            let standardDeviation = (2 / Double(fanIn)).squareRoot()
            values = (0..<count).map { _ in Float(random.nextNormal() * standardDeviation) }
        }
        return Tensor(shape: shape, values: values)
    }
}

extension Initializer: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case truncatedNormal = "truncated-normal" }

    /// Reads a number (constant), `glorot`, `he`, or `truncated-normal: standardDeviation`.
    public init(from decoder: any Decoder) throws {
        if let keyed = try? decoder.container(keyedBy: CodingKeys.self), keyed.contains(.truncatedNormal) {
            _ = try decoder.strictContainer(keyedBy: CodingKeys.self)
            let standardDeviation = try keyed.decode(Float.self, forKey: .truncatedNormal)
            guard standardDeviation >= 0, standardDeviation.isFinite else {
                throw DecodingError.dataCorruptedError(
                    forKey: .truncatedNormal, in: keyed,
                    debugDescription: "the standard deviation is \(standardDeviation), but must be 0 or more")
            }
            self = .truncatedNormal(standardDeviation: standardDeviation)
            return
        }
        let single = try decoder.singleValueContainer()
        if let value = try? single.decode(Float.self) {
            self = .constant(value)
            return
        }
        switch try? single.decode(String.self) {
        case "glorot": self = .glorot
        case "he": self = .he
        default:
            throw DecodingError.dataCorruptedError(
                in: single,
                debugDescription: "an initializer is a number, glorot, he, or {truncated-normal: 0.05}")
        }
    }

    /// Writes the form that `init(from:)` reads.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .truncatedNormal(let standardDeviation):
            var keyed = encoder.container(keyedBy: CodingKeys.self)
            try keyed.encode(standardDeviation, forKey: .truncatedNormal)
        case .constant(let value):
            var single = encoder.singleValueContainer()
            try single.encode(value)
        case .glorot:
            var single = encoder.singleValueContainer()
            try single.encode("glorot")
        case .he:
            var single = encoder.singleValueContainer()
            try single.encode("he")
        }
    }
}
