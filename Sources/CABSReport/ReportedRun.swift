import CABSTraining
import Foundation

/// A run that a report tells of.
struct ReportedRun: Sendable {
    /// How a run stands.
    enum Status: String {
        case finished, diverged, unfinished
    }

    /// What tables and figures call the run's batch-size rule.
    let rule: String
    /// The run's options.
    let options: TrainingOptions
    /// What it came to; nothing where it has not ended.
    let summary: RunSummary?
    /// Its folder.
    let directory: RunDirectory

    /// Reads a run's folder.
    ///
    /// - Parameters:
    ///   - directory: The folder.
    ///   - rule: The rule's name; the options' own where not given.
    /// - Throws: `TrainingError` where the configuration or the summary is damaged.
    init(_ directory: RunDirectory, rule: String? = nil) throws {
        options = try TrainingOptions(contentsOf: directory.configurationFile)
        summary = try directory.summary()
        self.rule = rule ?? options.batchSize ?? BatchSizeRule.cabs.name
        self.directory = directory
    }

    var status: Status {
        switch summary?.status {
        case .finished: .finished
        case .diverged: .diverged
        case nil: .unfinished
        }
    }

    var dataset: String { options.dataset?.rawValue ?? summary?.dataset ?? "unknown data" }
    var model: String { options.model?.name ?? summary?.model ?? "unknown model" }
    var learningRate: Double { options.learningRate ?? 0 }
    var seed: UInt64 { options.seed ?? 0 }

    /// The names of the rules that watch.
    var shadows: [String] {
        guard let text = options.shadow else { return [] }
        return text == "all" ? BatchSizeRule.adaptive.map(\.name) : text.split(separator: ",").map(String.init)
    }

    /// The run's steps, as far as they were written.
    func records() -> [StepRecord] { StepRecord.read(directory.metricsFile) }
}

/// The runs that paths name.
struct RunCollection: Sendable {
    /// The runs that have begun.
    private(set) var runs: [ReportedRun] = []
    /// The number of runs of comparisons that have not.
    private(set) var pendingCount = 0

    /// Reads folders of runs and of comparisons.
    ///
    /// - Throws: ``ReportError`` for a folder that is neither; `TrainingError` where a file in it is damaged.
    init(_ paths: [String]) throws {
        for path in paths { try add(path) }
    }

    private mutating func add(_ path: String) throws {
        let url = URL(userPath: path)
        func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: url.appending(path: name).path) }
        if holds(Comparison.gridFileName) {
            let comparison = try Comparison(existing: url)
            let begun = comparison.runs.filter {
                FileManager.default.fileExists(atPath: comparison.directory(of: $0).configurationFile.path)
            }
            guard !begun.isEmpty else { throw ReportError.nothingToReport(path: path) }
            runs += try begun.map { try ReportedRun(comparison.directory(of: $0), rule: $0.rule) }
            pendingCount += comparison.runs.count - begun.count
        } else if holds("config.yaml") {
            runs.append(try ReportedRun(RunDirectory(existing: url)))
        } else {
            throw ReportError.notARun(path: path)
        }
    }
}
