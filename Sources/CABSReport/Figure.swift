/// A figure before it is drawn.
struct Figure: Sendable {
    /// The name of its file, without the ending.
    var name: String
    let title: String
    /// What is shown, in a sentence.
    let caption: String
    let x: Axis
    let y: Axis
    let series: [Series]

    /// An axis.
    struct Axis: Sendable {
        let label: String
        var scale = Scale.linear
        /// The places that have labels; chosen by the range where not given.
        var tics: [Double]? = nil
        /// How far below the lowest right end a linear axis reaches at least, so that early values may lie outside and do not
        /// crush those that count; all values are shown where not given, and where more than a quarter of a line would be outside.
        var reachBelowEnds: Double? = nil
    }

    /// How an axis is divided.
    enum Scale: Sendable {
        case linear, logarithmic, powersOfTwo
    }

    /// A line with its name.
    struct Series: Sendable {
        let name: String
        let style: LineStyle
        let curve: Curve
        var marks = Marks.lines
    }

    /// What is drawn of a line.
    enum Marks: Sendable {
        /// The line, with a band from the smallest to the largest value.
        case lines
        /// The same, with its points.
        case points
        /// Points with bars from the smallest to the largest value.
        case bars
    }

    /// Leaves out what a logarithmic axis cannot show, and lines without points; nothing where fewer than two points remain.
    init?(name: String, title: String, caption: String, x: Axis, y: Axis, series: [Series]) {
        let series = series.compactMap { series -> Series? in
            let points = series.curve.points.filter {
                (x.scale == .linear || $0.x > 0) && (y.scale == .linear || $0.y.low > 0)
            }
            guard !points.isEmpty else { return nil }
            return Series(name: series.name, style: series.style, curve: Curve(points), marks: series.marks)
        }
        guard series.contains(where: { $0.curve.points.count > 1 }) else { return nil }
        self.name = name
        self.title = title
        self.caption = caption
        self.x = x
        self.y = y
        self.series = series
    }

    /// The figure in words, for those who do not see it.
    var alternativeText: String {
        let ends = series.compactMap { series in
            series.curve.points.last.map { "\(series.name) \(number($0.y.mean, digits: 3))" }
        }
        return "Line chart of \(y.label) against \(x.label). At the right end: \(ends.joined(separator: ", "))."
    }
}
