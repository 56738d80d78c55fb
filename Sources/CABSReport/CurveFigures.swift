import CABS
import CABSTraining

/// The figures of what happened in the course of training, for the runs of a group that are shown.
struct CurveFigures {
    private let rules: [RuleCurves]
    private let palette: RulePalette
    private let spreadNote: String

    init(_ group: RunGroup, palette: RulePalette) {
        rules = group.rules.compactMap { RuleCurves($0) }
        self.palette = palette
        let seedCount = rules.map(\.runCount).max() ?? 0
        spreadNote =
            seedCount > 1 ? " Lines are means over seeds, bands reach from the lowest seed to the highest." : ""
    }

    /// The figures that there is something to show in.
    var figures: [Figure] {
        let all = [
            figure(
                "loss-by-examples", "Training loss by examples",
                "Loss of the training batches against the number of examples drawn.", .examples,
                .init(label: "training loss", scale: .logarithmic)
            ) { $0.loss(by: .examples) },
            figure(
                "accuracy-by-examples", "Test accuracy by examples",
                "Part of the test examples classified correctly against the number of examples drawn.", .examples,
                .init(label: "test accuracy", reachBelowEnds: 0.1), .points
            ) { $0.accuracy(by: .examples) },
            figure(
                "test-loss-by-examples", "Test loss by examples",
                "Loss on the test examples, whose values are predicted, against the number of examples drawn.",
                .examples,
                .init(label: "test loss", scale: .logarithmic), .points
            ) { $0.predictsValues ? $0.testLoss : Curve([]) },
            figure(
                "loss-by-seconds", "Training loss by time",
                "Loss of the training batches against the time spent in steps, evaluations not counted.", .seconds,
                .init(label: "training loss", scale: .logarithmic)
            ) { $0.loss(by: .seconds) },
            figure(
                "accuracy-by-seconds", "Test accuracy by time",
                "Part of the test examples classified correctly against the time spent in steps.", .seconds,
                .init(label: "test accuracy", reachBelowEnds: 0.1), .points
            ) { $0.accuracy(by: .seconds) },
            figure(
                "batch-size", "Batch size", "Batch size against the number of steps; the last batch may be cut.",
                .steps,
                .init(label: "batch size (examples)", scale: .powersOfTwo)
            ) { $0.batchSize },
            figure(
                "batch-size-asked-for", "What the rule asks for, and how well it knows",
                "Batch size before bounds and rounding against the number of steps; bands reach two standard errors to either side, from "
                    + "those of the measured second moments, averages included.",
                .steps, .init(label: "batch size (examples)", scale: .powersOfTwo), note: ""
            ) { $0.askedFor },
            figure(
                "variance", "Within-batch variance",
                "Trace of the covariance of the example gradients within a batch, ξ, against the examples drawn.",
                .examples, .init(label: "variance ξ", scale: .logarithmic)
            ) { $0.variance },
            figure(
                "gradient-squared-norm", "Squared gradient norm",
                "Unbiased estimate of the squared norm of the full gradient; where noise outweighs it there is no point.",
                .examples, .init(label: "squared norm", scale: .logarithmic)
            ) { $0.squaredNorm },
            figure(
                "noise-scale", "Noise scale",
                "Gradient variance divided by squared gradient norm, both unbiased: the batch size at which they balance.",
                .examples, .init(label: "noise scale (examples)", scale: .logarithmic)
            ) { $0.noiseScale },
        ]
        return all.compactMap(\.self) + shadowFigures
    }

    private func figure(
        _ name: String, _ title: String, _ caption: String, _ horizontal: Horizontal, _ y: Figure.Axis,
        _ marks: Figure.Marks = .lines, note: String? = nil, curve: (RuleCurves) -> Curve
    ) -> Figure? {
        let series = rules.map {
            Figure.Series(name: $0.rule, style: palette[$0.rule], curve: curve($0), marks: marks)
        }
        return horizontal.figure(name, title, caption + (note ?? spreadNote), y, series)
    }

    /// What rules that watch would have chosen, a figure for each rule that decides.
    private var shadowFigures: [Figure] {
        rules.compactMap { rule in
            guard !rule.shadows.isEmpty else { return nil }
            let watching = rule.shadows.map { name in
                Figure.Series(name: name, style: palette[name], curve: rule.nextBatchSize(by: name))
            }
            let deciding = Figure.Series(
                name: "\(rule.rule) (decides)", style: palette[rule.rule],
                curve: rule.nextBatchSize)
            return Horizontal.steps.figure(
                rules.count > 1 ? "shadows-\(FileName.part(rule.rule))" : "shadows",
                "What other rules would have chosen",
                "Batch sizes that watching rules would have chosen from the same measurements, beside \(rule.rule), "
                    + "which decides, against the number of steps. The norm test and Big Batch compare noise with the squared gradient norm of "
                    + "the batch that was drawn, which holds noise itself: where that batch is small they ask for less than where they "
                    + "decide." + spreadNote,
                .init(label: "batch size (examples)", scale: .powersOfTwo), [deciding] + watching)
        }
    }
}
