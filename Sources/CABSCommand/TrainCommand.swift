import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs train`.
struct TrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model.",
        usage: "cabs train [<options>]",
        discussion: """
            Without options: mnist-2conv-2dense on Fashion-MNIST for six epochs at learning rate 0.2, with CABS; on the \
            digits that come with this program, with mlp, where Fashion-MNIST is missing.
            """)

    @OptionGroup(title: "Data") var data: DataArguments
    @OptionGroup(title: "Images") var images: ImageArguments
    @OptionGroup(title: "Model") var model: ModelArguments
    @OptionGroup(title: "Optimizer") var learningRate: LearningRateArguments
    @OptionGroup(title: "Optimizer") var optimizer: OptimizerArguments
    @OptionGroup(title: "Batch size") var rule: RuleArguments
    @OptionGroup(title: "Batch size") var measurement: MeasurementArguments
    @OptionGroup(title: "Run") var length: RunArguments
    @OptionGroup(title: "Files") var places: PlaceArguments
    @OptionGroup(title: "Several processes") var ranks: RankArguments

    @Flag(help: "Print warnings and errors alone.")
    var quiet = false

    func run() async throws {
        try await ranks.together(optionsToCompare) { try await run(in: $0) }
    }

    private func run(in team: RankTeam?) async throws {
        let training = try await makeRun(in: team)
        let display = ProgressDisplay(training.configuration.length, isQuiet: quiet || !team.isFirst)
        if team.isFirst {
            WorkerNotice.print(workers: training.trainer.workerCount)
            display.start(training)
        }
        Interruption.install()
        do {
            let summary = try await training.run {
                display.show($0)
            } shouldStop: {
                Interruption.isRequested
            }
            display.finish(summary, in: training.directory)
        } catch let interruption as RunInterruption {
            display.finish(interruption, in: training.directory)
            throw ExitCode(Interruption.exitCode)
        }
    }

    /// What must be the same on all ranks.
    private func optionsToCompare() throws -> TrainingOptions {
        try places.resume == nil ? checkingUsage { try mergedOptions() } : checkingUsage { try givenOptions() }
    }

    private func makeRun(in team: RankTeam?) async throws -> TrainingRun {
        let traceFile = places.trace.map { URL(userPath: $0) }
        if let folder = places.resume {
            guard places.config == nil, places.output == nil else {
                throw ValidationError(
                    "--resume goes on in the run's own folder with its options; leave out --config and --output")
            }
            let given = try checkingUsage { try givenOptions() }
            do {
                let run = try await TrainingRun(
                    resuming: RunDirectory(existing: URL(userPath: folder)), with: given, traceFile: traceFile,
                    team: team, onDamage: { printWarning("\($0); taking the checkpoint before") },
                    onConversion: printWarning)
                if run.startsFromBeginning, team.isFirst {
                    printWarning("\(folder) has no checkpoint yet; restarting from the beginning")
                }
                return run
            } catch {
                return try checkingUsage { throw error }
            }
        }
        let configuration = try checkingUsage { try TrainingConfiguration(mergedOptions(), isShared: team != nil) }
        let reading = ReadingDisplay()
        defer { reading.finish() }
        let showsReading = !quiet && team.isFirst
        return try checkingUsage {
            try TrainingRun(
                configuration, output: places.output.map { URL(userPath: $0) }, traceFile: traceFile, team: team,
                onConversion: printWarning, onProgress: showsReading ? reading.show : nil)
        }
    }

    /// The options of the configuration file, if there is one, with those of the command line in their place.
    private func mergedOptions() throws -> TrainingOptions {
        let given = try givenOptions()
        guard let file = places.config else { return given }
        let (options, omitted) = try TrainingOptions(contentsOf: URL(userPath: file)).overridden(by: given)
        if !omitted.isEmpty {
            printWarning(
                "\(omitted.joined(separator: ", ")) of \(file) would mean nothing with the options given here; left out"
            )
        }
        return options
    }

    private func givenOptions() throws -> TrainingOptions {
        var given = try TrainingOptions(properties: [
            data, images, model, learningRate, optimizer, rule, measurement, length,
        ])
        given.augment = try images.checkedChoice()
        return given
    }
}

/// Where a run's options come from, and what it leaves.
struct PlaceArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Options from a YAML file; those given here go before.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Go on with the run in this folder from its last checkpoint; its length may grow.", valueName: "dir"))
    var resume: String?

    @Option(help: ArgumentHelp("The run's folder. (default: one below runs)", valueName: "dir"))
    var output: String?

    @Option(help: ArgumentHelp("Write each step to this file too, as a line of JSON.", valueName: "file"))
    var trace: String?
}
