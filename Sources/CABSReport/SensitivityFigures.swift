import CABSTraining

/// The figures of how much the learning rate matters to each rule.
struct SensitivityFigures {
    private let group: RunGroup
    private let palette: RulePalette

    init(_ group: RunGroup, palette: RulePalette) {
        self.group = group
        self.palette = palette
    }

    /// The figures; none where runs finished at fewer than two learning rates.
    var figures: [Figure] {
        let diverged = group.runs.filter { $0.status == .diverged }.count
        let note = diverged > 0 ? " \(diverged) of \(group.runs.count) runs diverged and are not shown." : ""
        return [
            figure(
                "accuracy-by-learning-rate", "Test accuracy by learning rate",
                "Test accuracy at the end against the learning rate; bars reach from the lowest seed to the highest."
                    + note,
                .init(label: "final test accuracy"), \.testAccuracy),
            figure(
                "loss-by-learning-rate", "Training loss by learning rate",
                "Mean training loss over the last tenth of a run against the learning rate; bars reach from the lowest seed to the highest."
                    + note,
                .init(label: "final training loss", scale: .logarithmic), \.trainingLoss),
        ].compactMap(\.self)
    }

    private func figure(
        _ name: String, _ title: String, _ caption: String, _ y: Figure.Axis, _ value: (RunSummary) -> Double?
    ) -> Figure? {
        let series = group.rules.map { rule in
            let points = rule.rates.compactMap { rate in
                rate.statistics(value).map { Curve.Point(x: rate.learningRate, y: $0) }
            }
            return Figure.Series(name: rule.rule, style: palette[rule.rule], curve: Curve(points), marks: .bars)
        }
        let rates = Set(series.flatMap { $0.curve.points.map(\.x) }).sorted()
        return Figure(
            name: name, title: title, caption: caption,
            x: .init(label: "learning rate", scale: .logarithmic, tics: LogarithmicTics.values(rates)), y: y,
            series: series)
    }
}
