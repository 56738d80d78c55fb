import CABSTraining
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct SafetensorsTests {
    static let parameters = ParameterSet([
        ("b.weight", Tensor(shape: [2, 3], values: [1, -2, 3.5, .infinity, -0.0, 0x1p-140])),
        ("a.bias", Tensor(shape: [1], values: [7])),
        ("empty", Tensor(shape: [0, 4], values: [])),
    ])

    @Test func `what is written is read`() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "p.safetensors")
        try Safetensors.write(Self.parameters, to: file)
        let read = try Safetensors.read(file)
        for (name, tensor) in Self.parameters.elements { #expect(read[name] == tensor) }
        #expect(read.names.count == 3)
    }

    /// Those that Python's struct, json and zlib make: Resources/parameters.py.
    @Test func `the bytes are those of the format`() throws {
        let expected = try #require(
            Bundle.module.url(forResource: "parameters", withExtension: "safetensors", subdirectory: "Resources"))
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "p.safetensors")
        try Safetensors.write(Self.parameters, metadata: ["note": "kept"], to: file)
        #expect(try Data(contentsOf: file) == Data(contentsOf: expected))
        for (name, tensor) in try Safetensors.read(expected).elements { #expect(Self.parameters[name] == tensor) }
    }

    /// A file with that header and so many bytes of values.
    static func file(_ header: String, valueBytes: Int, announced: UInt64? = nil) -> Data {
        var data = withUnsafeBytes(of: (announced ?? UInt64(header.utf8.count)).littleEndian) { Data($0) }
        data.append(Data(header.utf8))
        data.append(Data(count: valueBytes))
        return data
    }

    @Test func `metadata is passed over`() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "p")
        try Self.file(
            #"{"__metadata__":{"format":"pt"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, valueBytes: 8
        ).write(to: file)
        #expect(try Safetensors.read(file).names == ["x"])
    }

    @Test(arguments: [
        Data(), Data([1, 2, 3]), file("{}", valueBytes: 0, announced: .max), file("{}", valueBytes: 0, announced: 3),
        file("[]", valueBytes: 0), file("{", valueBytes: 0), file(#"{"x":3}"#, valueBytes: 0),
        file(#"{"x":{"dtype":"F8","shape":[2],"data_offsets":[0,4]}}"#, valueBytes: 4),
        file(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, valueBytes: 4),
        file(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, valueBytes: 4),
        file(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, valueBytes: 8),
        file(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, valueBytes: 8),
        file(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[]}}"#, valueBytes: 8),
        file(#"{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, valueBytes: 8),
        file(#"{"x":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,8]}}"#, valueBytes: 8),
    ])
    func `hostile files are refused`(data: Data) throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "p")
        try data.write(to: file)
        #expect(throws: TrainingError.self) { try Safetensors.read(file) }
    }
}

@Suite(.timeLimit(.minutes(10))) struct ConfigurationTests {
    @Test func `a complete configuration repeats itself`() throws {
        let folder = try TemporaryFolder()
        var options = TrainingOptions()
        options.dataset = .digits
        options.learningRate = 0.25
        options.steps = 12
        options.model = .layers([
            LayerConfiguration(Conv2D(filters: 3, kernelSize: 3, stride: 2, padding: .valid, weights: .glorot)),
            LayerConfiguration(ReLU()), LayerConfiguration(MaxPool2D(poolSize: 2, stride: 1, padding: .same)),
            LayerConfiguration(AveragePool2D(poolSize: 2)), LayerConfiguration(Tanh()), LayerConfiguration(Sigmoid()),
            LayerConfiguration(Flatten()), LayerConfiguration(Dropout(rate: 0.5)),
            LayerConfiguration(
                Dense(units: 10, weights: .truncatedNormal(standardDeviation: 0.125), biases: .constant(0.5))),
        ])
        let complete = try TrainingConfiguration(options).options
        let file = try folder.write(complete.yaml(), as: "config.yaml")
        let again = try TrainingConfiguration(TrainingOptions(contentsOf: file)).options
        #expect(try again.yaml() == complete.yaml())
        #expect(again.steps == 12 && again.epochs == nil)
        let model = try TrainingConfiguration(again).makeModel(for: DatasetName.digits.load())
        #expect(model.layers.map(\.name).prefix(3) == ["conv1", "relu1", "maxPool1"])
        #expect(model.parameters[0].specification.shape == [3, 1, 3, 3])
    }

    @Test(arguments: [
        ("learning-rte: 1", "learning-rte"), ("model: resnet", "resnet"), ("dataset: imagenet", "dataset"),
        ("steps: many", "steps"), ("model: {layers: [{dense: {unit: 3}}]}", "unit"),
        ("model: {layers: [{dense: {}}]}", "units"), ("model: {layers: [batch-norm]}", "mixes the examples"),
        ("model: {layers: [swish]}", "swish"), ("model: {layers: [{relu: {slope: 1}}]}", "slope"),
        ("model: {layers: [{dense: {units: 3, weights: {truncated-normal: -1}}}]}", "standard deviation"),
        ("model: {layers: [{conv2d: {filters: 3, kernel-size: 3, padding: full}}]}", "padding"),
        ("a: [", ""), ("- x", ""),
    ])
    func `a configuration file that is wrong is refused with the place`(text: String, mentions: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(text, as: "c.yaml")
        let error = #expect(throws: TrainingError.self) { try TrainingOptions(contentsOf: file) }
        let description = try #require(error).description
        #expect(description.contains(file.path))
        #expect(mentions.isEmpty || description.contains(mentions), "\(description)")
        #expect(!description.contains("Context("), "\(description)")
    }

    @Test func `contradictions are refused`() throws {
        func refuse(_ change: (inout TrainingOptions) -> Void, _ location: SourceLocation = #_sourceLocation) {
            var options = TrainingOptions()
            options.dataset = .digits
            change(&options)
            #expect(throws: (any Error).self, sourceLocation: location) { try TrainingConfiguration(options) }
        }
        refuse { ($0.steps, $0.epochs) = (1, 1) }
        refuse { ($0.steps, $0.examples) = (1, 1) }
        refuse { $0.steps = 0 }
        refuse { $0.epochs = -1 }
        refuse { $0.firstExample = 3 }
        refuse { ($0.batchSize, $0.minimumBatchSize) = ("constant:8", 4) }
        refuse { $0.batchSize = "constant:x" }
        refuse { $0.batchSize = "big" }
        refuse { ($0.minimumBatchSize, $0.maximumBatchSize) = (9, 8) }
        refuse { $0.estimator = GradientEstimator.unmeasured }
        refuse { $0.workers = 0 }
        refuse { $0.evaluateEvery = 0 }
        refuse { $0.learningRateSchedule = "step:x:2" }
        refuse { $0.learningRateSchedule = "linear" }
        refuse { $0.learningRate = 0 }
        refuse { $0.weightDecay = -1 }
        refuse { $0.smoothing = 1 }
    }
}

@Suite(.timeLimit(.minutes(10))) struct RunTests {
    static func options() -> TrainingOptions {
        var options = TrainingOptions()
        options.dataset = .digits
        options.steps = 30
        options.workers = 2
        options.evaluateEvery = 10
        return options
    }

    @Test func `a run's folder holds what repeats and what came out`() async throws {
        let folder = try TemporaryFolder()
        let output = folder.url.appending(path: "run")
        let trace = folder.url.appending(path: "trace.jsonl")
        let run = try TrainingRun(TrainingConfiguration(Self.options()), output: output, traceFile: trace)
        var evaluations = 0
        let summary = try await run.run { if case .evaluation = $0 { evaluations += 1 } }
        #expect(evaluations == 3)
        #expect(summary.steps == 30)
        let directory = RunDirectory(existing: output)
        let metrics = try String(contentsOf: directory.metricsFile, encoding: .utf8)
        #expect(try String(contentsOf: trace, encoding: .utf8) == metrics)
        let lines = try metrics.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Double])
        }
        #expect(lines.count == 30)
        for key in [
            "step", "batch_size", "loss", "loss_average", "variance", "variance_average", "batch_size_raw",
            "next_batch_size",
        ] { #expect(lines.allSatisfy { $0[key] != nil }, "\(key)") }
        #expect(lines.filter { $0["test_accuracy"] != nil }.compactMap { $0["step"] } == [9, 19, 29])

        let again = folder.url.appending(path: "again")
        let repeated = try TrainingRun(
            TrainingConfiguration(TrainingOptions(contentsOf: directory.configurationFile)), output: again)
        _ = try await repeated.run()
        #expect(
            try Safetensors.read(directory.finalParametersFile)
                == Safetensors.read(RunDirectory(existing: again).finalParametersFile))
    }

    @Test func `estimators are compared beside a run and leave it as it is`() async throws {
        let folder = try TemporaryFolder()
        var options = Self.options()
        (options.steps, options.evaluateEvery) = (6, nil)
        options.model = .layers([
            LayerConfiguration(Conv2D(filters: 4, kernelSize: 3)), LayerConfiguration(ReLU()),
            LayerConfiguration(Flatten()), LayerConfiguration(Dense(units: 10)),
        ])
        func finalParameters(_ name: String) async throws -> (ParameterSet, RunDirectory) {
            let run = try TrainingRun(TrainingConfiguration(options), output: folder.url.appending(path: name))
            _ = try await run.run()
            return (try Safetensors.read(run.directory.finalParametersFile), run.directory)
        }
        let (plain, _) = try await finalParameters("plain")
        options.compareEstimators = 2
        let (compared, directory) = try await finalParameters("compared")
        #expect(compared == plain)
        let lines = try String(contentsOf: directory.estimatorsFile, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines {
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let parameters = try #require(object["parameters"] as? [String: [String: Double]])
            let total = try #require(object["variance"] as? [String: Double])
            for estimator in ["exact", "reference"] {
                let sum = parameters.values.reduce(0) { $0 + $1[estimator]! }
                #expect(abs(sum - total[estimator]!) < 1e-6 * sum)
            }
            // Dense layers are exact in both; convolutions are not.
            let (dense, convolution) = (parameters["dense1.weight"]!, parameters["conv1.weight"]!)
            #expect(abs(dense["exact"]! / dense["reference"]! - 1) < 1e-4)
            #expect(abs(convolution["exact"]! / convolution["reference"]! - 1) > 1e-2)
        }
    }

    @Test func `a folder that holds something is left alone`() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("mine", as: "notes.txt")
        #expect(throws: TrainingError.outputExists(path: folder.url.path)) {
            try TrainingRun(TrainingConfiguration(Self.options()), output: folder.url)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["notes.txt"])
    }
}
