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
                Figure.Series(name: name, style: palette[name], curve: rule.nextBatchSize { $0.shadow?[name] })
            }
            let deciding = Figure.Series(
                name: "\(rule.rule) (decides)", style: palette[rule.rule],
                curve: rule.nextBatchSize { $0.nextBatchSize })
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

/// The curves of one rule's runs.
struct RuleCurves {
    let rule: String
    private let runs: [(records: [StepRecord], summary: RunSummary?)]

    /// Reads the metrics of the runs that are shown; nothing where there are none.
    init?(_ rule: RuleRuns) {
        self.rule = rule.rule
        runs = rule.shown.map { ($0.records(), $0.summary) }.filter { !$0.0.isEmpty }
        guard !runs.isEmpty else { return nil }
    }

    /// The number of runs that the curves are means of.
    var runCount: Int { runs.count }

    func loss(by horizontal: Horizontal) -> Curve {
        Curve(averaging: samples(horizontal) { $0.loss.map { [$0] } })
    }

    func accuracy(by horizontal: Horizontal) -> Curve {
        evaluations(by: horizontal, \.testAccuracy, atEnd: \.testAccuracy)
    }

    /// Whether values are predicted, of which there is no accuracy.
    var predictsValues: Bool {
        runs.allSatisfy { run in
            run.summary?.testAccuracy == nil && run.records.allSatisfy { $0.testAccuracy == nil && $0.accuracy == nil }
        }
    }

    var testLoss: Curve { evaluations(by: .examples, \.testLoss, atEnd: \.testLoss) }

    /// By evaluation, not averaged within a run.
    private func evaluations(
        by horizontal: Horizontal, _ value: (StepRecord) -> Double?, atEnd: (RunSummary) -> Double?
    ) -> Curve {
        Curve(
            joining: runs.map { run in
                var bins: [Curve.Bin] = run.records.compactMap { record in
                    guard let y = value(record), let x = horizontal.value(of: record) else { return nil }
                    return Curve.Bin(x: x, y: y)
                }
                // The evaluation at a run's end stands in the summary alone where none was due.
                if run.records.last.flatMap(value) == nil, let summary = run.summary, let y = atEnd(summary) {
                    bins.append(Curve.Bin(x: horizontal.value(of: summary), y: y))
                }
                return bins
            })
    }

    var batchSize: Curve { steps { $0.batchSize } }

    /// What the rule asks for, with two standard errors to either side; of several runs the means of both.
    var askedFor: Curve {
        let samples = runs.map { run in
            run.records.compactMap { record -> Curve.Sample? in
                guard let raw = record.rawBatchSize, let error = record.rawBatchSizeStandardError else { return nil }
                return Curve.Sample(extent: 1, x: Double(record.step), values: [raw, error])
            }
        }
        let (middle, error) = (Curve(averaging: samples) { $0[0] }, Curve(averaging: samples) { $0[1] })
        return Curve(
            zip(middle.points, error.points).map { raw, error in
                let reach = 2 * error.y.mean
                // The axis has no place for less than a hundredth of an example.
                return Curve.Point(
                    x: raw.x,
                    y: Spread(
                        mean: raw.y.mean, low: max(raw.y.mean - reach, min(raw.y.mean, 0.01)), high: raw.y.mean + reach)
                )
            })
    }

    var variance: Curve {
        Curve(averaging: samples(.examples) { record in record.statistics.map { [$0.withinBatchVariance] } })
    }

    var squaredNorm: Curve {
        Curve(averaging: moments, pointCount: Self.momentPointCount) { $0[1] > 0 ? $0[1] : nil }
    }

    /// Fewer than of other curves: estimates of the full gradient from small batches are mostly noise.
    private static let momentPointCount = 40

    /// The ratio of averages: single steps' ratios have no mean to speak of.
    var noiseScale: Curve {
        Curve(averaging: moments, pointCount: Self.momentPointCount) { $0[1] > 0 ? $0[0] / $0[1] : nil }
    }

    private var moments: [[Curve.Sample]] {
        samples(.examples) { record in
            record.statistics.flatMap {
                $0.unbiasedVariance.isFinite ? [$0.unbiasedVariance, $0.unbiasedGradientSquaredNorm] : nil
            }
        }
    }

    /// The rules that watch these runs, those that adapt in their usual order first.
    var shadows: [String] {
        let names = Set(runs.compactMap { $0.records.first?.shadow?.keys }.joined())
        let usual = BatchSizeRule.adaptive.map(\.name).filter(names.contains)
        return usual + names.subtracting(usual).sorted()
    }

    func nextBatchSize(_ value: (StepRecord) -> Int?) -> Curve { steps { value($0).map(Double.init) } }

    private func steps(_ value: (StepRecord) -> Double?) -> Curve {
        Curve(
            averaging: runs.map { run in
                run.records.compactMap { record in
                    value(record).map { Curve.Sample(extent: record.stepCount, x: Double(record.step), values: [$0]) }
                }
            })
    }

    /// Averages over examples: a step counts by the size of its batch.
    private func samples(_ horizontal: Horizontal, _ values: (StepRecord) -> [Double]?) -> [[Curve.Sample]] {
        runs.map { run in
            run.records.compactMap { record in
                guard let x = horizontal.value(of: record), let values = values(record) else { return nil }
                return Curve.Sample(extent: record.exampleExtent, x: x, values: values)
            }
        }
    }
}
