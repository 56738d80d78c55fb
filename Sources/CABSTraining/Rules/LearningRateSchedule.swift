import Foundation

/// The learning rate as a function of a run's progress.
///
/// With an adaptive batch size a constant learning rate is the usual choice: the noise falls because batches grow.
public enum LearningRateSchedule: Sendable, Hashable {
    /// Always the same.
    case constant(Double)
    /// Multiplied by `factor` each time another `interval` has passed.
    case step(initial: Double, factor: Double, interval: TrainingLength)
    /// From `initial` down to `final` along half a cosine over `length`, and `final` from then on
    /// (Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts).
    case cosine(initial: Double, final: Double, length: TrainingLength)
    /// Another schedule, multiplied over `length` by what rises evenly from a hundredth to one (Goyal et al. 2017, arXiv 1706.02677).
    indirect case warmingUp(length: TrainingLength, LearningRateSchedule)

    private static let warmUpStart = 0.01

    /// The learning rate of the next step.
    public func learningRate(at progress: TrainingProgress) -> Double {
        switch self {
        case .constant(let rate):
            return rate
        case .step(let initial, let factor, let interval):
            return initial * pow(factor, interval.partsCompleted(progress))
        case .cosine(let initial, let final, let length):
            let fraction = min(length.fractionCompleted(progress), 1)
            return final + (initial - final) * 0.5 * (1 + cos(.pi * fraction))
        case .warmingUp(let length, let schedule):
            let fraction = min(length.fractionCompleted(progress), 1)
            return schedule.learningRate(at: progress) * (Self.warmUpStart + (1 - Self.warmUpStart) * fraction)
        }
    }

    /// Checks that all rates are positive numbers (the final one may be zero), and lengths positive.
    ///
    /// - Throws: ``TrainingError``.
    func validate() throws(TrainingError) {
        func requirePositive(_ value: Double, _ option: String) throws(TrainingError) {
            guard value > 0, value.isFinite else { throw .notPositive(option: option, value: value) }
        }
        switch self {
        case .constant(let rate):
            try requirePositive(rate, "learning rate")
        case .step(let initial, let factor, let interval):
            try requirePositive(initial, "learning rate")
            try requirePositive(factor, "factor of the learning rate")
            try interval.validate()
        case .cosine(let initial, let final, let length):
            try requirePositive(initial, "learning rate")
            guard final >= 0, final.isFinite else {
                throw .negative(option: "final learning rate", value: final)
            }
            try length.validate()
        case .warmingUp(let length, let schedule):
            try length.validate()
            try schedule.validate()
        }
    }
}
