import CABSTraining

/// What is averaged over the parts of a run.
enum SampleKind: Hashable {
    case loss(Horizontal)
    case batchSize
    /// What the rule asks for, and its standard error.
    case askedFor
    case variance
    /// The unbiased variance, and the unbiased squared norm of the gradient.
    case moments
    case nextBatchSize
    /// What a rule that watches would have chosen.
    case shadow(String)

    /// Those of every run.
    static let usual: [SampleKind] = [
        .loss(.examples), .loss(.seconds), .batchSize, .askedFor, .variance, .moments, .nextBatchSize,
    ]

    /// The most parts: fewer than of others where estimates of the full gradient from small batches are mostly noise.
    var largestPartCount: Int { self == .moments ? 40 : Curve.largestPointCount }

    /// The sample of a step, which weighs by its examples or as one step; nothing where it was not measured.
    func sample(of record: StepRecord) -> Curve.Sample? {
        func byExamples(_ x: Double?, _ first: Double?, _ second: Double = 0) -> Curve.Sample? {
            guard let x, let first else { return nil }
            return Curve.Sample(extent: record.exampleExtent, x: x, first: first, second: second)
        }
        func bySteps(_ value: Double?) -> Curve.Sample? {
            value.map { Curve.Sample(extent: record.stepCount, x: Double(record.step), first: $0) }
        }
        switch self {
        case .loss(let horizontal): return byExamples(horizontal.value(of: record), record.loss)
        case .batchSize: return bySteps(record.batchSize)
        case .askedFor:
            guard let raw = record.rawBatchSize, let error = record.rawBatchSizeStandardError else { return nil }
            return Curve.Sample(extent: 1, x: Double(record.step), first: raw, second: error)
        case .variance: return byExamples(Double(record.examples), record.statistics?.withinBatchVariance)
        case .moments:
            guard let found = record.statistics, found.unbiasedVariance.isFinite else { return nil }
            return byExamples(Double(record.examples), found.unbiasedVariance, found.unbiasedGradientSquaredNorm)
        case .nextBatchSize: return bySteps(record.nextBatchSize.map(Double.init))
        case .shadow(let name): return bySteps(record.shadow?[name].map(Double.init))
        }
    }
}

/// A run read once: how much of it there are samples of, and its evaluations.
struct RunScan {
    private let run: ReportedRun
    /// By the places of kinds.
    let extents: [Curve.Averages.Extent]
    let evaluations: RunEvaluations

    init(_ run: ReportedRun, _ kinds: [SampleKind]) {
        self.run = run
        var extents = kinds.map { _ in Curve.Averages.Extent() }
        var evaluations = RunEvaluations(summary: run.summary)
        run.forEachRecord { record in
            for index in kinds.indices { kinds[index].sample(of: record).map { extents[index].add($0) } }
            evaluations.add(record)
            return true
        }
        (self.extents, self.evaluations) = (extents, evaluations)
    }

    /// Reads the run once more, for the averages over so many parts of each kind.
    func averages(_ kinds: [SampleKind], _ partCounts: [Int]) -> [[Curve.Averages.Part]] {
        var averages = kinds.indices.map { Curve.Averages(over: extents[$0], partCount: partCounts[$0]) }
        run.forEachRecord { record in
            for index in kinds.indices { kinds[index].sample(of: record).map { averages[index].add($0) } }
            return true
        }
        return averages.map(\.parts)
    }
}

/// A run's evaluations.
struct RunEvaluations {
    /// What the run came to; nothing where it has not ended.
    let summary: RunSummary?
    private var evaluated: [StepRecord] = []
    private var last: StepRecord?
    private var hasAccuracies = false

    init(summary: RunSummary?) { self.summary = summary }

    /// Takes a step in.
    mutating func add(_ record: StepRecord) {
        if record.testAccuracy != nil || record.testLoss != nil { evaluated.append(record) }
        hasAccuracies = hasAccuracies || record.testAccuracy != nil || record.accuracy != nil
        last = record
    }

    /// Whether the run has made steps.
    var hasSteps: Bool { last != nil }

    /// Whether the run predicts values, of which there is no accuracy.
    var predictsValues: Bool { summary?.testAccuracy == nil && !hasAccuracies }

    /// The evaluations that have a value.
    ///
    /// - Parameter atEnd: That at the run's end, which stands in the summary alone where none was due.
    func bins(
        by horizontal: Horizontal, _ value: (StepRecord) -> Double?, atEnd: (RunSummary) -> Double?
    ) -> [Curve.Bin] {
        var bins = evaluated.compactMap { record -> Curve.Bin? in
            guard let y = value(record), let x = horizontal.value(of: record) else { return nil }
            return Curve.Bin(x: x, y: y)
        }
        if last.flatMap(value) == nil, let summary, let y = atEnd(summary) {
            bins.append(Curve.Bin(x: horizontal.value(of: summary), y: y))
        }
        return bins
    }
}
