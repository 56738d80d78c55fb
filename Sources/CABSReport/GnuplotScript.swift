import Foundation

/// The commands by which gnuplot draws a figure.
struct GnuplotScript {
    let text: String

    init(_ figure: Figure) {
        var lines = Self.frame(legendOf: figure.series)
        lines += Self.axis("x", figure.x, figure.series.flatMap { $0.curve.points.map(\.x) })
        lines += Self.axis("y", figure.y, figure.series.flatMap { $0.curve.points.flatMap { [$0.y.low, $0.y.high] } })
        if let low = Self.closeLow(figure) { lines.append("set yrange [\(low):*]") }
        for (index, series) in figure.series.enumerated() {
            lines.append("$data\(index) << EOD")
            lines += series.curve.points.map { "\($0.x) \($0.y.mean) \($0.y.low) \($0.y.high)" }
            lines.append("EOD")
        }
        let bands = figure.series.enumerated().compactMap { Self.band($1, data: $0) }
        // Thick lines over thin ones.
        let curves = figure.series.enumerated().sorted { $0.element.style.width < $1.element.style.width }
            .map { Self.line($0.element, data: $0.offset) }
        lines.append("plot " + (bands + curves).joined(separator: ", \\\n  "))
        text = lines.joined(separator: "\n") + "\n"
    }

    // In pixels.
    private static let width = 560
    private static let leftMargin = 88
    private static let legendRowHeight = 22
    // Of most letters; few are wider.
    private static let letterWidth = 8

    /// All but axes and curves. The legend stands above, in the order of the series, in columns as wide as the longest name. It is placed here and
    /// not by gnuplot, which guesses how wide names are and takes the room of a long legend from the curves.
    private static func frame(legendOf series: [Figure.Series]) -> [String] {
        let names = series.map { wrapped($0.name) }
        let columnWidth = 50 + letterWidth * (names.joined().map(\.count).max() ?? 0)
        let columnCount = max(1, (width - leftMargin) / columnWidth)
        // A row is as high as the longest of its names.
        let rows = stride(from: 0, to: names.count, by: columnCount).map { first in
            names[first..<min(first + columnCount, names.count)].map(\.count).max() ?? 0
        }
        let legendHeight = legendRowHeight * rows.reduce(0, +)
        let height = 350 + legendHeight
        let head = [
            "set encoding utf8",
            "set terminal svg size \(width),\(height) font 'sans-serif,15' background '#ffffff' noenhanced",
            "set border 3 linecolor rgb '#999999'",
            "set grid linecolor rgb '#e3e3e3' linewidth 0.8",
            "set tics nomirror textcolor rgb '#333333'",
            "unset key",
            "set lmargin at screen \(place(leftMargin, of: width))",
            "set rmargin 2.5",
            "set tmargin at screen \(place(height - legendHeight - 14, of: height))",
        ]
        let legend = series.indices.flatMap { index in
            let x = leftMargin + columnWidth * (index % columnCount)
            let lineBefore = rows[..<(index / columnCount)].reduce(0, +)
            func y(_ line: Int) -> Double { place(height - legendRowHeight * (lineBefore + line) - 16, of: height) }
            return [
                "set arrow from screen \(place(x, of: width)),\(y(0)) to screen \(place(x + 28, of: width)),\(y(0)) nohead "
                    + look(series[index].style)
            ]
                + names[index].enumerated().map { line, text in
                    "set label \(quoted(text)) at screen \(place(x + 36, of: width)),\(y(line)) left textcolor rgb '#222222'"
                }
        }
        return head + legend
    }

    /// A name in lines that fit the figure, broken between words where there are some.
    private static func wrapped(_ name: String) -> [String] {
        let most = (width - leftMargin - 36) / letterWidth
        var (lines, rest) = ([String](), name[...])
        while rest.count > most {
            let head = rest.prefix(most)
            let end = head.lastIndex(of: " ").map { head.index(after: $0) } ?? head.endIndex
            lines.append(String(rest[..<end]))
            rest = rest[end...]
        }
        return lines + [String(rest)]
    }

    /// A number of pixels as a part of the figure.
    private static func place(_ pixels: Int, of size: Int) -> Double {
        (10_000 * Double(pixels) / Double(size)).rounded() / 10_000
    }

    private static func axis(_ name: String, _ axis: Figure.Axis, _ values: [Double]) -> [String] {
        var lines = ["set \(name)label \(quoted(axis.label)) textcolor rgb '#222222'"]
        guard axis.scale != .linear, let low = values.min(), let high = values.max() else {
            // Axes that begin at zero: examples, steps and seconds.
            if name == "x" { lines.append("set xrange [0:*]") }
            return lines
        }
        lines.append("set logscale \(name)")
        let tics: [Double]
        if axis.scale == .powersOfTwo {
            tics = LogarithmicTics.powersOfTwo(low, high)
            // A little more, so that nothing lies on the frame.
            lines.append("set \(name)range [\(tics[0] / 1.15):\(tics[tics.count - 1] * 1.15)]")
        } else {
            // Room on both sides, so that nothing lies on the frame, and at least some of the axis where all is one value.
            let (low, high) = high > low * 1.2 ? (low / 1.1, high * 1.1) : (low / 1.5, high * 1.5)
            tics = axis.tics ?? LogarithmicTics.places(low, high)
            lines.append("set \(name)range [\(low):\(high)]")
        }
        let labels = tics.map { "\(quoted(LogarithmicTics.label($0))) \($0)" }
        lines.append("set \(name)tics (\(labels.joined(separator: ", ")))")
        return lines
    }

    /// Where an axis begins that leaves early values out; nothing where all values are near them.
    private static func closeLow(_ figure: Figure) -> Double? {
        let values = figure.series.flatMap { $0.curve.points.map(\.y) }
        let ends = figure.series.compactMap { $0.curve.points.last?.y.low }
        guard let reach = figure.y.reachBelowEnds, let end = ends.min(), let high = values.map(\.high).max(),
            let low = values.map(\.low).min()
        else { return nil }
        let close = end - max(high - end, reach)
        // Of a short run every evaluation counts.
        let isEarly = figure.series.allSatisfy { series in
            4 * series.curve.points.filter { $0.y.mean < close }.count <= series.curve.points.count
        }
        return low < close && isEarly ? close : nil
    }

    private static func band(_ series: Figure.Series, data index: Int) -> String? {
        guard series.marks != .bars, series.curve.points.contains(where: { $0.y.low < $0.y.high }) else { return nil }
        return "$data\(index) using 1:3:4 with filledcurves linecolor rgb '\(series.style.color)' "
            + "fillstyle transparent solid 0.16 noborder notitle"
    }

    private static func line(_ series: Figure.Series, data index: Int) -> String {
        let look = look(series.style)
        return switch series.marks {
        case .lines: "$data\(index) using 1:2 with lines \(look) notitle"
        case .points: "$data\(index) using 1:2 with linespoints \(look) pointtype 7 pointsize 0.45 notitle"
        case .bars: "$data\(index) using 1:2:3:4 with yerrorlines \(look) pointtype 7 pointsize 0.6 notitle"
        }
    }

    private static func look(_ style: LineStyle) -> String {
        "linecolor rgb '\(style.color)' linewidth \(style.width) dashtype \(style.dash)"
    }

    /// A string that gnuplot takes as it stands. In double quotes it would run what stands between backquotes.
    static func quoted(_ text: String) -> String {
        let line = String(text.map { $0.isNewline || $0.asciiValue.map { $0 < 32 } == true ? " " : $0 })
        return "'\(line.replacing("'", with: "''"))'"
    }
}
