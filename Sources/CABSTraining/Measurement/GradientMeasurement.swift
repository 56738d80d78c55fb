import CABS
import CABSData
import CABSNetwork

/// What the losses and gradients of many training examples say of a network at fixed parameters, with standard errors.
///
/// Examples are changed at random as training changes them, with dropout: see `MeasurementSample`. Gradients are of the data loss alone.
public struct GradientMeasurement: Sendable, Hashable, Codable {
    /// The number of updates that the network had; nothing where the file does not say.
    public let stepCount: Int?
    /// The number of examples measured.
    public let exampleCount: Int
    /// In how many groups they were measured, by which the standard errors come, but for those of ``classes``: see `GroupedMoments`.
    public let groupCount: Int
    /// The seed by which the examples were drawn.
    public let seed: UInt64
    /// The mean loss F.
    public let loss: Estimate
    /// The noise in the gradient of all parameters.
    public let noise: GradientNoise
    /// What follows for steps along the gradient at a learning rate; nothing where ``uncoupled`` says why, or it was not asked for.
    public let coupling: Coupling?
    /// Why nothing follows, where that was asked for.
    public let uncoupled: Uncoupled?
    /// The noise in the gradient of each layer's parameters, in the order of layers.
    public let layers: [Layer]
    /// How losses are distributed over examples.
    public let losses: Distribution
    /// How the norms ‖gᵢ‖ are distributed over examples.
    public let gradientNorms: Distribution
    /// The examples of each class; empty where values are predicted.
    public let classes: [ClassPart]
    /// The examples with the largest losses, the largest first.
    public let largestLosses: [MeasuredExample]
    /// The examples with the largest gradients, the largest first.
    public let largestGradients: [MeasuredExample]

    /// What CABS makes of the measurement.
    public struct Coupling: Sendable, Hashable, Codable {
        /// The effective learning rate α.
        public let learningRate: Double
        /// The batch size of CABS before bounds and averages, `c α T / (F − F* + ε)`.
        public let batchSize: Estimate
        /// `α ‖∇F‖² / (F − F*)`: the learning rate in units of the step that Polyak's rule takes along the full gradient. CABS's
        /// batch size is this times the noise scale, for c = 1 and ε = 0.
        public let polyakSteps: Estimate
        /// The smallest reachable loss F*; nothing where it is 0.
        public let lossFloor: Double?
        /// The factor c; nothing where it is 1.
        public let factor: Double?
        /// The summand ε; nothing where it is 0.
        public let epsilon: Double?
    }

    /// Why CABS makes nothing of a measurement.
    public enum Uncoupled: String, Error, Sendable, Hashable, Codable {
        case optimizer
        case zeroLearningRate = "zero-learning-rate"
        case unknownLearningRate = "unknown-learning-rate"
        case lossAtFloor = "loss-at-floor"
        case overflow

        /// The reason in words.
        public var reason: String {
            switch self {
            case .optimizer: "the optimiser's steps do not follow the gradient"
            case .zeroLearningRate: "the learning rate there is 0"
            case .unknownLearningRate: "the learning rate there is unknown"
            case .lossAtFloor: "the loss cannot be told from its floor"
            case .overflow: "at that learning rate it is no finite number"
            }
        }
    }

    /// One layer's part.
    public struct Layer: Sendable, Hashable, Codable {
        /// The layer's name.
        public let name: String
        /// The noise in its gradient.
        public let noise: GradientNoise
        /// Its part in ``GradientMeasurement/coupling``: over all layers the parts add up to the whole.
        public let coupling: Coupling?
    }

    /// One class's part.
    public struct ClassPart: Sendable, Hashable, Codable {
        /// The class.
        public let name: String
        /// The number of its examples that were measured.
        public let exampleCount: Int
        /// The mean of their losses, with the standard error of a mean; nothing where there are fewer than two.
        public let loss: Estimate?
        /// The mean of their ‖gᵢ‖², likewise; nothing where there are fewer than two.
        public let secondMoment: Estimate?
    }

    /// How many groups there are, where there are so many examples.
    static let groupCount = 32
    /// With fewer examples a standard error means nothing.
    static let fewestExamples = 16
    /// How many of the largest losses and gradients are listed.
    static let listedCount = 20
}

/// The noise in the gradient of some parameters.
public struct GradientNoise: Sendable, Hashable, Codable {
    /// The trace T of the covariance of the example gradients, unbiased.
    public let covarianceTrace: Estimate
    /// The squared norm of the full gradient ‖∇F‖², unbiased.
    public let gradientSquaredNorm: Estimate
    /// The noise scale T / ‖∇F‖²; nothing where the squared norm cannot be told from zero, being less than two standard errors above it.
    public let noiseScale: Estimate?

    init(_ moments: GroupedMoments) {
        covarianceTrace = moments.estimate(\.covarianceTrace)
        gradientSquaredNorm = moments.estimate(\.gradientSquaredNorm)
        noiseScale = gradientSquaredNorm.isClearlyPositive ? moments.estimate(\.noiseScale) : nil
    }
}
