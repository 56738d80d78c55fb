/// What a step is for.
enum StepPurpose: Sendable {
    /// To update the parameters.
    case update(UpdateStep)
    /// To leave the mean gradient where it can be exported.
    case measure
    /// To compute the loss alone.
    case evaluate

    var isTraining: Bool {
        if case .evaluate = self { false } else { true }
    }

    var update: UpdateStep? {
        if case .update(let step) = self { step } else { nil }
    }
}
