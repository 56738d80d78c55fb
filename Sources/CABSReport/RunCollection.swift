import CABSTraining
import Foundation

/// The runs that paths name, each once: by whatever path it is named, and however often it was copied.
struct RunCollection: Sendable {
    /// The folders that the paths name, each once.
    let folders: [URL]
    /// The runs that have begun.
    private(set) var runs: [ReportedRun] = []
    /// Continuations by several batch sizes.
    private(set) var branches: [Branching] = []
    /// What was named, and is here already, in words.
    private(set) var notes: [String] = []

    /// The places of runs and branches by what they are known by.
    private var indices: [RunMark: Int] = [:]
    /// Runs of comparisons that have begun, and those that have not. A comparison and its copies have one grid.
    private var (begun, pending): (Set<PlannedRun>, Set<PlannedRun>) = ([], [])

    /// A run that a grid has.
    private struct PlannedRun: Hashable {
        let grid: Data
        let identifier: String
    }

    /// Reads folders of runs, of comparisons and of branches.
    ///
    /// - Throws: ``ReportError`` for a folder that is none of these; `TrainingError` where a file in it is damaged.
    init(_ paths: [String]) throws {
        let urls = paths.map { URL(userPath: $0) }
        var seen: Set<RunMark> = []
        folders = urls.filter { seen.insert(.folder($0)).inserted }
        for (path, url) in zip(paths, urls) { try add(url, path) }
        setDataApart()
        setFoldersApart()
        try setApart()
    }

    /// The number of runs of comparisons that have not begun.
    var pendingCount: Int { pending.subtracting(begun).count }

    /// How much there is of what, for the page's title.
    var contents: String {
        [Self.words(runs.count, "run"), Self.words(branches.count, "branch", "branches")].compactMap(\.self)
            .joined(separator: " and ")
    }

    private static func words(_ count: Int, _ one: String, _ many: String? = nil) -> String? {
        count == 0 ? nil : "\(count) \(count == 1 ? one : many ?? "\(one)s")"
    }

    private mutating func add(_ url: URL, _ path: String) throws {
        func holds(_ name: String) -> Bool { FileManager.default.fileExists(atPath: url.appending(path: name).path) }
        if holds(Comparison.gridFileName) {
            if try !addComparison(url, path) { try addPublished(url, path) }
        } else if PublishedGrid.isOne(url) {
            try addPublished(url, path)
        } else if Branching.isOne(url) {
            try add(Branching(existing: url), url, path)
        } else if holds("config.yaml") {
            add([try ReportedRun(RunDirectory(existing: url))], path)
        } else {
            throw ReportError.notARun(path: path)
        }
    }

    /// Takes the runs of a comparison.
    ///
    /// - Returns: Whether there are any that have begun.
    private mutating func addComparison(_ url: URL, _ path: String) throws -> Bool {
        let comparison = try Comparison(existing: url)
        let grid = try Data(contentsOf: url.appending(path: Comparison.gridFileName))
        var found: [ReportedRun] = []
        var missing: Set<PlannedRun> = []
        for run in comparison.runs {
            let directory = comparison.directory(of: run)
            let plan = PlannedRun(grid: grid, identifier: run.identifier)
            guard FileManager.default.fileExists(atPath: directory.configurationFile.path) else {
                missing.insert(plan)
                continue
            }
            begun.insert(plan)
            found.append(try ReportedRun(directory, rule: run.rule, curve: comparison.writtenCurve(of: run)))
        }
        guard !found.isEmpty else { return false }
        pending.formUnion(missing)
        add(found, path)
        return true
    }

    /// Takes the runs of a grid of which only results and curves are kept.
    private mutating func addPublished(_ url: URL, _ path: String) throws {
        let published = PublishedGrid.isOne(url) ? try PublishedGrid.runs(in: url) : []
        guard !published.isEmpty else { throw ReportError.nothingToReport(path: path) }
        add(published.map { ReportedRun($0, keptIn: url) }, path)
    }

    /// Takes the runs of a path that are not here yet; those of one path differ. One that is, but tells less than the new one, gives its place to that.
    private mutating func add(_ found: [ReportedRun], _ path: String) {
        let earlier = indices
        var copyCount = 0
        for run in found {
            let marks = run.marks
            let known = marks.lazy.compactMap { earlier[$0] }.first
            let index = known ?? runs.count
            for mark in marks { indices[mark] = index }
            if known == nil {
                runs.append(run)
            } else {
                copyCount += 1
                if run.completeness > runs[index].completeness { runs[index] = run }
            }
        }
        if let words = Self.words(copyCount, "run") { note(words, copyCount, path) }
    }

    private mutating func add(_ branching: Branching, _ url: URL, _ path: String) throws {
        let marks = [RunMark.folder(url), .branch(branching.setting, try branching.results())]
        if marks.contains(where: { indices[$0] != nil }) {
            note("1 branch", 1, path)
        } else {
            for mark in marks { indices[mark] = branches.count }
            branches.append(branching)
        }
    }

    private mutating func note(_ words: String, _ count: Int, _ path: String) {
        notes.append(
            "\(words) in \(path) \(count == 1 ? "is" : "are") in folders named before, or \(count == 1 ? "a copy" : "copies") "
                + "of what is there; each counts once")
    }

    /// Numbers the data of runs that took other ones by the same name and options: they are not to be compared.
    private mutating func setDataApart() {
        let known = runs.indices.filter { runs[$0].data != nil }
        for group in Dictionary(grouping: known, by: { DataChoice(runs[$0]) }).values {
            var distinct: [String] = []
            for data in group.compactMap({ runs[$0].data }) where !distinct.contains(data) { distinct.append(data) }
            guard distinct.count > 1 else { continue }
            for index in group {
                runs[index] = runs[index].ofData(number: distinct.firstIndex(of: runs[index].data!)! + 1)
            }
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
        let kept = runs.indices.filter { runs[$0].keptIn != nil }
        let groups = Dictionary(grouping: kept) { [runs[$0].dataset, runs[$0].model, runs[$0].rule] }
        for group in groups.values {
            let isRepeated = Set(group.map { [runs[$0].learningRate, Double(runs[$0].seed)] }).count < group.count
            guard isRepeated else { continue }
            for index in group {
                let folder = runs[index].keptIn!.standardizedFileURL.lastPathComponent
                runs[index] = runs[index].named("\(runs[index].rule) (\(folder))")
            }
        }
    }
}
