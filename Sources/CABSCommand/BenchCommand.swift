import ArgumentParser
import CABSTraining
import Foundation

/// `cabs bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Time training steps on random images.",
        usage: "cabs bench [<options>]",
        discussion: """
            One step is forward, backward, gradient statistics and update. Prints the median over the repeats.
            """)

    @Option(help: ArgumentHelp("Models, with commas between.", valueName: "names"))
    var models = "cifar10-2conv-3dense,mnist-2conv-2dense"

    @Option(help: ArgumentHelp("Batch sizes, with commas between.", valueName: "sizes"))
    var batchSizes = "16,64,256,1024"

    @Option(help: "How the gradient variance is measured.")
    var estimator: GradientEstimator = .exact

    @Option(help: "Threads that compute. (default: one for each core)")
    var workers: Int?

    @Option(help: "How many steps are timed, after one that is not.")
    var repeats = 7

    @Flag(help: "Print a line of JSON for each model and batch size.")
    var json = false

    func run() async throws {
        guard (1...100_000).contains(repeats) else {
            throw ValidationError("\(repeats) repeats are not possible; use 1 to 100000")
        }
        let sizes = try batchSizes.split(separator: ",").map { text in
            guard let size = Int(text), (1...10_000_000).contains(size) else {
                throw ValidationError("the batch size \"\(text)\" is not a whole number from 1 to 10000000")
            }
            return size
        }
        let names = try models.split(separator: ",").map { text in
            guard let name = ModelName(rawValue: String(text)) else {
                throw ValidationError(ModelError.unknownModel(String(text)).description)
            }
            return name
        }
        if !json { print("model                   batch   ms/step  examples/s  peak MB") }
        for name in names {
            for size in sizes { print(try measure(name, batchSize: size)) }
        }
    }

    private func measure(_ name: ModelName, batchSize: Int) throws -> String {
        let model = try name.model(input: name.benchmarkInput, outputCount: 10)
        let network = try checkingUsage {
            try Network(model, estimator: estimator, workerCount: workers)
        }
        let batch = RandomBatch(model, count: batchSize)
        let descent = GradientDescent(learningRate: 0.01)
        let clock = ContinuousClock()
        _ = try network.step(on: batch, descent)
        let times = try (0..<repeats).map { _ in
            try clock.measure { _ = try network.step(on: batch, descent) }
        }
        let median = times.sorted()[times.count / 2]
        let milliseconds = Double(median.components.attoseconds) * 1e-15 + Double(median.components.seconds) * 1e3
        let rate = Double(batchSize) / milliseconds * 1e3
        let memory = peakMemory()
        if json {
            return """
                {"model": "\(name.rawValue)", "batch_size": \(batchSize), "estimator": "\(estimator.rawValue)", \
                "workers": \(network.workerCount), "milliseconds_per_step": \(decimal(milliseconds, 3)), \
                "examples_per_second": \(decimal(rate, 1)), "peak_memory_bytes": \(memory)}
                """
        }
        return name.rawValue.padding(toLength: 22, withPad: " ", startingAt: 0)
            + String(format: "%7d %9.2f %11.0f %8.0f", batchSize, milliseconds, rate, Double(memory) / 1e6)
    }

    private func decimal(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }

    /// The largest resident size of this process so far, in bytes.
    private func peakMemory() -> Int {
        var usage = rusage()
        #if os(Linux)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return usage.ru_maxrss * 1024
        #else
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #endif
    }
}

extension ModelName {
    /// The images that a benchmark feeds the model.
    fileprivate var benchmarkInput: ExampleShape {
        switch self {
        case .cifar10TwoConvThreeDense: .image(height: 24, width: 24, channels: 3)
        case .cifar10EightConvTwoDense: .image(height: 32, width: 32, channels: 3)
        case .mnistTwoConvTwoDense, .logisticRegression: .image(height: 28, width: 28, channels: 1)
        case .mlp: .image(height: 8, width: 8, channels: 1)
        }
    }
}

/// Random images and classes.
private struct RandomBatch: ExampleBatch {
    let count: Int
    let firstDraw: UInt64 = 0
    private let inputs: [Float]
    private let labels: [Int]

    init(_ model: Model, count: Int) {
        self.count = count
        // A few images serve again and again: their number changes nothing about the work.
        var random = RandomStream(seed: 0, purpose: .augmentation, index: 0)
        inputs = (0..<(model.inputShape.count * min(count, 64))).map { _ in Float(random.nextNormal()) }
        labels = (0..<count).map { _ in random.nextInteger(below: model.outputCount) }
    }

    func copyExample(at position: Int, input: inout [Float], target: inout [Float]) {
        let first = position % 64 * input.count
        for index in input.indices { input[index] = inputs[first + index] }
        for index in target.indices { target[index] = 0 }
        target[labels[position]] = 1
    }
}
