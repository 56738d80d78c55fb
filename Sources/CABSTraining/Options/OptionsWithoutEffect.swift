import CABSData

extension TrainingConfiguration {
    /// Which options that are given change nothing about a run beside the others, for people to read. Options that contradict each other are refused.
    static func withoutEffect(
        _ options: TrainingOptions, _ dataset: DatasetName, _ rule: BatchSizeRule, _ length: TrainingLength
    ) -> [String] {
        var notices: [String] = []
        func add(_ option: String, _ reason: String) { notices.append("\(option) has no effect: \(reason)") }
        if dataset == .digits, let place = options.data { add("data \(place)", "the digits come with this program") }
        if let scaling = options.scaleRate, case .constant = rule {
            add("scale-rate \(scaling.rawValue)", "the batch size is constant")
        }
        if let schedule = options.learningRateSchedule, case .epochs(let epochs) = length,
            let interval = schedule.split(separator: ":").last.flatMap({ Double($0) }), schedule.hasPrefix("step:"),
            interval >= epochs
        {
            add("learning-rate-schedule \(schedule)", "the run has \(epochs.shortest) epochs")
        }
        guard case .steps(let steps) = length else { return notices }
        for (option, interval) in [
            ("evaluate-every", options.evaluateEvery), ("compare-estimators", options.compareEstimators),
        ] {
            if let interval, interval > steps { add("\(option) \(interval)", "the run has \(steps) steps") }
        }
        return notices
    }
}
