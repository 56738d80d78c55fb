import CABSTraining
import Foundation

/// What a run or a branch is known by, under whatever name its folder is given. Two that share a mark are one.
enum RunMark: Hashable {
    /// The folder itself, however it is named; of a run that is a line in a table, with the run's place there.
    case place(String, run: String)
    /// The options and the first step's line, which holds the time that the step took: no other run has both.
    case course(options: Data, beginning: Data)
    /// What the results of a grid keep of a run. Its time makes it this run's alone.
    case result(RunResult)
    /// What continuations have in common, and what came of them.
    case branch(Branching.Setting, [BranchResult])

    /// The mark of a folder.
    static func folder(_ url: URL, run: String = "") -> RunMark {
        .place(url.resolvingSymlinksInPath().standardizedFileURL.path, run: run)
    }
}

/// A line of a grid's results, as far as it says which run it is of.
struct RunResult: Hashable {
    private let names: [String]
    private let counts: [Int]
    private let values: [Double?]

    /// Nothing for a run that made no step: another one that made none is no copy of it.
    init?(_ run: ReportedRun) {
        guard let summary = run.summary, summary.trainingSeconds > 0 else { return nil }
        names = [summary.dataset, summary.model, summary.status.rawValue, "\(run.seed)"]
        counts = [summary.steps, summary.examples]
        values = [
            run.learningRate, summary.trainingSeconds, summary.trainingLoss, summary.testLoss, summary.testAccuracy,
        ]
    }
}

extension ReportedRun {
    /// What the run is known by.
    var marks: [RunMark] {
        let result = RunResult(self).map(RunMark.result)
        guard let directory else {
            let place = "\(dataset) \(model) \(rule) \(learningRate) \(seed)"
            return [keptIn.map { .folder($0, run: place) }, result].compactMap(\.self)
        }
        return [.folder(directory.url), course(of: directory), result].compactMap(\.self)
    }

    /// Where there is no step, what the run came to stands in its place.
    private func course(of directory: RunDirectory) -> RunMark? {
        guard let options = try? Data(contentsOf: directory.configurationFile) else { return nil }
        let beginning = StepLines(directory.metricsFile).firstText ?? (try? Data(contentsOf: directory.summaryFile))
        return beginning.map { .course(options: options, beginning: $0) }
    }

    /// Of two that are one run, the greater tells more: it has ended, its folder is there, its rule has the name that its comparison gives it.
    var completeness: Int { (summary == nil ? 0 : 4) + (directory == nil ? 0 : 2) + (isOfComparison ? 1 : 0) }
}

/// What options say of a run's data.
struct DataChoice: Hashable {
    private let dataset: String
    private let size: ImageSize?
    private let (channels, validation): (Int?, Int?)
    private let testFraction: Double?
    private let normalization: NormalizationName?

    init(_ run: ReportedRun) {
        let options = run.options
        (dataset, size, normalization) = (run.dataset, options.imageSize, options.normalize)
        (channels, validation, testFraction) = (options.channels, options.validation, options.testFraction)
    }
}
