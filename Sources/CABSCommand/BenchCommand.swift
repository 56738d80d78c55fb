import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Time training steps on random images.",
        usage: "cabs bench [<options>]",
        discussion: """
            One step is forward, backward, gradient statistics and update, on a batch of as many distinct images as it has \
            examples. Prints the median over the repeats. Several estimators or numbers of workers take turns step by step, so \
            that they can be compared on a machine whose speed drifts. GFLOP/s are nominal: they count the products that \
            the layers' formulas have, of which sparse gradients make only a part. The peak memory is that of the \
            whole process so far, the batch's images among it.
            """)

    @Option(
        help: ArgumentHelp("Models, with commas between: names, or YAML files of layers.", valueName: "models"))
    var models = "cifar10-2conv-3dense,mnist-2conv-2dense"

    @Option(
        help: ArgumentHelp(
            "The size of the images, such as 28x28x1. (default: the usual one of a model known by name)",
            valueName: "HxWxC"))
    var input: String?

    @Option(help: ArgumentHelp("Batch sizes, with commas between.", valueName: "sizes"))
    var batchSizes = "16,64,256,1024"

    @Option(help: ArgumentHelp("How the gradient variance is measured, with commas between.", valueName: "estimators"))
    var estimator = "exact"

    @Option(
        help: ArgumentHelp(
            "Threads that compute, with commas between. (default: one for each processor that may be used)",
            valueName: "n"))
    var workers: String?

    @Option(help: "How many steps are made first and not timed.")
    var warmUp = 2

    @Option(help: "How many steps are timed then.")
    var repeats = 7

    @Option(
        help: ArgumentHelp(
            "Time nothing; write each model's first parameters and batch to this folder, for peers to do the same work.",
            valueName: "dir"))
    var export: String?

    @Flag(
        help: "Time nothing; show the way that each layer's computations take, with oneDNN's names of what it compiled."
    )
    var plan = false

    @Flag(help: "Print a line of JSON for each.")
    var json = false

    @Flag(help: "Show where the time goes, phase by phase.")
    var phases = false

    @Flag(help: "Measure oneDNN's own matrix product too, 2048 cubed, on as many threads.")
    var roofline = false

    /// One way to make a step.
    private struct Variant {
        let estimator: GradientEstimator
        let workerCount: Int
    }

    func run() async throws {
        let counts = 1...100_000
        guard counts.contains(repeats) else {
            throw ValidationError("\(repeats) repeats are not possible; use 1 to \(counts.upperBound)")
        }
        guard counts.contains(warmUp) else {
            throw ValidationError("\(warmUp) steps of warm-up are not possible; use 1 to \(counts.upperBound)")
        }
        let input = try input.map(imageShape)
        let models = try list(models) { try namedModel($0, input: input) }
        let sizes = try list(batchSizes) { text in
            guard let size = Int(text), (1...10_000_000).contains(size) else {
                throw ValidationError("the batch size \"\(text)\" is not a whole number from 1 to 10000000")
            }
            return size
        }
        let variants = try variants()
        if plan {
            for (name, model) in models {
                for estimator in variants.map(\.estimator).uniqued {
                    let table = PlanTable(name: name, model: model, estimator: estimator)
                    try printResult(json ? table.json() : table.text())
                }
            }
            return
        }
        let works = models.lazy.flatMap { name, model in
            sizes.lazy.map { BenchmarkWork(name: name, model: model, batchSize: $0) }
        }
        if let export {
            for work in works { try printResult("work \(try work.write(to: URL(userPath: export)).relativePath)") }
            return
        }
        WorkerNotice.print(workers: variants.map(\.workerCount).max()!)
        if !json { try printResult(BenchmarkResult.header) }
        for work in works {
            for result in try measure(work, variants) { try printResult(json ? result.json() : result.line) }
        }
    }

    private func imageShape(_ text: String) throws -> ExampleShape {
        let sizes = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard sizes.count == 3, sizes.allSatisfy({ (1...100_000).contains($0) }) else {
            throw ValidationError("\"\(text)\" is no size of images; give height, width and channels, such as 28x28x1")
        }
        return .image(height: sizes[0], width: sizes[1], channels: sizes[2])
    }

    private func namedModel(_ text: String, input: ExampleShape?) throws -> (name: String, model: Model) {
        try checkingUsage {
            let configuration = try ModelArgument(argument: text).configuration()
            guard let input = input ?? configuration.usualInput else {
                throw ValidationError(
                    "\(text) does not say how large its images are; add --input, such as --input 28x28x1")
            }
            let model = try configuration.model(input: input, outputCount: configuration.usualOutputCount, seed: 0)
            return (URL(userPath: text).deletingPathExtension().lastPathComponent, model)
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

    private func measure(_ work: BenchmarkWork, _ variants: [Variant]) throws -> [BenchmarkResult] {
        let batch = RandomBatch(work.model, count: work.batchSize)
        let step = UpdateStep(learningRate: BenchmarkWork.learningRate)
        let networks = try variants.map { variant in
            try Network(work.model, estimator: variant.estimator, workerCount: variant.workerCount)
        }
        var timings = [StepTimings](repeating: StepTimings(), count: variants.count)
        for index in 0..<(warmUp + repeats) {
            for (position, network) in networks.enumerated() {
                try timings[position].add(isTimed: index >= warmUp) { try network.step(on: batch, step) }
            }
        }
        let rate = roofline ? Roofline.floatingPointRate(threadCount: variants.map(\.workerCount).max()!) : nil
        return zip(variants, timings).map { variant, timings in
            BenchmarkResult(
                model: work.name, batchSize: work.batchSize, estimator: variant.estimator.rawValue,
                workers: variant.workerCount, warmUp: warmUp, repeats: repeats, timings: timings,
                operationsPerExample: work.model.operationsPerExample, showsPhases: phases, roofline: rate,
                batchBytes: batch.byteCount)
        }
    }
}

extension Array where Element: Hashable {
    /// Each element once, where it stands first.
    fileprivate var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

extension ModelConfiguration {
    /// The images that a benchmark feeds a model known by name.
    fileprivate var usualInput: ExampleShape? {
        guard case .named(let name) = self else { return nil }
        return switch name {
        case .cifar10TwoConvThreeDense, .cifar100FourConvTwoDense: .image(height: 24, width: 24, channels: 3)
        case .cifar10EightConvTwoDense, .svhnThreeConvTwoDense, .resnet20, .resnet56, .resnet9, .wideResnet16:
            .image(height: 32, width: 32, channels: 3)
        case .mnistTwoConvTwoDense, .logisticRegression: .image(height: 28, width: 28, channels: 1)
        case .mlp: .image(height: 8, width: 8, channels: 1)
        }
    }

    /// The number of classes that a benchmark has, of a model known by name.
    fileprivate var usualOutputCount: Int {
        if case .named(.cifar100FourConvTwoDense) = self { 100 } else { 10 }
    }
}
