import CABSTraining

/// The curves of one rule's runs.
struct RuleCurves {
    let rule: String
    /// The rules that watch these runs, those that adapt in their usual order first.
    let shadows: [String]
    private let runs: [RunEvaluations]
    /// Of each kind of samples the averages over the parts of each run that has some.
    private let averages: [SampleKind: [[Curve.Averages.Part]]]

    /// Reads the metrics of the runs that are shown, and keeps what figures need; nothing where there are none.
    ///
    /// They are read twice: how long a run is sets the parts over which it is averaged.
    init?(_ rule: RuleRuns) {
        self.rule = rule.rule
        shadows = Self.shadows(of: rule.shown)
        let kinds = SampleKind.usual + shadows.map(SampleKind.shadow)
        let scans = rule.shown.map { RunScan($0, kinds) }.filter { $0.evaluations.hasSteps }
        guard !scans.isEmpty else { return nil }
        runs = scans.map(\.evaluations)
        let partCounts = kinds.indices.map { index in
            let counts = scans.map { $0.extents[index].sampleCount }.filter { $0 > 0 }
            return min(counts.min() ?? 0, kinds[index].largestPartCount)
        }
        let parts = scans.map { $0.averages(kinds, partCounts) }
        averages = Dictionary(
            uniqueKeysWithValues: kinds.indices.map { index in
                let present = scans.indices.filter { scans[$0].extents[index].sampleCount > 0 }
                return (kinds[index], present.map { parts[$0][index] })
            })
    }

    private static func shadows(of runs: [ReportedRun]) -> [String] {
        var names: Set<String> = []
        for run in runs {
            run.forEachRecord { record in
                if let shadow = record.shadow { names.formUnion(shadow.keys) }
                return false
            }
        }
        let usual = BatchSizeRule.adaptive.map(\.name).filter(names.contains)
        return usual + names.subtracting(usual).sorted()
    }

    /// The number of runs that the curves are means of.
    var runCount: Int { runs.count }

    // MARK: Evaluations, not averaged within a run

    /// Whether values are predicted, of which there is no accuracy.
    var predictsValues: Bool { runs.allSatisfy(\.predictsValues) }

    var testLoss: Curve { Curve(joining: runs.map { $0.bins(by: .examples, \.testLoss, atEnd: \.testLoss) }) }

    func accuracy(by horizontal: Horizontal) -> Curve {
        Curve(joining: runs.map { $0.bins(by: horizontal, \.testAccuracy, atEnd: \.testAccuracy) })
    }

    // MARK: Averages over parts of a run

    private func curve(
        _ kind: SampleKind, of value: (Curve.Averages.Part) -> Double? = { $0.first }
    ) -> Curve {
        Curve(joining: (averages[kind] ?? []).map { parts in parts.map { Curve.Bin(x: $0.x, y: value($0)) } })
    }

    func loss(by horizontal: Horizontal) -> Curve { curve(.loss(horizontal)) }

    var batchSize: Curve { curve(.batchSize) }

    /// What the rule asks for, with two standard errors to either side; of several runs the means of both.
    var askedFor: Curve {
        let (middle, error) = (curve(.askedFor), curve(.askedFor) { $0.second })
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

    var variance: Curve { curve(.variance) }

    var squaredNorm: Curve { curve(.moments) { $0.second > 0 ? $0.second : nil } }

    /// The ratio of averages: single steps' ratios have no mean to speak of.
    var noiseScale: Curve { curve(.moments) { $0.second > 0 ? $0.first / $0.second : nil } }

    var nextBatchSize: Curve { curve(.nextBatchSize) }

    /// What a rule that watches would have chosen.
    func nextBatchSize(by shadow: String) -> Curve { curve(.shadow(shadow)) }
}
