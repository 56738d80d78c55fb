import CABSTraining
import Foundation

/// Continuations from one state by several batch sizes, as a part of a page.
struct BranchSection {
    let setting: Branching.Setting
    let table: BranchTable
    /// Sets the figure's file apart from those of other branches.
    let number: Int

    /// The losses by batch size, of sizes of which no continuation diverged; nothing where there are fewer than two.
    var figure: Figure? {
        let points = table.sizes.compactMap { size in
            size.meanLoss == nil ? nil : Spread(size.losses).map { Curve.Point(x: Double(size.batchSize), y: $0) }
        }
        let sizes = LogarithmicTics.values(points.map(\.x))
        return Figure(
            name: "branch-\(number)", title: "Loss by batch size",
            caption:
                "Loss on the same training examples after \(words(setting.exampleCount)) more examples, against the batch size; bars reach "
                + "from the lowest order of the examples to the highest."
                + (points.count < table.sizes.count ? " Sizes of which one diverged are left out." : ""),
            x: .init(label: "batch size (examples)", scale: sizes == nil ? .powersOfTwo : .logarithmic, tics: sizes),
            // Where some sizes break, the others must still be told apart.
            y: .init(label: "loss", scale: spansDecades(points) ? .logarithmic : .linear),
            series: [
                .init(
                    name: "loss", style: RulePalette([("loss", .cabs)])["loss"], curve: Curve(points), marks: .bars)
            ])
    }

    private func spansDecades(_ points: [Curve.Point]) -> Bool {
        let lows = points.map(\.y.low)
        guard let low = lows.min(), low > 0, let high = points.map(\.y.high).max() else { return false }
        return high > 10 * low
    }

    private func words(_ count: Int) -> String { CABSReport.number(Double(count)) }

    func parts(_ figure: HTML?) -> [HTML] {
        let rate = setting.scaling.map { "follows the batch (\($0.rawValue)) from" } ?? "is"
        return [
            HTML("h2", "\(setting.model) on \(setting.dataset), branched after \(words(setting.stepCount)) steps"),
            HTML(
                "p", [("class", "muted")],
                "Each batch size went on from the same state, \(setting.from), over \(words(setting.exampleCount)) examples, in "
                    + "\(orders). The loss there was \(setting.lossText). The learning rate \(rate) "
                    + "\(CABSReport.number(setting.learningRate, digits: 6))"
                    + (setting.scaling == nil ? "." : " at a batch of \(setting.batchSize).")),
            HTML("p", critical),
            figure.map { HTML("div", [("class", "figures")], [$0]) }, sizes,
            HTML("h3", "What was predicted there"),
            setting.ruleLearningRate.map { rate in
                HTML(
                    "p", [("class", "muted")],
                    "Rules read the effective rate \(CABSReport.number(rate, digits: 6)): as it was before it followed the batch size, "
                        + "and with what momentum makes of it."
                )
            },
            predictions,
        ].compactMap(\.self)
    }

    private var orders: String {
        let count = table.sizes.map(\.results.count).max() ?? 0
        return count == 1 ? "one order" : "\(count) orders"
    }

    private var critical: String {
        switch table.finding(tolerance: setting.tolerance) {
        case .nothingEnded: return "No continuation has ended."
        case .smallestDiverged(let size):
            return "The smallest batch size, \(words(size)), diverged, so there is nothing to compare larger ones with."
        case .found(let critical, let orders):
            func words(_ found: BranchTable.Critical) -> String {
                self.words(found.batchSize) + (found.isLargestTried ? " or more" : "")
            }
            let range = orders.map { ", order by order from \(words($0.lowest)) to \(words($0.highest))" } ?? ""
            return
                "The largest batch size that does no harm, its loss within \(CABSReport.number(setting.tolerance)) of those of all "
                + "smaller ones: \(words(critical))\(range)."
        }
    }

    private var sizes: HTML {
        .table(
            ["batch size", "learning rate", "mean loss", "lowest", "highest", "test accuracy"],
            table.sizes.map { size in
                func text(_ value: Double?) -> String { value.map { CABSReport.number($0) } ?? "diverged" }
                return [
                    words(size.batchSize), CABSReport.number(size.results[0].learningRate), text(size.meanLoss),
                    text(size.losses.min()), text(size.losses.max()),
                    size.meanTestAccuracy.map { CABSReport.number($0) } ?? "",
                ]
            })
    }

    private var predictions: HTML {
        .table(
            ["", "batch size"],
            [["noise scale T/‖g‖²", setting.noise.noiseScaleText]]
                + setting.forecasts.map { [$0.rule, words($0.batchSize) + ($0.isAtLeast ? " or more" : "")] })
    }
}
