import CABSTraining
import Foundation
import SwiftProtobuf
import Testing

@testable import CABSExport
@testable import CABSNetwork

/// That every layer has words in both formats; that these mean what our layers do, scripts/check-export shows with onnxruntime and PyTorch.
@Suite(.timeLimit(.minutes(10))) struct NetworkExportTests {
    private static func layers() -> [any Layer] {
        [
            Conv2D(filters: 4, kernelSize: 4, stride: 2, padding: .same), GroupNorm(groups: 2), SiLU(),
            Residual(layers: [Conv2D(filters: 4, kernelSize: 3, padding: .same), GELU()]), LeakyReLU(),
            MaxPool2D(poolSize: 2), AveragePool2D(poolSize: 2, stride: 1, padding: .same), ReLU(), LayerNorm(),
            GlobalAveragePool2D(), Dropout(rate: 0.5), Dense(units: 6), Tanh(), Sigmoid(), Dense(units: 3),
        ]
    }

    private static func trained(_ normalization: Normalization) throws -> (TrainedNetwork, InputDescription) {
        var options = TrainingOptions()
        options.dataset = .digits
        options.model = .layers(layers().map { LayerConfiguration($0) })
        let input = InputDescription(
            shape: .image(height: 9, width: 10, channels: 3), normalization: normalization, targetCount: 3,
            classNames: ["a", "b \"c\"", "d"])
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
        defer { try? FileManager.default.removeItem(at: file) }
        let model = try Model(input: input.shape, layers: layers())
        try Safetensors.write(model.initialParameters(), to: file)
        return (try TrainedNetwork(at: file, with: options), input)
    }

    @Test func `every layer has words in both formats`() {
        // A block stands for the layers in it, and for their sum.
        for type in LayerConfiguration.layerTypes where type.kind != Residual.kind {
            #expect(type is any ONNXLayer.Type, "\(type.kind)")
            #expect(type is any PyTorchLayer.Type, "\(type.kind)")
        }
    }

    @Test(arguments: [Normalization.unit(), .image, .channel(means: [1, 2, 3], deviations: [4, 5, 6])])
    func `a graph reads only what was written before it`(normalization: Normalization) throws {
        let (trained, input) = try Self.trained(normalization)
        let model = try Model(input: input.shape, layers: Self.layers())
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).onnx")
        defer { try? FileManager.default.removeItem(at: file) }
        try ONNXFile(trained, model, input, model.initialParameters()).write(to: file)
        let written = try ONNXModel(serializedBytes: Data(contentsOf: file))
        let graph = written.graph
        var known = Set(graph.initializer.map(\.name) + graph.input.map(\.name))
        for node in graph.node {
            #expect(known.isSuperset(of: node.input), "\(node.name)")
            #expect(known.isDisjoint(with: node.output), "\(node.name)")
            known.formUnion(node.output)
        }
        #expect(known.isSuperset(of: graph.output.map(\.name)))
        #expect(Set(model.parameters.map(\.name)).isSubset(of: graph.initializer.map(\.name)))
        for tensor in graph.initializer {
            let count = tensor.dims.reduce(1, *)
            #expect(tensor.rawData.count == Int(count) * (tensor.dataType == .float ? 4 : 8), "\(tensor.name)")
        }
        #expect(written.opsetImport.map(\.version) == [18])
        #expect(graph.input[0].type.tensorType.elemType == .uint8)
        let names = try #require(written.metadataProps.first { $0.key == "classes" })
        #expect(try JSONDecoder().decode([String].self, from: Data(names.value.utf8)) == ["a", "b \"c\"", "d"])
    }

    @Test func `a folder for the hub is whole and nothing is overwritten`() throws {
        let (trained, input) = try Self.trained(.unit())
        let model = try Model(input: input.shape, layers: Self.layers())
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let export = try HuggingFaceFolder(trained, model, input, model.initialParameters())
        try export.write(to: folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["README.md", "config.json", "config.yaml", "model.py", "model.safetensors"])
        #expect(throws: ExportError.self) { try export.write(to: folder) }
        let card = try String(contentsOf: folder.appending(path: "README.md"), encoding: .utf8)
        #expect(card.contains("\n## Use\n"))
        let module = try String(contentsOf: folder.appending(path: "model.py"), encoding: .utf8)
        for (name, _) in model.parameters {
            #expect(module.contains("self.\(name.split(separator: ".")[0]) = nn."), "\(name)")
        }
        let config = try #require(
            JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "config.json")))
                as? [String: Any])
        #expect((config["id2label"] as? [String: String])?["1"] == "b \"c\"")
        #expect(try Safetensors.read(folder.appending(path: "model.safetensors")).names.count == model.parameters.count)
    }
}
