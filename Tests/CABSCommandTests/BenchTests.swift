import CABSTraining
import Foundation
import Testing

/// `cabs bench`, as Benchmarks/bench.py uses it.
@Suite(.timeLimit(.minutes(10))) struct BenchTests {
    private static func lines(_ arguments: [String], in folder: URL? = nil) throws -> [[String: Any]] {
        let result = try CommandTests.run(["bench", "--json"] + arguments, in: folder)
        #expect(result.code == 0, "\(result.errors)")
        return try result.output.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }

    private static let modelFile = """
        layers:
          - conv2d: {filters: 3, kernel-size: 3}
          - tanh
          - average-pool2d: {pool-size: 2}
          - flatten
          - dense: {units: 7}
        """

    @Test func `each model, size and estimator has a line with the peers' keys and what it was made with`() throws {
        let lines = try Self.lines([
            "--models", "mlp", "--batch-sizes", "4,8", "--estimator", "exact,none", "--workers", "1", "--warm-up", "3",
            "--repeats", "2",
        ])
        #expect(lines.map { $0["batch_size"] as? Int } == [4, 4, 8, 8])
        #expect(lines.map { $0["estimator"] as? String } == ["exact", "none", "exact", "none"])
        for line in lines {
            for key in ["milliseconds_per_step", "examples_per_second", "peak_memory_bytes", "nominal_gigaflops"] {
                #expect((line[key] as? Double ?? 0) > 0, "\(key)")
            }
            #expect(line["warm_up"] as? Int == 3)
            #expect(line["repeats"] as? Int == 2)
            #expect(line["instruction_set"] as? String == InstructionSet.effective.rawValue)
            #expect((line["onednn"] as? String)?.split(separator: ".").count == 3)
            #expect(line["roofline_gigaflops"] == nil && line["phase_milliseconds"] == nil)
            let losses = try #require(line["first_losses"] as? [Double])
            #expect(losses.count == 2 && losses[1] < losses[0])
        }
        #expect(lines[0]["first_losses"] as? [Double] == lines[1]["first_losses"] as? [Double])
        #expect((lines[0]["second_moment"] as? Double ?? 0) > 0)
        #expect(lines[1]["second_moment"] == nil)
    }

    @Test func `phases and matrix product are measured where asked for`() throws {
        let line = try #require(
            try Self.lines(["--models", "mlp", "--batch-sizes", "4", "--phases", "--roofline"]).first)
        #expect((line["phase_milliseconds"] as? [String: Double])?.count == StepPhase.allCases.count)
        #expect((line["roofline_gigaflops"] as? Double ?? 0) > 0)
    }

    @Test func `a model of layers takes its outputs from its last layer, and needs the images' size`() throws {
        try CommandTests.withFolder { folder in
            try Data(Self.modelFile.utf8).write(to: folder.appending(path: "small.yaml"))
            let arguments = ["--models", "small.yaml,mlp", "--batch-sizes", "4", "--repeats", "1"]
            let lines = try Self.lines(arguments + ["--input", "6x4x2"], in: folder)
            #expect(lines.map { $0["model"] as? String } == ["small", "mlp"])
            #expect(lines.map { $0["batch_bytes"] as? Int } == [4 * (48 * 4 + 8), 4 * (48 * 4 + 8)])

            let without = try CommandTests.run(["bench"] + arguments, in: folder)
            #expect(without.code == 64 && without.errors.contains("small.yaml does not say"), "\(without.errors)")
            #expect(without.errors.contains("add --input, such as --input 28x28x1"))
            let flat = try CommandTests.run(["bench"] + arguments + ["--input", "1x1x2"], in: folder)
            #expect(flat.code == 64 && flat.errors.contains("averagePool1"), "\(flat.errors)")
            let table = try CommandTests.run(["bench"] + arguments + ["--input", "6x4x2"], in: folder)
            #expect(table.output.split(separator: "\n").map { $0.prefix(8) } == ["model   ", "small   ", "mlp     "])
        }
    }

    @Test func `the work is written down: first parameters, distinct images, classes, layers, learning rate`() throws {
        try CommandTests.withFolder { folder in
            try Data(Self.modelFile.utf8).write(to: folder.appending(path: "small.yaml"))
            let arguments = ["--models", "small.yaml", "--input", "6x4x2", "--batch-sizes", "100"]
            let result = try CommandTests.run(["bench", "--export", "work"] + arguments, in: folder)
            #expect(result.code == 0 && result.output == "work work/small-100.safetensors\n", "\(result.errors)")
            let work = try Safetensors.read(folder.appending(path: "work/small-100.safetensors"))
            #expect(
                work.names == ["conv1.weight", "conv1.bias", "dense1.weight", "dense1.bias", "x", "y"])
            let (x, y) = (try #require(work["x"]), try #require(work["y"]))
            #expect(x.shape == [100, 2, 6, 4] && y.shape == [100])
            let images = Set((0..<100).map { Array(x.values[($0 * 48)..<(($0 + 1) * 48)]) })
            #expect(images.count == 100)
            #expect(Set(y.values) == Set((0..<7).map(Float.init)))

            // Whoever reads it comes to the loss that the benchmark tells.
            let model = try TrainingOptions.model(contentsOf: folder.appending(path: "small.yaml"))
                .model(input: .image(height: 6, width: 4, channels: 2), outputCount: 7, seed: 0)
            let network = try Network(
                model, parameters: ParameterSet(work.elements.filter { !["x", "y"].contains($0.name) }))
            let loss = try network.evaluate(WrittenBatch(x: x, y: y)).meanLoss
            let line = try #require(try Self.lines(arguments + ["--repeats", "1"], in: folder).first)
            let first = try #require((line["first_losses"] as? [Double])?.first)
            #expect(abs(loss - first) < 1e-6 * first)
        }
    }

    @Test func `steps that make no update are not timed`() throws {
        try CommandTests.withFolder { folder in
            let model = "layers:\n  - flatten\n  - dense: {units: 7, weights: {truncated-normal: 1e38}}\n"
            try Data(model.utf8).write(to: folder.appending(path: "huge.yaml"))
            let result = try CommandTests.run(["bench", "--models", "huge.yaml", "--input", "9x9x9"], in: folder)
            #expect(result.code == 1 && result.errors.contains("makes no update"), "\(result.errors)")
        }
    }

    @Test(arguments: [
        (["--batch-sizes", "16,x"], "\"x\""),
        (["--models", "resnet"], "resnet"),
        (["--models", "mlp", "--repeats", "0"], "0 repeats"),
        (["--warm-up", "0"], "0 steps of warm-up"),
        (["--warm-up", "1000000"], "1000000 steps of warm-up"),
        (["--input", "28x28"], "\"28x28\" is no size of images"),
        (["--input", "28x28xgrey"], "\"28x28xgrey\" is no size"),
        (["--input", "0x28x1"], "\"0x28x1\" is no size"),
        (["--models", "cifar10-2conv-3dense", "--input", "99999x99999x9"], "than 2147483648 values"),
        (["--estimator", "roughly"], "roughly"),
        (["--workers", "0"], "\"0\" is not a number of workers"),
    ])
    func `wrong usage ends with 64`(arguments: [String], mentions: String) throws {
        let result = try CommandTests.run(["bench"] + arguments)
        #expect(result.code == 64, "\(result.errors)")
        let first = try #require(result.errors.split(separator: "\n").first)
        #expect(first.hasPrefix("Error: ") && first.contains(mentions), "\(result.errors)")
    }

    @Test(arguments: [
        (["--models", "missing.yaml", "--input", "6x4x2"], "missing.yaml"),
        (["--models", "garbage.yaml", "--input", "6x4x2"], "garbage.yaml"),
        (["--models", "mlp", "--batch-sizes", "4", "--export", "garbage.yaml/work"], "cannot write"),
    ])
    func `bad files end with 1`(arguments: [String], mentions: String) throws {
        try CommandTests.withFolder { folder in
            try Data("no layers here: [".utf8).write(to: folder.appending(path: "garbage.yaml"))
            let result = try CommandTests.run(["bench"] + arguments, in: folder)
            #expect(result.code == 1 && result.errors.contains(mentions), "\(result.errors)")
        }
    }
}

/// The examples of a file of work.
private struct WrittenBatch: ExampleBatch {
    let x: Tensor
    let y: Tensor
    let firstDraw: UInt64 = 0
    var count: Int { y.values.count }
    let target = TargetSpecification.classes(7)

    func write(_ position: Int, into slot: inout ExampleSlot) throws {
        let first = position * slot.inputCount
        try slot.setInput(x.values[first..<first + slot.inputCount])
        try slot.setClass(Int(y.values[position]))
    }
}
