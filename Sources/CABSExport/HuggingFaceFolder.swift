import CABSTraining
import Foundation

/// A network as a folder that Hugging Face's hub takes: `model.safetensors`, `config.json`, `model.py`, `config.yaml`, which repeats the run,
/// and a model card.
public struct HuggingFaceFolder {
    private let files: [(name: String, content: Data)]
    private let parameters: ParameterSet

    /// Puts the folder together.
    ///
    /// - Parameters:
    ///   - trained: The network.
    ///   - model: Its model.
    ///   - input: What it must be given.
    ///   - parameters: Its parameters.
    ///   - isAverage: Whether they are the average that the run kept.
    /// - Throws: ``ExportError/layerNotKnown(name:kind:)``, and an encoding error, which only a defect can cause.
    public init(
        _ trained: TrainedNetwork, _ model: Model, _ input: InputDescription, _ parameters: ParameterSet,
        isAverage: Bool = false
    ) throws {
        let configuration = trained.configuration
        // As the run has it, but for the place of the author's data.
        var options =
            try trained.directory.map { try TrainingOptions(contentsOf: $0.configurationFile) } ?? configuration.options
        options.data = nil
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        files = [
            ("config.json", try encoder.encode(Description(configuration, input)) + Data("\n".utf8)),
            ("config.yaml", Data(try options.yaml().utf8)),
            ("model.py", Data(try PyTorchModule(model, input, loss: configuration.options.loss!).text.utf8)),
            ("README.md", Data(ModelCard(trained, model, input, isAverage: isAverage).text.utf8)),
        ]
        self.parameters = parameters
    }

    /// Writes the folder.
    ///
    /// - Parameter folder: It must not exist, or be empty.
    /// - Throws: ``ExportError/exists(path:)``, `TrainingError/unwritable(path:reason:)`.
    public func write(to folder: URL) throws {
        let contents = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
        guard contents?.isEmpty ?? !FileManager.default.fileExists(atPath: folder.path) else {
            throw ExportError.exists(path: folder.path)
        }
        try OutputFolder.make(at: folder)
        try Safetensors.write(
            parameters, metadata: ["format": "pt"], to: folder.appending(path: "model.safetensors"))
        for (name, content) in files { try DurableFile.write(content, to: folder.appending(path: name)) }
    }

    /// What `config.json` holds.
    private struct Description: Encodable {
        let architectures = ["Network"]
        let modelType = "swift-cabs"
        let model: ModelConfiguration
        let loss: Loss
        let input: InputDescription
        let id2label: [String: String]?
        let label2id: [String: Int]?

        init(_ configuration: TrainingConfiguration, _ input: InputDescription) {
            model = configuration.model
            loss = configuration.options.loss!
            self.input = input
            guard !input.predictsValues else {
                (id2label, label2id) = (nil, nil)
                return
            }
            let names = (0..<input.targetCount).map { ("\($0)", input.className($0)) }
            id2label = Dictionary(uniqueKeysWithValues: names)
            label2id = Dictionary(names.map { ($1, Int($0)!) }) { first, _ in first }
        }

        private enum CodingKeys: String, CodingKey {
            case architectures, model, loss, input, id2label, label2id
            case modelType = "model_type"
        }
    }
}
