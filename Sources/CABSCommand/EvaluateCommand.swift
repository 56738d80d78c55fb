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

    @OptionGroup(title: "Images") var images: ImageArguments

    @Option(help: "Threads that compute. (default: one for each processor that may be used)")
    var workers: Int?

    @Option(help: "What is computed as loss; the run's own where not given, else softmax-cross-entropy.")
    var loss: Loss?

    func run() async throws {
        var given = try TrainingOptions(properties: [images])
        given.augment = try images.checkedChoice()
        given.dataset = dataset
        given.data = data
        given.model = try checkingUsage { try model?.configuration() }
        given.loss = loss
        given.workers = workers
        let subject = try subject(given)
        let configuration = try checkingUsage { try TrainingConfiguration(subject.options) }
        let training = try configuration.loadData()
        let network = try checkingUsage {
            let model = try configuration.makeModel(for: training)
            return try Network(
                model, loss: configuration.options.loss!, estimator: .unmeasured,
                workerCount: configuration.options.workers, parameters: subject.parameters(model))
        }
        let batch = DatasetBatch(all: training.test)
        let evaluation = try network.evaluate(batch)
        try printResult(
            "\(configuration.model.name) on the \(evaluation.exampleCount) test examples of \(training.name)\(subject.description)"
        )
        try printResult("test loss \(decimal(evaluation.meanLoss, 4))")
        try printResult("test accuracy \(decimal(evaluation.accuracy, 4))")
        guard let average = subject.average else { return }
        try checkingUsage { try network.load(average) }
        let ofAverage = try network.evaluate(batch)
        try printResult(
            "of the average of the parameters: test loss \(decimal(ofAverage.meanLoss, 4)), test accuracy \(decimal(ofAverage.accuracy, 4))"
        )
    }

    /// What is evaluated.
    private struct Subject {
        let options: TrainingOptions
        /// Which parameters these are, as far as the file or folder says.
        let description: String
        let parameters: (Model) throws -> ParameterSet
        /// Their average, where there is one.
        var average: ParameterSet?
    }

    private func subject(_ given: TrainingOptions) throws -> Subject {
        let url = URL(userPath: path)
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw TrainingError.unreadable(path: path, reason: "there is no such file or folder")
        }
        if url.isFolder { return try subject(RunDirectory(existing: url), given) }
        guard dataset != nil, model != nil else {
            throw ValidationError("a parameter file says nothing of its data and model; add --dataset and --model")
        }
        return Subject(options: given, description: "") { model in
            try Safetensors.read(url, for: model, onConversion: printWarning)
        }
    }

    private func subject(_ directory: RunDirectory, _ given: TrainingOptions) throws -> Subject {
        var options = try TrainingOptions(contentsOf: directory.configurationFile)
        // Of the machine that trained, not of this one.
        options.workers = nil
        let newest = try directory.newestParameters { printWarning("\($0); taking the checkpoint before") }
        let state =
            switch newest.status {
            case .finished: ""
            case .diverged: " (the run diverged later)"
            case nil: " (the run has not ended)"
            }
        return Subject(
            options: try options.overridden(by: given).options,
            description: ", after \(newest.stepCount) steps\(state)",
            parameters: { _ in newest.parameters }, average: newest.average)
    }
}
