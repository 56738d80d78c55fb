import CABSTraining
import Foundation

/// A run that a report tells of.
struct ReportedRun: Sendable {
    /// How a run stands.
    enum Status: String {
        case finished, diverged, unfinished
        /// It came to its length, but not at the learning rate that it was given, at which it diverged.
        case rewound
    }

    /// What tables and figures call the run's batch-size rule, with what sets it apart from others of that name.
    private(set) var rule: String
    /// What the run's data set is called, with what sets its data apart from others of that name.
    private(set) var dataset: String
    /// What is on record of its data; nothing where that was not noted.
    let data: String?
    /// The run's options.
    let options: TrainingOptions
    /// What it came to; nothing where it has not ended.
    let summary: RunSummary?
    /// What its network takes for what, where that was asked for.
    let confusion: Confusion?
    /// How noisy its gradients were found to be, where that was asked for.
    let measurement: GradientMeasurement?
    /// Where it diverged, if it did, be it that it went back and on at a smaller rate.
    let divergence: Divergence?
    /// Its folder; nothing where only its line and curve are kept.
    let directory: RunDirectory?
    /// The folder in which its line and curve are kept; nothing where the run's own folder is there.
    let keptIn: URL?
    /// Whether it was found as a run of a comparison, which knows what its rule is called there.
    let isOfComparison: Bool
    private let curve: [RunCurve.Point]

    /// Reads a run's folder.
    ///
    /// - Parameters:
    ///   - directory: The folder.
    ///   - rule: The rule's name; the options' own where not given.
    ///   - curve: Its curve, where that was written.
    /// - Throws: `TrainingError` where the configuration or the summary is damaged.
    init(_ directory: RunDirectory, rule: String? = nil, curve: [RunCurve.Point] = []) throws {
        options = try TrainingOptions(contentsOf: directory.configurationFile)
        summary = try directory.summary()
        confusion = try directory.confusion()
        measurement = try directory.measurement()
        // Of a run that was made anew since, none.
        let hasDiverged = summary?.status == .diverged || summary?.wasRewound == true
        divergence = hasDiverged ? try directory.divergence() : nil
        data = try directory.recordedData()
        dataset = options.dataset?.rawValue ?? summary?.dataset ?? "unknown data"
        self.rule = rule ?? options.batchSize ?? BatchSizeRule.cabs.name
        (self.directory, self.curve, keptIn, isOfComparison) = (directory, curve, nil, rule != nil)
    }

    /// Takes a run of a grid of which only the results and curves are kept, in a folder.
    init(_ run: PublishedGrid.Run, keptIn folder: URL) {
        var options = TrainingOptions()
        options.dataset = DatasetName(rawValue: run.summary.dataset)
        options.model = try? ModelConfiguration(name: run.summary.model)
        options.batchSize = (try? BatchSizeRule(run.rule))?.name
        (options.learningRate, options.seed) = (run.learningRate, run.seed)
        (self.options, rule, summary) = (options, run.rule, run.summary)
        (dataset, data) = (run.summary.dataset, nil)
        (confusion, measurement, divergence, directory, curve) = (nil, nil, nil, nil, run.curve)
        (keptIn, isOfComparison) = (folder, true)
    }

    var status: Status {
        switch summary?.status {
        case .finished: summary?.wasRewound == true ? .rewound : .finished
        case .diverged: .diverged
        case nil: .unfinished
        }
    }

    /// The run's batch-size rule; nothing where only a name of the grid's own is kept.
    var batchSizeRule: BatchSizeRule? {
        let name = directory == nil ? options.batchSize : options.batchSize ?? BatchSizeRule.cabs.name
        return name.flatMap { try? BatchSizeRule($0) }
    }

    /// The status in words.
    var statusText: String {
        guard status == .rewound, let summary, let rewinds = summary.rewinds else { return status.rawValue }
        let rate = summary.finalLearningRate.map { " at \(number($0, digits: 6))" } ?? ""
        return "finished\(rate), after going back \(rewinds == 1 ? "once" : "\(rewinds) times")"
    }

    /// What went wrong where the run diverged, and what to do.
    var divergenceText: String {
        guard let found = divergence else { return "The run diverged. Try a smaller learning rate." }
        return "\(flaw(found)) In another run, \(found.remedy)."
    }

    private func flaw(_ found: Divergence) -> String {
        let place = "at step \(found.step)"
        if let parameter = found.parameter {
            return "The run diverged: the gradient of \(parameter) was not finite or too large \(place)."
        }
        guard let loss = found.loss else { return "The run diverged: its loss was not a finite number \(place)." }
        let bound = options.lossBound.map { " of \(number($0))" } ?? ""
        return "The run diverged: its loss was \(number(loss)) \(place), above the bound\(bound)."
    }

    /// The same run under a name that sets it apart.
    func named(_ rule: String) -> ReportedRun {
        var run = self
        run.rule = rule
        return run
    }

    /// The same run with a number for its data.
    func ofData(number: Int) -> ReportedRun {
        var run = self
        run.dataset += " (data no. \(number))"
        return run
    }

    var model: String { options.model?.name ?? summary?.model ?? "unknown model" }
    var learningRate: Double { options.learningRate ?? 0 }
    var seed: UInt64 { options.seed ?? 0 }

    /// The names of the rules that watch.
    var shadows: [String] {
        guard let text = options.shadow else { return [] }
        return text == "all"
            ? BatchSizeRule.watching(fixedCost: options.fixedCost).map(\.name)
            : text.split(separator: ",").map(String.init)
    }

    /// The run's course; without points where its steps cannot be read.
    func course() -> RunCourse {
        guard curve.isEmpty, let directory else { return RunCourse(curve) }
        return RunCourse((try? RunCurve.points(ofSteps: directory.metricsFile)) ?? [])
    }

    /// Calls `body` with the run's steps, as far as they were written, until it returns false. Lines that are damaged, such as the last of a run that
    /// was killed, are left out; a file that cannot be read has none.
    func forEachRecord(_ body: (StepRecord) -> Bool) {
        guard let directory else {
            for record in StepRecord.records(of: curve) { guard body(record) else { return } }
            return
        }
        try? StepLines(directory.metricsFile).forEach { line throws(TrainingError) in
            line.flatMap(StepRecord.init).map(body) ?? true
        }
    }

    /// The last of these steps.
    var lastRecord: StepRecord? {
        guard let directory else { return StepRecord.records(of: curve).last }
        var last: StepRecord?
        try? StepLines(directory.metricsFile).forEachBackwards { line throws(TrainingError) in
            last = line.flatMap(StepRecord.init)
            return last == nil
        }
        return last
    }
}
