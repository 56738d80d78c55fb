import CABSNetwork
import Foundation

/// A folder with the runs of a grid: `grid.yaml`, `runs/` with a folder for each run, `curves/` with a file for each, and `results.csv`.
///
/// A run that has ended, well or not, is never made again; one that was interrupted goes on at its last checkpoint. Several processes may work on
/// one folder, each on runs that none of the others is at.
public struct Comparison: Sendable {
    /// The folder.
    public let url: URL
    /// The grid's runs.
    public let runs: [ComparisonGrid.Run]
    /// The ranks that make each run together, where there are several. The folder is the first one's.
    private let team: RankTeam?

    /// The grid.
    public static let gridFileName = "grid.yaml"

    /// Makes the folder, or takes up one that a grid has been run in.
    ///
    /// The grid may have grown or changed since: runs that both have are kept.
    ///
    /// - Parameters:
    ///   - grid: The grid. Where several ranks make each run, it is the first one's for all; of another rank's count the options alone, in
    ///     the place of the first one's: its data may lie elsewhere, and it may have other workers.
    ///   - url: The folder.
    ///   - team: The ranks that make each run together, where there are several. The first one's data decide what counts.
    ///   - onNotice: Told of runs that have ended and could not be compared with what is there now.
    /// - Throws: ``TrainingError`` where the folder holds something else or cannot be written, or where a run in it that bears the
    ///   name of one of the grid had other options, data or first parameters; and what ``ComparisonGrid/runs(isShared:)`` throws.
    public init(
        _ grid: ComparisonGrid, in url: URL, team: RankTeam? = nil, onNotice: (String) -> Void = { _ in }
    ) throws {
        (self.url, self.team) = (url, team)
        guard team.isFirst else {
            let text = try team!.broadcast("")
            var shared = try ConfigurationFile.decode(ComparisonGrid.self, from: text, named: "the grid of rank 0")
            let own = grid.options ?? TrainingOptions()
            shared.options = try (shared.options ?? TrainingOptions()).overridden(by: own).options
            runs = try shared.runs(isShared: true)
            return
        }
        let settled = try Self.takeUp(grid, in: url, isShared: team != nil)
        runs = try settled.runs(isShared: team != nil)
        for run in runs { try checkOptions(of: run) }
        for notice in try compareEndedRuns() { onNotice(notice) }
        _ = try team?.broadcast(ConfigurationFile.text(of: settled))
    }

    /// Makes the folder where there is none, and writes the grid.
    private static func takeUp(_ grid: ComparisonGrid, in url: URL, isShared: Bool) throws -> ComparisonGrid {
        let gridFile = url.appending(path: gridFileName)
        // What another process has written that is about to write the grid.
        let beginnings = [RunLock.fileName, DurableFile.temporary(for: gridFile).lastPathComponent]
        if let contents = try? FileManager.default.contentsOfDirectory(atPath: url.path),
            contents.contains(where: { !beginnings.contains($0) })
        {
            guard FileManager.default.fileExists(atPath: gridFile.path) else {
                throw TrainingError.outputExists(path: url.path)
            }
        }
        try OutputFolder.make(at: url)
        let lock = try RunLock(url, waits: true)
        defer { withExtendedLifetime(lock) {} }
        let earlier =
            FileManager.default.fileExists(atPath: gridFile.path) ? try ComparisonGrid(contentsOf: gridFile) : nil
        let grid = try grid.settled(after: earlier, isShared: isShared)
        _ = try grid.runs(isShared: isShared)
        try DurableFile.write(Data(ConfigurationFile.text(of: grid).utf8), to: gridFile)
        return grid
    }

    /// Compares what runs that have ended were made of with what is there now.
    ///
    /// - Returns: What could not be compared.
    private func compareEndedRuns() throws(TrainingError) -> [String] {
        var check = EndedRunCheck()
        for run in runs {
            let directory = directory(of: run)
            if try directory.summary() != nil { try check.add(directory, run.configuration) }
        }
        return try check.notices()
    }

    /// Opens a folder that a grid has been run in, to read. Nothing is written.
    ///
    /// - Throws: ``TrainingError`` where there is no grid or it is damaged; and what ``ComparisonGrid/runs(isShared:)`` throws.
    public init(existing url: URL) throws {
        (self.url, team) = (url, nil)
        runs = try ComparisonGrid(contentsOf: url.appending(path: Self.gridFileName)).runs()
    }

    /// The folder of one run.
    public func directory(of run: ComparisonGrid.Run) -> RunDirectory {
        RunDirectory(existing: url.appending(path: "runs/\(run.identifier)"))
    }

    private func checkOptions(of run: ComparisonGrid.Run) throws {
        let directory = directory(of: run)
        let free = TrainingConfiguration.optionsBesideTheCourse(of: directory, isShared: team != nil)
        guard try directory.summary() != nil,
            let found = try? TrainingOptions(contentsOf: directory.configurationFile),
            let (option, before, now) = try run.configuration.options.differences(from: found)
                .first(where: { !free.contains($0.option) })
        else { return }
        throw TrainingError.contradiction(
            "\(directory.url.path) holds a run with other options than the grid's \(run.identifier): \(option) was \(before), and "
                + "is \(now); name another folder, or remove that run's")
    }

    /// Whether a run has come to its end. Of several ranks all must ask.
    func hasEnded(_ run: ComparisonGrid.Run) throws -> Bool {
        guard let team else { return try directory(of: run).summary() != nil }
        return try team.broadcast(directory(of: run).summary() != nil)
    }

    /// What became of a run that was to be made.
    public enum Outcome: Sendable, Hashable {
        /// It was made to its end.
        case made
        /// It had ended before.
        case madeBefore
        /// Another process is at it.
        case inUse
    }

    /// Makes a run, from its beginning or its last checkpoint, unless it has ended or another process is at it. One that diverges is recorded as such.
    ///
    /// - Parameters:
    ///   - run: The run.
    ///   - onBegin: Called when it is certain that the run will be made, before its data are read.
    ///   - onEvent: Called after each step, evaluation and checkpoint.
    ///   - shouldStop: Asked after each step: whether to stop, with a checkpoint.
    /// - Throws: ``RunInterruption``, and what setting up and making a run throw, but for divergence.
    @discardableResult public func make(
        _ run: ComparisonGrid.Run, onBegin: () -> Void = {}, onEvent: (TrainingRun.Event) -> Void = { _ in },
        shouldStop: () -> Bool = { false }
    ) async throws -> Outcome {
        // Without its lock: an ended run may be in a folder that can only be read.
        if try hasEnded(run) { return .madeBefore }
        let prepared: TrainingRun
        do {
            guard let run = try await takeUp(run, onBegin, onEvent) else { return .madeBefore }
            prepared = run
        } catch TrainingError.inUse where team == nil {
            return .inUse
        }
        do {
            _ = try await prepared.run(onEvent: onEvent, shouldStop: shouldStop)
        } catch let error as TrainingError {
            guard case .diverged = error else { throw error }
        }
        return .made
    }

    /// The run, whose folder this process has from here on; nothing where it has ended. One process after the other does this, or they could take
    /// an ended run up again, or remove what another is about to begin.
    private func takeUp(
        _ run: ComparisonGrid.Run, _ onBegin: () -> Void, _ onEvent: (TrainingRun.Event) -> Void
    ) async throws -> TrainingRun? {
        let lock = team.isFirst ? try RunLock(url, waits: true) : nil
        defer { withExtendedLifetime(lock) {} }
        let folder = directory(of: run).url
        if team.isFirst, FileManager.default.fileExists(atPath: folder.path) {
            // Whoever makes the run has this lock to its end; only without it the question that follows has an answer that lasts.
            let probe = try RunLock(folder)
            withExtendedLifetime(probe) {}
        }
        if try hasEnded(run) { return nil }
        onBegin()
        return try await prepare(run, onEvent)
    }

    private func prepare(
        _ run: ComparisonGrid.Run, _ onEvent: (TrainingRun.Event) -> Void
    ) async throws -> TrainingRun {
        let directory = directory(of: run)
        // Of an earlier run of that name.
        if team.isFirst { try? FileManager.default.removeItem(at: curveFile(of: run)) }
        if try canGoOn(directory, run) {
            do {
                return try await TrainingRun(resuming: directory, with: run.configuration.options, team: team) {
                    onEvent(.damagedCheckpoint($0))
                }
            } catch TrainingError.otherData {
                // Checkpoints of data that have changed since are of no more use.
            }
        }
        if team.isFirst, FileManager.default.fileExists(atPath: directory.url.path) {
            // What an interrupted run left, and no other process works on; all of it is ours.
            let lock = try RunLock(directory.url)
            try? FileManager.default.removeItem(at: directory.url)
            withExtendedLifetime(lock) {}
        }
        return try TrainingRun(run.configuration, output: directory.url, team: team)
    }

    /// Whether there is a checkpoint to go on from: whole, and not of a grid that has changed since.
    private func canGoOn(_ directory: RunDirectory, _ run: ComparisonGrid.Run) throws -> Bool {
        func find() throws -> Bool {
            guard directory.hasCheckpoint else { return false }
            do {
                let stored = try TrainingOptions(contentsOf: directory.configurationFile)
                let before = try TrainingConfiguration(stored, isShared: team != nil)
                try run.configuration.checkContinuation(of: before, in: directory, isShared: team != nil)
                // Where the file is gone that it began with, it is what it was.
                if let parameters = try directory.origin()?.initialParameters,
                    let now = try? RunOrigin.InitialParameters(run.configuration.options), now != parameters
                {
                    return false
                }
                _ = try directory.checkpoints.newest { _ in }
                return true
            } catch let error as TrainingError {
                switch error {
                case .noCheckpoint, .resumesDifferently: return false
                default: throw error
                }
            }
        }
        guard let team else { return try find() }
        return try team.broadcast(find())
    }

    /// The results of all runs that have ended, in the grid's order.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where a summary is damaged.
    public func results() throws(TrainingError) -> [GridResult] {
        var results: [GridResult] = []
        for run in runs {
            guard let summary = try directory(of: run).summary() else { continue }
            results.append(GridResult(run, summary))
        }
        return results
    }

    /// The table of results.
    static let resultsFileName = "results.csv"

    /// Where a run's curve is, in the folder.
    static func curvePath(_ identifier: String) -> String { "curves/\(identifier).csv" }

    private func curveFile(of run: ComparisonGrid.Run) -> URL { url.appending(path: Self.curvePath(run.identifier)) }

    /// The curve that was written of a run; without points where none was, or that of another run which was in the folder before.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file, or the run's summary, is damaged.
    public func writtenCurve(of run: ComparisonGrid.Run) throws(TrainingError) -> [RunCurve.Point] {
        let points = try RunCurve.points(in: curveFile(of: run))
        guard let end = points.last, let summary = try directory(of: run).summary() else { return [] }
        return end.examples == summary.examples && end.trainingSeconds == summary.trainingSeconds ? points : []
    }

    /// Writes `results.csv`, and a curve of each run that has none of its own yet: ``RunCurve``.
    ///
    /// - Throws: ``TrainingError``.
    public func writeResults() throws(TrainingError) {
        let lock = try RunLock(url, waits: true)
        defer { withExtendedLifetime(lock) {} }
        for run in runs {
            guard try directory(of: run).summary() != nil, try writtenCurve(of: run).isEmpty else { continue }
            let file = curveFile(of: run)
            try OutputFolder.make(at: file.deletingLastPathComponent())
            let points = try RunCurve.points(ofSteps: directory(of: run).metricsFile)
            try DurableFile.write(Data(RunCurve.text(points).utf8), to: file)
        }
        let lines = [GridResult.columns.joined(separator: ",")] + (try results().map(\.line))
        try DurableFile.write(
            Data((lines.joined(separator: "\n") + "\n").utf8), to: url.appending(path: Self.resultsFileName))
    }
}

/// One run's line in the table of results.
public struct GridResult: Sendable {
    /// The run's rule, as the grid calls it.
    public let rule: String
    /// The run's options.
    public let configuration: TrainingConfiguration
    /// What it came to.
    public let summary: RunSummary

    init(_ run: ComparisonGrid.Run, _ summary: RunSummary) {
        rule = run.rule
        configuration = run.configuration
        self.summary = summary
    }

    /// What a run is told by, beside its numbers.
    private static let names = ["dataset", "model", "rule", "learning_rate", "seed", "status"]

    /// The table's columns.
    static let columns = names + RunColumn.all.map(\.key)

    /// The values in the order of ``columns``, in quotation marks where a name needs them (RFC 4180).
    var line: String {
        let names = [
            summary.dataset, CSVText.quoted(summary.model), CSVText.quoted(rule),
            configuration.options.learningRate.map { "\($0)" } ?? "", "\(configuration.options.seed ?? 0)",
            summary.status.rawValue,
        ]
        return (names + RunColumn.all.map { $0.text(summary) }).joined(separator: ",")
    }
}
