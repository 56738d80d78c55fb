import Foundation

/// How an average of a run's parameters is made, which is evaluated beside the last ones.
///
/// A step's parameters weigh as much as its examples, so that an average means the same at every batch size.
public enum ParameterAveraging: Sendable, Hashable {
    /// An exponential average over about so many examples N (Polyak and Juditsky 1992, for its use Tarvainen and Valpola 2017, arXiv
    /// 1703.01780): after n examples in all, the parameters after example k weigh as much as `exp(−(n − k) / N)`. The weights are divided by
    /// their sum, so that the first parameters have no part in it.
    case exponential(exampleCount: Double)
    /// The plain average over the last part of a run (stochastic weight averaging: Izmailov et al. 2018, arXiv 1803.05407).
    case tail(part: Double, of: TrainingLength)

    /// How much the newest parameters count, from 0 to 1.
    ///
    /// - Parameters:
    ///   - stepExamples: The examples of the step that led to them.
    ///   - exampleCount: The examples of all steps that have a part in the average, these included.
    func weight(stepExamples: Int, exampleCount: Int) -> Double {
        let (step, all) = (Double(stepExamples), Double(exampleCount))
        return switch self {
        case .exponential(let memory): expm1(-step / memory) / expm1(-all / memory)
        case .tail: step / all
        }
    }

    /// Whether the parameters after a step have a part in the average.
    func includes(_ progress: TrainingProgress) -> Bool {
        switch self {
        case .exponential: true
        case .tail(let part, let length): length.fractionCompleted(progress) > 1 - part
        }
    }

    /// Checks that the numbers are in their range.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)``.
    func validate() throws(TrainingError) {
        switch self {
        case .exponential(let memory):
            guard memory >= 1, memory.isFinite else {
                throw .invalidOption(option: "average", value: "ema:\(memory)", allowed: Self.forms)
            }
        case .tail(let part, let length):
            guard part > 0, part <= 1 else {
                throw .invalidOption(option: "average", value: "swa:\(part)", allowed: Self.forms)
            }
            try length.validate()
        }
    }

    /// All ways to name one, for people to read.
    public static let forms = "ema:EXAMPLES (1 or more), or swa[:PART] (over 0, up to 1)"

    /// Reads an option, for a run of some length.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)``.
    init(_ text: String, in length: TrainingLength) throws(TrainingError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch (parts[0], parts.count, parts.count == 2 ? Double(parts[1]) : nil) {
        case ("ema", 2, let memory?): self = .exponential(exampleCount: memory)
        case ("swa", 1, _): self = .tail(part: Self.usualPart, of: length)
        case ("swa", 2, let part?): self = .tail(part: part, of: length)
        default: throw .invalidOption(option: "average", value: text, allowed: Self.forms)
        }
        try validate()
    }

    /// Izmailov et al. begin at three quarters of the run.
    private static let usualPart = 0.25

    /// The option, complete.
    var name: String {
        switch self {
        case .exponential(let memory): "ema:\(memory.shortest)"
        case .tail(let part, _): "swa:\(part.shortest)"
        }
    }
}
