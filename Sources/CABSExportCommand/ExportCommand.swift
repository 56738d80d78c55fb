import ArgumentParser
import CABSExport
import CABSTerminal
import CABSTraining
import Foundation

/// The program.
@main
enum Program {
    static func main() async {
        StandardStream.prepare()
        await ExportCommand.main()
    }
}

/// `cabs export`, which hands over to this.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cabs export",
        abstract: "Write a trained network, or what a run measured, in the formats of other tools.",
        usage: "cabs export <run> [<options>]",
        discussion: """
            --onnx: one file from bytes, channels first, to probabilities, normalisation included. --hugging-face: a folder with \
            model.safetensors, config.json, model.py of plain PyTorch, and a model card. --tensorboard: events by examples seen, \
            a folder for each run of a grid.
            """)

    @Argument(help: "A run's folder, a checkpoint in it, or with --tensorboard the folder of a comparison.")
    var run: String

    @Option(help: ArgumentHelp("Write the network as ONNX, version 18 of its operators.", valueName: "file"))
    var onnx: String?

    @Option(help: ArgumentHelp("Write the network for Hugging Face's hub, and PyTorch.", valueName: "dir"))
    var huggingFace: String?

    @Option(help: ArgumentHelp("Write what was measured for TensorBoard.", valueName: "dir"))
    var tensorboard: String?

    @Flag(help: "Export the average of the parameters that the run kept.")
    var average = false

    @Flag(help: "With --tensorboard: go on until the runs have ended.")
    var follow = false

    func validate() throws {
        guard onnx != nil || huggingFace != nil || tensorboard != nil else {
            throw ValidationError("nothing to write; add --onnx, --hugging-face or --tensorboard")
        }
        guard !follow || tensorboard != nil else { throw ValidationError("--follow goes with --tensorboard") }
        guard !average || onnx != nil || huggingFace != nil else {
            throw ValidationError("--average goes with --onnx and --hugging-face")
        }
    }

    func run() async throws {
        if onnx != nil || huggingFace != nil { try exportNetwork() }
        if let tensorboard { try await exportEvents(to: URL(userPath: tensorboard)) }
    }

    private func exportNetwork() throws {
        let trained = try TrainedNetwork(at: URL(userPath: run)) { printWarning("\($0); taking the checkpoint before") }
        let (input, model) = (try trained.input(), try trained.model())
        var parameters = try trained.parameters(for: model, onConversion: printWarning)
        if average {
            guard let kept = trained.average else {
                throw ValidationError("the run kept no average of its parameters; leave out --average")
            }
            parameters = kept
        }
        try parameters.check(against: model)
        if let onnx {
            let file = URL(userPath: onnx)
            try ONNXFile(trained, model, input, parameters).write(to: file)
            try printResult("\(onnx): \(trained.configuration.model.name), \(model.parameterCount) parameters")
        }
        if let huggingFace {
            try HuggingFaceFolder(trained, model, input, parameters, isAverage: average).write(
                to: URL(userPath: huggingFace))
            try printResult("\(huggingFace): model.safetensors, config.json, config.yaml, model.py and README.md")
        }
    }

    private func exportEvents(to folder: URL) async throws {
        let url = URL(userPath: run)
        var exports: [String: EventExport] = [:]
        let places = try places(of: url, in: folder)
        while true {
            var areEnded = true
            for (run, place) in places {
                // Runs of a grid begin one after the other.
                guard FileManager.default.fileExists(atPath: run.metricsFile.path) else {
                    areEnded = false
                    continue
                }
                var export = try exports[place.path] ?? EventExport(run, to: place)
                areEnded = try export.update() && areEnded
                exports[place.path] = export
            }
            if areEnded || !follow { break }
            try await Task.sleep(for: .seconds(1))
        }
        try printResult(
            "\(folder.relativePath): \(exports.count) run\(exports.count == 1 ? "" : "s"); see them with "
                + "tensorboard --logdir \(ShellWord.quoted(folder.relativePath))")
    }

    /// The runs, and the folder that each one's events go to.
    private func places(of url: URL, in folder: URL) throws -> [(RunDirectory, URL)] {
        guard FileManager.default.fileExists(atPath: url.appending(path: Comparison.gridFileName).path) else {
            let run = RunDirectory(existing: url)
            guard FileManager.default.fileExists(atPath: run.metricsFile.path) else {
                throw TrainingError.unreadable(path: url.relativePath, reason: "it is neither a run nor a comparison")
            }
            return [(run, folder)]
        }
        let comparison = try Comparison(existing: url)
        return comparison.runs.map { run in
            let directory = comparison.directory(of: run)
            return (directory, folder.appending(path: directory.url.lastPathComponent))
        }
    }
}
