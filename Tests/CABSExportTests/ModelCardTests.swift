import CABSTraining
import Foundation
import Testing

@testable import CABSExport

/// The numbers and names of a folder for Hugging Face's hub, beside the files of the run that it was made of.
@Suite(.timeLimit(.minutes(10))) struct ModelCardTests {
    private static func object(_ file: URL) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    }

    /// JSON with its keys in order.
    private static func text(_ object: Any?) throws -> String {
        let object = try #require(object)
        return String(decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self)
    }

    /// The rows of a card's table, by their names.
    private static func rows(_ card: String) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: card.matches(of: /\n\| ([^|]+) \| ([^|]+) \|/).map { (String($0.1), String($0.2)) }
                .filter { $0.0 != "---" })
    }

    @Test(arguments: [false, true]) func `a folder for the hub has the run's numbers`(isAverage: Bool) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "cabs-export-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var options = TrainingOptions()
        (options.dataset, options.workers, options.steps) = (.digits, 1, 30)
        (options.average, options.learningRate, options.weightDecay, options.seed) = ("swa", 0.07, 0.003, 5)
        let run = try TrainingRun(TrainingConfiguration(options), output: folder.appending(path: "run"))
        _ = try await run.run()
        let trained = try TrainedNetwork(at: run.directory.url)
        let model = try trained.model()
        let parameters = try isAverage ? #require(trained.average) : trained.parameters(for: model)
        let hub = folder.appending(path: "hub")
        try HuggingFaceFolder(trained, model, trained.input(), parameters, isAverage: isAverage).write(to: hub)

        // Readers of other frameworks ask for whom the tensors are.
        let tensors = try Data(contentsOf: hub.appending(path: "model.safetensors"))
        let length = tensors.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: tensors[8..<8 + length]) as? [String: Any]
        #expect((header?["__metadata__"] as? [String: Any])?["format"] as? String == "pt")

        let summary = try Self.object(run.directory.summaryFile)
        func value(_ key: String) throws -> Double { try #require(summary[key] as? Double, "\(key)") }
        let card = try String(contentsOf: hub.appending(path: "README.md"), encoding: .utf8)
        let rows = Self.rows(card)
        func number(_ name: String) throws -> Double { try #require(rows[name].flatMap(Double.init), "\(rows)") }
        let part = isAverage ? "average_test" : "test"
        #expect(try value("test_loss") != value("average_test_loss"))
        #expect(try abs(number("test accuracy") - value("\(part)_accuracy")) <= 0.5001e-4)
        #expect(try abs(number("test loss") - value("\(part)_loss")) <= 0.5001e-4)
        #expect(try abs(number("training loss, over the last tenth") - value("training_loss")) <= 0.5001e-4)
        #expect(try number("examples drawn") == value("examples") && number("steps") == 30)
        let metrics = try String(contentsOf: run.directory.metricsFile, encoding: .utf8).split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let sizes = try [#require(metrics.first?["batch_size"]), #require(metrics.last?["next_batch_size"])]
        #expect(rows["batch size, first and last"] == "\(sizes[0]), \(sizes[1])")
        let index = try #require(
            card.firstMatch(of: /{type: accuracy, value: ([0-9.]+)}/).flatMap { Double($0.output.1) })
        #expect(try abs(index - value("\(part)_accuracy")) < 1e-12)
        for text in ["learning rate 0.07 ", "weight decay 0.003 ", "seed 5.", "pipeline_tag: image-classification"] {
            #expect(card.contains(text), "\(text)")
        }

        // Its parameters, and how many there are.
        let written = try Safetensors.read(hub.appending(path: "model.safetensors"))
        let final = isAverage ? run.directory.finalAverageFile : run.directory.finalParametersFile
        let expected = try Safetensors.read(final)
        #expect(written.names.sorted() == expected.names.sorted())
        for name in expected.names { #expect(written[name] == expected[name], "\(name)") }
        let count = expected.elements.reduce(0) { $0 + $1.tensor.values.count }
        #expect(card.contains("A network of \(count) parameters"))

        // What goes in, and what classes are called.
        let config = try Self.object(hub.appending(path: "config.json"))
        let input = try Self.object(run.directory.inputFile)
        #expect(try Self.text(config["input"]) == Self.text(input))
        let names = try #require(config["id2label"] as? [String: String])
        let classes = input["classes"] as? [String] ?? (0..<10).map(String.init)
        #expect(names == Dictionary(uniqueKeysWithValues: classes.enumerated().map { ("\($0)", $1) }))
        #expect(
            config["label2id"] as? [String: Int]
                == Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) }))
        #expect(config["loss"] as? String == "softmax-cross-entropy" && config["model"] as? String == "mlp")
        let repeated = try TrainingOptions(contentsOf: hub.appending(path: "config.yaml"))
        #expect(
            repeated.learningRate == 0.07 && repeated.weightDecay == 0.003 && repeated.average?.hasPrefix("swa") == true
        )
    }
}
