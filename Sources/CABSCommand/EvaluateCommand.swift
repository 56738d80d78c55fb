import ArgumentParser
import CABSTraining
import Foundation

/// `cabs evaluate`.
struct EvaluateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Compute loss and accuracy on a data set's test examples.",
        usage: "cabs evaluate <path> [<options>]")

    @Argument(help: "A run's folder, or a safetensors file with parameters (then with --dataset and --model).")
    var path: String

    @Option(help: "The data set; the run's own where not given.")
    var dataset: DatasetName?

    @Option(help: ArgumentHelp("The folder of its files, or one that holds it.", valueName: "dir"))
    var data: String?

    @Option(help: ArgumentHelp("The model; the run's own where not given.", valueName: "name"))
    var model: ModelArgument?

    @Option(help: "Threads that compute. (default: one for each processor that may be used)")
    var workers: Int?

    func run() async throws {
        var given = TrainingOptions()
        given.dataset = dataset
        given.data = data
        given.model = try checkingUsage { try model?.configuration() }
        given.workers = workers
        let (options, file) = try optionsAndFile(given)
        let configuration = try checkingUsage { try TrainingConfiguration(options) }
        let training = try configuration.loadData()
        let network = try checkingUsage {
            let model = try configuration.makeModel(for: training)
            return try Network(
                model, loss: configuration.options.loss!, estimator: .unmeasured,
                workerCount: configuration.options.workers, parameters: Safetensors.read(file, for: model) { print($0) }
            )
        }
        let evaluation = try network.evaluate(DatasetBatch(all: training.test))
        print("\(configuration.model.name) on the \(evaluation.exampleCount) test examples of \(training.name)")
        print("test loss \(decimal(evaluation.meanLoss, 4))")
        print("test accuracy \(decimal(evaluation.accuracy, 4))")
    }

    /// The options to evaluate with, and the file of parameters.
    private func optionsAndFile(_ given: TrainingOptions) throws -> (TrainingOptions, URL) {
        let url = URL(filePath: path)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw TrainingError.unreadable(path: path, reason: "there is no such file or folder")
        }
        if isFolder.boolValue {
            let directory = RunDirectory(existing: url)
            var options = try TrainingOptions(contentsOf: directory.configurationFile)
            // Of the machine that trained, not of this one.
            options.workers = nil
            return (try options.overridden(by: given).options, directory.finalParametersFile)
        }
        guard dataset != nil, model != nil else {
            throw ValidationError("a parameter file says nothing of its data and model; add --dataset and --model")
        }
        return (given, url)
    }
}
