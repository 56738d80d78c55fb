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
            try HuggingFaceFolder(trained, model, input, parameters).write(to: URL(userPath: huggingFace))
            try printResult("\(huggingFace): model.safetensors, config.json, config.yaml, model.py and README.md")
        }
    }

    private func exportEvents(to folder: URL) async throws {
        let url = URL(userPath: run)
        var exports: [EventExport]
        if FileManager.default.fileExists(atPath: url.appending(path: Comparison.gridFileName).path) {
            let comparison = try Comparison(existing: url)
            let runs = comparison.runs.map { comparison.directory(of: $0) }
                .filter { FileManager.default.fileExists(atPath: $0.metricsFile.path) }
            exports = try runs.map { try EventExport($0, to: folder.appending(path: $0.url.lastPathComponent)) }
        } else {
            exports = [try EventExport(RunDirectory(existing: url), to: folder)]
        }
        while true {
            var areEnded = true
            for index in exports.indices { areEnded = try exports[index].update() && areEnded }
            if areEnded || !follow { break }
            try await Task.sleep(for: .seconds(1))
        }
        try printResult(
            "\(folder.relativePath): \(exports.count) run\(exports.count == 1 ? "" : "s"); see them with "
                + "tensorboard --logdir \(ShellWord.quoted(folder.relativePath))")
    }
}
