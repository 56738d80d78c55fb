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
            One step is forward, backward, gradient statistics and update. Prints the median over the repeats. Several \
            estimators or numbers of workers take turns step by step, so that they can be compared on a machine whose speed \
            drifts. The roofline is the rate of oneDNN's own matrix product, 2048 cubed, on as many threads. The peak \
            memory is that of the whole process so far.
            """)

    @Option(help: ArgumentHelp("Models, with commas between.", valueName: "names"))
    var models = "cifar10-2conv-3dense,mnist-2conv-2dense"

    @Option(help: ArgumentHelp("Batch sizes, with commas between.", valueName: "sizes"))
    var batchSizes = "16,64,256,1024"

    @Option(help: ArgumentHelp("How the gradient variance is measured, with commas between.", valueName: "estimators"))
    var estimator = "exact"

    @Option(
        help: ArgumentHelp("Threads that compute, with commas between. (default: one for each core)", valueName: "n"))
    var workers: String?

    @Option(help: "How many steps are timed, after one that is not.")
    var repeats = 7

    @Flag(help: "Print a line of JSON for each.")
    var json = false

    @Flag(help: "Show where the time goes, phase by phase.")
    var phases = false

    /// One way to make a step.
    private struct Variant {
        let estimator: GradientEstimator
        let workerCount: Int
    }

    func run() async throws {
        guard (1...100_000).contains(repeats) else {
            throw ValidationError("\(repeats) repeats are not possible; use 1 to 100000")
        }
        let names = try list(models) { text in
            guard let name = ModelName(rawValue: text) else {
                throw ValidationError(ModelError.unknownModel(text).description)
            }
            return name
        }
        let sizes = try list(batchSizes) { text in
            guard let size = Int(text), (1...10_000_000).contains(size) else {
                throw ValidationError("the batch size \"\(text)\" is not a whole number from 1 to 10000000")
            }
            return size
        }
        let variants = try variants()
        if !json {
            print(
                "model                   batch  estimator  workers    ms/step  examples/s  GFLOP/s  roofline  peak MB")
        }
        for name in names {
            for size in sizes { try measure(name, batchSize: size, variants) }
        }
    }

    private func variants() throws -> [Variant] {
        let estimators = try list(estimator) { text in
            guard let estimator = GradientEstimator(rawValue: text) else {
                throw ValidationError("there is no estimator \"\(text)\"; there are exact, reference and none")
            }
            return estimator
        }
        let counts = try list(workers ?? "\(Network.defaultWorkerCount)") { text in
            guard let count = Int(text), EngineError.workerCounts.contains(count) else {
                throw ValidationError("\"\(text)\" is not a number of workers from 1 to 256")
            }
            return count
        }
        return counts.flatMap { count in estimators.map { Variant(estimator: $0, workerCount: count) } }
    }

    private func list<Value>(_ text: String, _ parse: (String) throws -> Value) throws -> [Value] {
        try text.split(separator: ",", omittingEmptySubsequences: false).map { try parse(String($0)) }
    }

    private func measure(_ name: ModelName, batchSize: Int, _ variants: [Variant]) throws {
        // Anew for each line, as the machine's speed may drift.
        let roofline = Roofline.floatingPointRate(threadCount: variants.map(\.workerCount).max()!)
        let model = try name.model(input: name.benchmarkInput, outputCount: name.benchmarkOutputCount)
        let batch = RandomBatch(model, count: batchSize)
        let descent = GradientDescent(learningRate: 0.01)
        let networks = try variants.map { variant in
            try Network(model, estimator: variant.estimator, workerCount: variant.workerCount)
        }
        let clock = ContinuousClock()
        var times = [[Double]](repeating: [], count: variants.count)
        var reports = [[StepReport]](repeating: [], count: variants.count)
        for network in networks { _ = try network.step(on: batch, descent) }
        for _ in 0..<repeats {
            for (index, network) in networks.enumerated() {
                var report: StepReport?
                let time = try clock.measure { report = try network.step(on: batch, descent) }
                times[index].append(time / .milliseconds(1))
                if phases, let report { reports[index].append(report) }
            }
        }
        for (index, variant) in variants.enumerated() {
            let result = BenchResult(
                model: name.rawValue, batchSize: batchSize, estimator: variant.estimator.rawValue,
                workers: variant.workerCount, milliseconds: median(times[index]),
                operationsPerExample: model.operationsPerExample, roofline: roofline,
                phases: phases ? phaseMilliseconds(reports[index]) : nil)
            print(json ? result.json : result.line)
        }
    }

    private func phaseMilliseconds(_ reports: [StepReport]) -> [(StepPhase, Double)] {
        StepPhase.allCases.map { phase in (phase, median(reports.map { $0.phaseSeconds[phase]! * 1e3 })) }
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// The figures of one model, batch size and variant.
private struct BenchResult {
    let model: String
    let batchSize: Int
    let estimator: String
    let workers: Int
    let milliseconds: Double
    let operationsPerExample: Int
    let roofline: Double
    let phases: [(StepPhase, Double)]?
    /// The largest resident size of this process so far, in bytes.
    let peakMemory = Self.measurePeakMemory()

    var examplesPerSecond: Double { Double(batchSize) / milliseconds * 1e3 }
    var gigaflops: Double { examplesPerSecond * Double(operationsPerExample) * 1e-9 }

    var json: String {
        var text = """
            {"model": "\(model)", "batch_size": \(batchSize), "estimator": "\(estimator)", "workers": \(workers), \
            "milliseconds_per_step": \(decimal(milliseconds, 4)), "examples_per_second": \(decimal(examplesPerSecond, 1)), \
            "gigaflops": \(decimal(gigaflops, 1)), "roofline_gigaflops": \(decimal(roofline * 1e-9, 1)), \
            "peak_memory_bytes": \(peakMemory)
            """
        if let phases {
            let parts = phases.map { "\"\($0)\": \(decimal($1, 4))" }
            text += ", \"phase_milliseconds\": {\(parts.joined(separator: ", "))}"
        }
        return text + "}"
    }

    var line: String {
        var text =
            model.padding(toLength: 22, withPad: " ", startingAt: 0)
            + String(format: "%7d  ", batchSize) + estimator.padding(toLength: 9, withPad: " ", startingAt: 0)
            + String(
                format: "%9d %10.3f %11.0f %8.0f %9.0f %8.0f", workers, milliseconds, examplesPerSecond, gigaflops,
                roofline * 1e-9, Double(peakMemory) / 1e6)
        for (phase, time) in phases ?? [] {
            text += String(
                format: "\n    %@ %10.3f ms %5.1f %%", "\(phase)".padding(toLength: 16, withPad: " ", startingAt: 0),
                time, time / milliseconds * 100)
        }
        return text
    }

    private static func measurePeakMemory() -> Int {
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
        case .cifar10TwoConvThreeDense, .cifar100FourConvTwoDense: .image(height: 24, width: 24, channels: 3)
        case .cifar10EightConvTwoDense, .svhnThreeConvTwoDense: .image(height: 32, width: 32, channels: 3)
        case .mnistTwoConvTwoDense, .logisticRegression: .image(height: 28, width: 28, channels: 1)
        case .mlp: .image(height: 8, width: 8, channels: 1)
        }
    }

    /// The number of classes that a benchmark has.
    fileprivate var benchmarkOutputCount: Int { self == .cifar100FourConvTwoDense ? 100 : 10 }
}

/// Random images and classes.
private struct RandomBatch: ExampleBatch {
    let count: Int
    let firstDraw: UInt64 = 0
    private let inputs: [Float]
    private let labels: [Int]

    /// A few images serve again and again: their number changes nothing about the work.
    private static let imageCount = 64

    init(_ model: Model, count: Int) {
        self.count = count
        var random = RandomStream(seed: 0, purpose: .augmentation, index: 0)
        inputs = (0..<(model.inputShape.count * Self.imageCount)).map { _ in Float(random.nextNormal()) }
        labels = (0..<count).map { _ in random.nextInteger(below: model.outputCount) }
    }

    func copyExample(at position: Int, input: inout [Float], target: inout [Float]) {
        let first = position % Self.imageCount * input.count
        for index in input.indices { input[index] = inputs[first + index] }
        for index in target.indices { target[index] = 0 }
        target[labels[position]] = 1
    }
}
