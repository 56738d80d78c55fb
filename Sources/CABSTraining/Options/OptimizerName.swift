import Foundation

/// An optimiser as options name it: a word, and for momentum a number behind a colon.
public enum OptimizerName: Sendable, Hashable {
    /// `sgd`: plain.
    case sgd
    /// `momentum:BETA`.
    case momentum(Double)
    /// `nesterov:BETA`.
    case nesterov(Double)
    /// `adam`.
    case adam
    /// `adamw`.
    case adamW

    /// All ways to name an optimiser, for people to read.
    public static let forms = "sgd, momentum[:BETA], nesterov[:BETA], adam or adamw"

    /// Reads an optimiser's name.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)`` where there is none such, or its number is out of range.
    init(_ text: String) throws(TrainingError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let beta = parts.count == 2 ? Double(parts[1]) : 0.9
        switch (parts[0], parts.count, beta) {
        case ("sgd", 1, _): self = .sgd
        case ("momentum", 1...2, let beta?) where (0..<1).contains(beta): self = .momentum(beta)
        case ("nesterov", 1...2, let beta?) where (0..<1).contains(beta): self = .nesterov(beta)
        case ("adam", 1, _): self = .adam
        case ("adamw", 1, _): self = .adamW
        default:
            throw .invalidOption(
                option: "optimizer", value: text, allowed: "\(Self.forms), with BETA from 0 up to, not including, 1")
        }
    }

    /// The name with its number.
    var name: String {
        switch self {
        case .sgd: "sgd"
        case .momentum(let beta): "momentum:\(beta.shortest)"
        case .nesterov(let beta): "nesterov:\(beta.shortest)"
        case .adam: "adam"
        case .adamW: "adamw"
        }
    }

    /// The learning rate where none is given: the data set's under plain descent, one that goes as far in the long run under momentum,
    /// and for Adam that of its paper.
    func defaultLearningRate(_ plain: Double) -> Double {
        switch self {
        case .sgd: plain
        // Rounded to two digits: a default is read by people.
        case .momentum(let beta), .nesterov(let beta): Double(String(format: "%.2g", plain * (1 - beta))) ?? plain
        case .adam, .adamW: 0.001
        }
    }

    /// Makes the optimiser.
    func optimizer(_ schedule: LearningRateSchedule, weightDecay: Double) -> any Optimizer {
        switch self {
        case .sgd: SGD(schedule: schedule, weightDecay: weightDecay)
        case .momentum(let beta): SGD(schedule: schedule, momentum: beta, weightDecay: weightDecay)
        case .nesterov(let beta):
            SGD(schedule: schedule, momentum: beta, isNesterov: true, weightDecay: weightDecay)
        case .adam: Adam(schedule: schedule, weightDecay: weightDecay)
        case .adamW: Adam(schedule: schedule, weightDecay: weightDecay, decouplesWeightDecay: true)
        }
    }
}
