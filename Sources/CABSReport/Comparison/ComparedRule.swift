import CABSTraining

/// A run that finished, as a comparison takes it.
struct ComparedRun: Sendable {
    let learningRate: Double
    let seed: UInt64
    let summary: RunSummary
    let course: RunCourse
}

/// The runs of one rule that finished, as a comparison takes them.
struct ComparedRule: Sendable {
    let name: String
    /// The learning rate that stands for the rule: ``RuleRuns/best``.
    let bestRate: Double?
    let runs: [ComparedRun]
    /// How many runs diverged at a learning rate where some did, those that went on at a smaller one included.
    let divergedCounts: [Double: Int]

    init(_ rule: RuleRuns) {
        name = rule.rule
        bestRate = rule.best?.learningRate
        runs = rule.rates.flatMap { rate in
            rate.finishedRuns.compactMap { run in
                run.summary.map {
                    ComparedRun(learningRate: rate.learningRate, seed: run.seed, summary: $0, course: run.course())
                }
            }
        }
        divergedCounts = Dictionary(uniqueKeysWithValues: rule.rates.map { ($0.learningRate, $0.divergedCount) })
            .filter { $0.value > 0 }
    }

    /// The runs at a learning rate.
    func runs(at rate: Double) -> [ComparedRun] { runs.filter { $0.learningRate == rate } }

    /// The runs at the best learning rate.
    var bestRuns: [ComparedRun] { bestRate.map(runs(at:)) ?? [] }

    /// The learning rates at which runs ended, ascending.
    var rates: [Double] { Set(runs.map(\.learningRate) + divergedCounts.keys).sorted() }

    /// How many runs finished at a learning rate, and how many did not, in words.
    func counts(at rate: Double) -> String {
        "\(runs(at: rate).count)" + (divergedCounts[rate].map { ", \($0) diverged" } ?? "")
    }

    /// The seeds that finished at each of some learning rates.
    func seeds(at rates: [Double]) -> Set<UInt64> {
        guard let first = rates.first else { return [] }
        return rates.dropFirst().reduce(Set(runs(at: first).map(\.seed))) { $0.intersection(runs(at: $1).map(\.seed)) }
    }
}
