/// What a step takes of the examples that are left before the end of a run, and at which part of the learning rate.
///
/// A length in examples or epochs is kept exactly, and few runs end with a whole batch. Noise goes with the learning rate divided by
/// the batch size, which is what rules like CABS couple; a step on a few left-over examples at the full rate may ruin in one update
/// what a run has learned. So the end is shared out: a batch is never larger than the rule wants it, and at the full rate never
/// smaller than half of that.
struct BatchAllotment: Hashable {
    /// The number of examples that the step takes.
    let exampleCount: Int
    /// What the learning rate is multiplied by; less than one where hardly anything is left.
    let learningRateFactor: Double

    /// - Parameters:
    ///   - wanted: The batch size m that the rule chose.
    ///   - left: How many examples are left, at least one.
    init(wanted: Int, of left: Int) {
        precondition(wanted >= 1 && left >= 1, "\(wanted) examples of \(left)")
        if left - wanted >= (wanted + 1) / 2 || left == wanted {
            // At least half a batch stays for the step after.
            (exampleCount, learningRateFactor) = (wanted, 1)
        } else if left > wanted {
            // Two halves, which the next step sees to, instead of a whole batch and a remnant.
            (exampleCount, learningRateFactor) = ((left + 1) / 2, 1)
        } else {
            exampleCount = left
            // The same noise at the smaller batch, α / m, by a smaller α.
            learningRateFactor = left >= (wanted + 1) / 2 ? 1 : Double(left) / Double(wanted)
        }
    }
}
