import CABSTraining
import Foundation

/// The figure of the authors' approximation of the variance beside the exact one, for a run that compared them.
struct EstimatorFigure {
    private let lines: [Line]

    /// One line of `estimators.jsonl`, as far as the figure needs it.
    private struct Line: Decodable {
        let steps: Int
        let variance: Pair
        let parameters: [String: Pair]
    }

    private struct Pair: Decodable {
        let exact: Double
        let reference: Double

        /// The approximation in units of the exact value.
        var ratio: Double? { exact > 0 ? reference / exact : nil }
    }

    /// Reads the comparisons of a run; damaged lines are left out, and a file that is not there has none.
    init(_ run: ReportedRun) {
        let data = run.directory.flatMap { try? Data(contentsOf: $0.estimatorsFile) } ?? Data()
        lines = data.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDecoder().decode(Line.self, from: $0) }
    }

    /// The figure; none where nothing was compared. Of the parameters it has the weights: biases are a small part.
    var figure: Figure? {
        guard let first = lines.first else { return nil }
        let names = first.parameters.keys.filter { $0.hasSuffix(".weight") }.sorted()
        let all = Figure.Series(
            name: "all parameters", style: LineStyle(color: "#d1495b", width: 3, dash: 1), curve: curve { $0.variance })
        let parts = names.enumerated().map { index, name in
            Figure.Series(
                name: name, style: LineStyle(color: Self.colors[index % Self.colors.count], width: 1.8, dash: 1),
                curve: curve { $0.parameters[name] })
        }
        return Figure(
            name: "estimators", title: "The authors' approximation of the variance",
            caption: "Within-batch variance as the authors' code approximates it, in units of the exact one, by layer.",
            x: .init(label: "steps"), y: .init(label: "approximated : exact"), series: [all] + parts)
    }

    private func curve(_ pair: @escaping (Line) -> Pair?) -> Curve {
        Curve(
            averaging: [
                lines.compactMap { line in
                    pair(line)?.ratio.map { Curve.Sample(extent: 1, x: Double(line.steps), first: $0) }
                }
            ], pointCount: 40)
    }

    private static let colors = ["#0b3c78", "#5b9bd5", "#e69f00", "#1b9e77", "#7b3294", "#8c6d31", "#4d4d4d"]
}
