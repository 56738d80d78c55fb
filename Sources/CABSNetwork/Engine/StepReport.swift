import CABS

/// What a step computed about its batch.
public struct StepReport: Sendable {
    /// The quantities that a batch-size policy reads.
    public let statistics: StepStatistics
    /// How many examples the network classified correctly, before the update.
    public let correctCount: Int
    /// The statistics of each parameter, in the order of the model's parameters.
    public let parameters: [ParameterStatistics]
    /// The loss of each example.
    public let exampleLosses: [Double]
    /// The squared norm of each example's own gradient; with the reference estimator its approximation, and
    /// empty where it was not measured.
    public let exampleSquaredNorms: [Double]
    /// Whether the batch's mean loss and the squared norms of its gradients are finite, and the loss is not above the step's
    /// bound. The update was made where this is so, and only there.
    public let isSound: Bool

    /// Creates a report.
    ///
    /// - Parameters:
    ///   - statistics: The quantities that a batch-size policy reads.
    ///   - correctCount: How many examples were classified correctly.
    ///   - parameters: The statistics of each parameter, in the order of the model's.
    ///   - exampleLosses: The loss of each example.
    ///   - exampleSquaredNorms: The squared norm of each example's gradient; empty where it was not measured.
    ///   - isSound: Whether the update was made, where there was one to make.
    ///   - phaseSeconds: The time that each phase took.
    ///   - told: What the ranks told each other, by rank.
    public init(
        statistics: StepStatistics, correctCount: Int, parameters: [ParameterStatistics], exampleLosses: [Double],
        exampleSquaredNorms: [Double], isSound: Bool, phaseSeconds: [StepPhase: Double] = [:],
        told: [[Double]] = []
    ) {
        self.statistics = statistics
        self.correctCount = correctCount
        self.parameters = parameters
        self.exampleLosses = exampleLosses
        self.exampleSquaredNorms = exampleSquaredNorms
        self.isSound = isSound
        self.phaseSeconds = phaseSeconds
        self.told = told
    }

    /// The first parameter whose gradient is not finite, if any; where single examples' gradients alone are too large to be, the one in which
    /// most of these is.
    public var firstUnsoundParameter: String? {
        let unsound = parameters.first {
            !$0.gradientSquaredNorm.isSquareOfFiniteFloats
                || (!exampleSquaredNorms.isEmpty && !$0.secondMoment.isSquareOfFiniteFloats)
        }
        if let unsound { return unsound.name }
        guard !exampleSquaredNorms.allSatisfy(\.isSquareOfFiniteFloats) else { return nil }
        return parameters.max { $0.secondMoment < $1.secondMoment }?.name
    }

    /// What the ranks told each other with the step, by rank; nothing where there are none.
    public internal(set) var told: [[Double]] = []

    /// The time that each phase of the step took, in seconds, waiting included: the mean over the workers, of this rank where there are
    /// several.
    public let phaseSeconds: [StepPhase: Double]
}

extension Double {
    /// Whether a sum of squares is that of Floats that are finite, and could be a Float itself: sums and products of such values do
    /// not overflow either. "Not a number" is none.
    var isSquareOfFiniteFloats: Bool { self <= Double(Float.greatestFiniteMagnitude) }
}

/// The phases of a step, in their order.
public enum StepPhase: Int, Sendable, Hashable, CaseIterable {
    /// Decoding, and the layers before the first dense layer.
    case examplesForward
    /// The layers from the first dense layer on, and the loss.
    case batchForward
    /// The gradients of the layers from the first dense layer on.
    case batchBackward
    /// The gradients of the layers before.
    case examplesBackward
    /// The sum over workers and the update.
    case update
    /// The exchange with other ranks, as far as it is not hidden behind the example stage.
    case exchange
}

/// One parameter's part in the statistics of a step. Over all parameters the parts add up to the whole.
public struct ParameterStatistics: Sendable, Hashable {
    /// The parameter's name, such as `conv1.weight`.
    public let name: String
    /// `(1/m) Σᵢ ‖gᵢ‖²` over this parameter's values; not a number where it was not measured.
    public let secondMoment: Double
    /// `‖(1/m) Σᵢ gᵢ‖²` over this parameter's values.
    public let gradientSquaredNorm: Double

    /// Creates the statistics of a parameter.
    public init(name: String, secondMoment: Double, gradientSquaredNorm: Double) {
        (self.name, self.secondMoment, self.gradientSquaredNorm) = (name, secondMoment, gradientSquaredNorm)
    }

    /// This parameter's part of the within-batch variance, divided by m as the paper has it.
    public var withinBatchVariance: Double {
        let difference = secondMoment - gradientSquaredNorm
        return difference < 0 ? 0 : difference
    }
}

/// How well a network does on a number of examples.
public struct Evaluation: Sendable, Hashable, Codable {
    /// The number of examples.
    public let exampleCount: Int
    /// The mean of the example losses that are finite; not a number where none is.
    public let meanLoss: Double
    /// The part of the examples, from 0 to 1, that the network classifies correctly.
    public let accuracy: Double
    /// The examples whose losses are not finite, by their places in the batch.
    public let unsoundExamples: [Int]

    /// Creates an evaluation.
    public init(exampleCount: Int, meanLoss: Double, accuracy: Double, unsoundExamples: [Int] = []) {
        self.exampleCount = exampleCount
        self.meanLoss = meanLoss
        self.accuracy = accuracy
        self.unsoundExamples = unsoundExamples
    }

    /// Reads what was written, also by versions that did not note which losses are not finite.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            exampleCount: try container.decode(Int.self, forKey: .exampleCount),
            meanLoss: try container.decode(Double.self, forKey: .meanLoss),
            accuracy: try container.decode(Double.self, forKey: .accuracy),
            unsoundExamples: try container.decodeIfPresent([Int].self, forKey: .unsoundExamples) ?? [])
    }
}
