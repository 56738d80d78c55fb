import CABSTraining

/// What the course of training is measured in.
enum Horizontal {
    case examples, seconds, steps

    func value(of record: StepRecord) -> Double? {
        switch self {
        case .examples: Double(record.examples)
        case .seconds: record.trainingSeconds
        case .steps: Double(record.step)
        }
    }

    func value(of summary: RunSummary) -> Double {
        switch self {
        case .examples: Double(summary.examples)
        case .seconds: summary.trainingSeconds
        case .steps: Double(summary.steps)
        }
    }

    /// Units by the largest value from which they are used, largest first.
    private var units: [(from: Double, size: Double, label: String)] {
        switch self {
        case .examples:
            [
                (2e6, 1e6, "examples drawn (millions)"), (5e3, 1e3, "examples drawn (thousands)"),
                (0, 1, "examples drawn"),
            ]
        case .seconds:
            [
                (10800, 3600, "training time (hours)"), (300, 60, "training time (minutes)"),
                (0.1, 1, "training time (seconds)"), (0, 1e-3, "training time (milliseconds)"),
            ]
        case .steps:
            [(2e6, 1e6, "steps (millions)"), (1e4, 1e3, "steps (thousands)"), (0, 1, "steps")]
        }
    }

    /// A figure against this, in a unit that suits its values.
    func figure(_ name: String, _ title: String, _ caption: String, _ y: Figure.Axis, _ series: [Figure.Series])
        -> Figure?
    {
        let largest = series.flatMap { $0.curve.points.map(\.x) }.max() ?? 0
        let unit = units.first { largest >= $0.from } ?? (0, 1, "")
        let scaled = series.map { series in
            var curve = series.curve
            for index in curve.points.indices { curve.points[index].x /= unit.size }
            return Figure.Series(name: series.name, style: series.style, curve: curve, marks: series.marks)
        }
        return Figure(name: name, title: title, caption: caption, x: .init(label: unit.label), y: y, series: scaled)
    }
}
