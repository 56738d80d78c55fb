import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs evaluate`.
struct EvaluateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Compute loss and accuracy on a data set's test examples.",
        usage: "cabs evaluate <path> [<options>]")

    @Argument(
        help:
            "A run's folder, a checkpoint in it, or another safetensors file with parameters (then with --dataset and --model)."
    )
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

    @Flag(
        help:
            "Show the accuracy of each class, and what is taken for what; of a run that has ended also into its folder, where cabs report finds it."
    )
    var confusion = false

    func run() async throws {
        let trained = try checkingUsage {
            try TrainedNetwork(at: URL(userPath: path), with: givenOptions()) {
                printWarning("\($0); taking the checkpoint before")
            }
        }
        let data = try trained.evaluationData(isGiven: dataset != nil || self.data != nil)
        data.notices.forEach(printWarning)
        let network = try checkingUsage {
            try trained.network(
                for: trained.configuration.makeModel(for: data.examples, of: data.name), onConversion: printWarning)
        }
        let batch = DatasetBatch(all: data.examples)
        let evaluation = try network.evaluate(batch)
        if let notice = evaluation.unsoundNotice("evaluated") { printWarning(notice) }
        try printResult(
            "\(trained.configuration.model.name) on \(data)"
                + (trained.state.isEmpty ? "" : ", \(trained.state)"))
        try printResult("test loss \(decimal(evaluation.meanLoss, 4))")
        if !data.predictsValues { try printResult("test accuracy \(decimal(evaluation.accuracy, 4))") }
        if confusion {
            let found = try checkingUsage { try Confusion(of: network, on: data) }
            for line in ConfusionTable(confusion: found).lines { try printResult(line) }
            // What is found of other data, or of an earlier state, is not the run's.
            if let directory = trained.directory, trained.summary != nil, isOfOwnData {
                if try trained.wasTested(on: data) {
                    try directory.write(found)
                    try printResult(
                        "in \(directory.confusionFile.relativePath); cabs report shows it with the worst mistakes")
                } else {
                    printWarning("the data have changed since the run was made; the table is not kept with it")
                }
            }
        }
        guard let average = trained.average else { return }
        try checkingUsage { try network.load(average) }
        let ofAverage = try network.evaluate(batch)
        try printResult(
            "of the average of the parameters: test loss \(decimal(ofAverage.meanLoss, 4))"
                + (data.predictsValues ? "" : ", test accuracy \(decimal(ofAverage.accuracy, 4))"))
    }

    private func givenOptions() throws -> TrainingOptions {
        var given = try TrainingOptions(properties: [images])
        given.augment = try images.checkedChoice()
        given.dataset = dataset
        given.data = data
        given.model = try model?.configuration()
        given.loss = loss
        given.workers = workers
        return given
    }

    /// Whether nothing is given that makes other examples than the run's.
    private var isOfOwnData: Bool {
        dataset == nil && data == nil && images.imageSize == nil && images.augment == nil && images.normalize == nil
            && images.channels == nil && !images.noAugment
    }
}
