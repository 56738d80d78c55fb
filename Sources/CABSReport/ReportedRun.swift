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
        self.rule = rule ?? options.batchSize ?? BatchSizeRule.cabs.name
        (self.directory, self.curve) = (directory, curve)
    }

    /// Takes a run of a grid of which only the results and curves are kept.
    init(_ run: PublishedGrid.Run) {
        var options = TrainingOptions()
        options.dataset = DatasetName(rawValue: run.summary.dataset)
        options.model = try? ModelConfiguration(name: run.summary.model)
        options.batchSize = (try? BatchSizeRule(run.rule))?.name
        (options.learningRate, options.seed) = (run.learningRate, run.seed)
        (self.options, rule, summary) = (options, run.rule, run.summary)
        (confusion, measurement, divergence, directory, curve) = (nil, nil, nil, nil, run.curve)
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

    var dataset: String { options.dataset?.rawValue ?? summary?.dataset ?? "unknown data" }
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

    /// The run's steps, as far as they were written.
    func records() -> [StepRecord] {
        directory.map { StepRecord.read($0.metricsFile) } ?? StepRecord.records(of: curve)
    }
}

/// The runs that paths name.
struct RunCollection: Sendable {
    /// The runs that have begun.
    private(set) var runs: [ReportedRun] = []
    /// The number of runs of comparisons that have not.
    private(set) var pendingCount = 0
    /// Continuations by several batch sizes.
    private(set) var branches: [Branching] = []
    /// The folders of grids of which only results and curves are kept, by the places of their runs.
    private var folders: [Int: String] = [:]

    /// Reads folders of runs, of comparisons and of branches.
    ///
    /// - Throws: ``ReportError`` for a folder that is none of these; `TrainingError` where a file in it is damaged.
    init(_ paths: [String]) throws {
        for path in Self.distinct(paths) { try add(path) }
        setFoldersApart()
        try setApart()
    }

    /// How much there is of what, for the page's title.
    var contents: String {
        func words(_ count: Int, _ one: String, _ many: String) -> String? {
            count == 0 ? nil : "\(count) \(count == 1 ? one : many)"
        }
        return [words(runs.count, "run", "runs"), words(branches.count, "branch", "branches")].compactMap(\.self)
            .joined(separator: " and ")
    }

    /// Paths without those that name a folder once more.
    static func distinct(_ paths: [String]) -> [String] {
        var seen: Set<String> = []
        return paths.filter {
            seen.insert(URL(userPath: $0).resolvingSymlinksInPath().standardizedFileURL.path).inserted
        }
    }

    /// Names what runs of one rule, model and data set differ in, so that only repetitions bear the same name.
    private mutating func setApart() throws {
        let indices = Dictionary(grouping: runs.indices) { [runs[$0].dataset, runs[$0].model, runs[$0].rule] }
        for group in indices.values {
            let distinctions = try TrainingOptions.distinctions(among: group.map { runs[$0].options })
            for (index, distinction) in zip(group, distinctions) where !distinction.isEmpty {
                runs[index] = runs[index].named("\(runs[index].rule) (\(distinction))")
            }
        }
    }

    /// Names runs of which only results are kept by their folders, where two of these have the same run: they tell no options by which it might
    /// be another one.
    private mutating func setFoldersApart() {
        let indices = Dictionary(grouping: folders.keys) { [runs[$0].dataset, runs[$0].model, runs[$0].rule] }
        for group in indices.values {
            let isRepeated = Set(group.map { [runs[$0].learningRate, Double(runs[$0].seed)] }).count < group.count
            guard isRepeated else { continue }
            for index in group { runs[index] = runs[index].named("\(runs[index].rule) (\(folders[index]!))") }
        }
    }

    /// Takes the runs of a grid of which only results and curves are kept.
    private mutating func addPublished(_ url: URL, _ path: String) throws {
        let published = PublishedGrid.isOne(url) ? try PublishedGrid.runs(in: url) : []
        guard !published.isEmpty else { throw ReportError.nothingToReport(path: path) }
        let name = url.standardizedFileURL.lastPathComponent
        for run in published {
            folders[runs.count] = name
            runs.append(ReportedRun(run))
        }
    }

    private mutating func add(_ path: String) throws {
        let url = URL(userPath: path)
        func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: url.appending(path: name).path) }
        if holds(Comparison.gridFileName) {
            let comparison = try Comparison(existing: url)
            let begun = comparison.runs.filter {
                FileManager.default.fileExists(atPath: comparison.directory(of: $0).configurationFile.path)
            }
            guard begun.isEmpty else {
                runs += try begun.map { run in
                    try ReportedRun(
                        comparison.directory(of: run), rule: run.rule, curve: comparison.writtenCurve(of: run))
                }
                pendingCount += comparison.runs.count - begun.count
                return
            }
            try addPublished(url, path)
        } else if PublishedGrid.isOne(url) {
            try addPublished(url, path)
        } else if Branching.isOne(url) {
            branches.append(try Branching(existing: url))
        } else if holds("config.yaml") {
            runs.append(try ReportedRun(RunDirectory(existing: url)))
        } else {
            throw ReportError.notARun(path: path)
        }
    }
}
