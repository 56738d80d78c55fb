import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs compare`.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Run a grid of batch-size rules by learning rates by seeds.",
        usage: "cabs compare <output> [<options>]",
        discussion: """
            The grid comes from a YAML file, from options, or from both. Called again with the same folder it goes on where it \
            stopped: runs that have ended are not made again. Called several times at once it makes as many runs at once, each on as many \
            threads as --workers says. Results are in results.csv; `cabs report` draws them. Options that \
            the grid does not vary are those of `cabs train`, the same for all runs; those of a rule are given with the rules of a file.
            """)

    @Argument(help: "The folder of the grid.")
    var output: String

    @Option(help: ArgumentHelp("The grid from a YAML file; options given here go before.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Batch-size rules, with commas between: \(BatchSizeRule.forms).", valueName: "rules"))
    var rules: String?

    @Option(help: ArgumentHelp("Learning rates, with commas between. (default: 0.1)", valueName: "rates"))
    var learningRates: String?

    @Option(help: ArgumentHelp("Seeds, with commas between. (default: 0)", valueName: "seeds"))
    var seeds: String?

    @Option(help: ArgumentHelp("Data sets, with commas between; see `cabs data`.", valueName: "names"))
    var datasets: String?

    @Option(help: ArgumentHelp("Models, with commas between.", valueName: "names"))
    var models: String?

    @OptionGroup(title: "Data") var data: DataArguments
    @OptionGroup(title: "Images") var images: ImageArguments
    @OptionGroup(title: "Model") var model: ModelArguments
    @OptionGroup(title: "Optimizer") var optimizer: OptimizerArguments
    @OptionGroup(title: "Measurement") var measurement: MeasurementArguments
    @OptionGroup(title: "Each run") var length: RunArguments
    @OptionGroup(title: "Several processes") var ranks: RankArguments

    @Flag(help: "Print warnings, errors and the results alone.")
    var quiet = false

    func run() async throws {
        // What differs otherwise, each run's own comparison finds.
        try await ranks.together(givenOptions) {
            try await run(in: $0)
        }
    }

    /// The options for all runs that were given here.
    private func givenOptions() throws -> TrainingOptions {
        var given = try TrainingOptions(properties: [data, images, model, optimizer, measurement, length])
        given.augment = try images.checkedChoice()
        return given
    }

    private func run(in team: RankTeam?) async throws {
        let grid = try checkingUsage { team.isFirst ? try mergedGrid(isShared: team != nil) : try givenGrid() }
        let comparison = try checkingUsage {
            try Comparison(grid, in: URL(userPath: output), team: team) { printWarning($0) }
        }
        let display = GridProgressDisplay(comparison.runs.count, isQuiet: quiet || !team.isFirst)
        Interruption.install()
        if team.isFirst {
            WorkerNotice.print(workers: comparison.runs.compactMap(\.configuration.options.workers).max() ?? 1)
        }
        var (rest, left) = (comparison.runs, try await make(comparison.runs, of: comparison, display, team))
        // What another process let go meanwhile.
        while !left.isEmpty, left.count < rest.count {
            (rest, left) = (left, try await make(left, of: comparison, display, team))
        }
        guard team.isFirst else { return }
        try comparison.writeResults()
        display.finish(
            left.isEmpty
                ? "all \(comparison.runs.count) runs have ended"
                : "\(left.count) of \(comparison.runs.count) runs are being made by other processes; the others have ended"
        )
        try printResult(try ComparisonTable(comparison.results()).text)
        try printResult("results \(comparison.url.appending(path: "results.csv").relativePath)")
    }

    /// Makes runs that have not ended, and tells which other processes are at.
    private func make(
        _ runs: [ComparisonGrid.Run], of comparison: Comparison, _ display: GridProgressDisplay, _ team: RankTeam?
    ) async throws -> [ComparisonGrid.Run] {
        var left: [ComparisonGrid.Run] = []
        for run in runs {
            do {
                let outcome = try await comparison.make(run) {
                    display.begin(run)
                } onEvent: {
                    display.show($0)
                } shouldStop: {
                    Interruption.isRequested
                }
                switch outcome {
                case .made: break
                case .madeBefore:
                    display.skip()
                    continue
                case .inUse:
                    left.append(run)
                    continue
                }
            } catch is RunInterruption {
                display.finish("stopped; the same command goes on from here")
                throw ExitCode(Interruption.exitCode)
            }
            guard team.isFirst else { continue }
            try comparison.writeResults()
            display.end(try comparison.directory(of: run).summary())
        }
        return left
    }

    /// The options that were given to this rank; the rest of the grid is the first one's.
    private func givenGrid() throws -> ComparisonGrid {
        var grid = ComparisonGrid(rules: [], learningRates: [])
        grid.options = try givenOptions()
        return grid
    }

    /// The grid that was begun in the folder, to go on with. The workers of one process would be too many for each of several ranks.
    private func begunGrid(isShared: Bool) throws -> ComparisonGrid? {
        let file = URL(userPath: output).appending(path: Comparison.gridFileName)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        var grid = try ComparisonGrid(contentsOf: file)
        if isShared { grid.options?.workers = nil }
        return grid
    }

    private func mergedGrid(isShared: Bool) throws -> ComparisonGrid {
        var grid =
            if let config {
                try ComparisonGrid(contentsOf: URL(userPath: config))
            } else if rules == nil, let begun = try begunGrid(isShared: isShared) {
                begun
            } else {
                ComparisonGrid(rules: [], learningRates: [0.1])
            }
        var options = grid.options ?? TrainingOptions()
        if let rules { grid.rules = split(rules).map { ComparisonGrid.Rule($0) } }
        // What is given here goes before what the file has for all runs, too.
        if let learningRates { grid.learningRates = try parse(learningRates, "learning rate", Double.init) }
        if let seeds { (grid.seeds, options.seed) = (try parse(seeds, "seed", { UInt64($0) }), nil) }
        if let datasets {
            (grid.datasets, options.dataset) = (try parse(datasets, "data set", DatasetName.init(rawValue:)), nil)
        }
        if let models {
            grid.models = try split(models).map { try ModelArgument(argument: $0).configuration() }
            options.model = nil
        }
        let given = try givenOptions()
        for (one, several) in [
            ("dataset", given.dataset != nil && datasets != nil), ("model", given.model != nil && models != nil),
            ("seed", given.seed != nil && seeds != nil),
        ] where several {
            throw ValidationError("--\(one) and --\(one)s exclude each other")
        }
        // One for all runs takes the place of several in the file.
        if given.dataset != nil { grid.datasets = nil }
        if given.model != nil { grid.models = nil }
        if given.seed != nil { grid.seeds = nil }
        grid.options = try options.overridden(by: given).options
        guard !grid.rules.isEmpty else {
            throw ValidationError("no rules to compare; add --rules, for example --rules cabs,constant:32,constant:128")
        }
        return grid
    }

    private func split(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    private func parse<Value>(_ text: String, _ what: String, _ read: (String) -> Value?) throws -> [Value] {
        try split(text).map { part in
            guard let value = read(part) else { throw ValidationError("\"\(part)\" is not a \(what)") }
            return value
        }
    }
}
