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
}
