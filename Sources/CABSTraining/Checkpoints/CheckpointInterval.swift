/// When a run writes checkpoints, beside the one at its end.
public enum CheckpointInterval: Sendable, Hashable {
    /// After so many steps.
    case steps(Int)
    /// After so many minutes.
    case minutes(Double)

    /// Reads a number of steps, or one of minutes with `m` behind it.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)``.
    init(_ text: String) throws(TrainingError) {
        if text.hasSuffix("m"), let minutes = Double(text.dropLast()), minutes > 0, minutes.isFinite {
            self = .minutes(minutes)
        } else if let steps = Int(text), steps > 0 {
            self = .steps(steps)
        } else {
            throw .invalidOption(
                option: "checkpoint-every", value: text, allowed: "a number of steps, or of minutes such as 5m")
        }
    }

    /// Whether a run writes a checkpoint after a step. It counts from the run's beginning, so that an interruption shifts nothing.
    ///
    /// - Parameters:
    ///   - stepCount: The number of updates made, with that step.
    ///   - seconds: The time of the run, with that step.
    ///   - secondsBefore: The time before it.
    func isDue(stepCount: Int, seconds: Double, secondsBefore: Double) -> Bool {
        switch self {
        case .steps(let count): stepCount % count == 0
        case .minutes(let count):
            (seconds / (60 * count)).rounded(.down) > (secondsBefore / (60 * count)).rounded(.down)
        }
    }

    /// Whether a run that is not interrupted has a checkpoint after so many updates; of minutes nobody can know.
    func mayFall(on stepCount: Int) -> Bool {
        switch self {
        case .steps(let count): stepCount % count == 0
        case .minutes: true
        }
    }
}
