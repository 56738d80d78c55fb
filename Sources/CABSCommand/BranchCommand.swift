import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs branch`.
struct BranchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "branch",
        abstract: "Find the largest batch size that does no harm from a checkpoint on.",
        usage: "cabs branch <checkpoint> <output> --batch-sizes <sizes> [<options>]",
        discussion: """
            Goes on from a checkpoint by each of the batch sizes, over as many examples, in several orders of the examples, and compares \
            the losses reached on the same training examples, changed at random as training changes them, without dropout. The critical \
            batch size is the largest one whose mean loss exceeds that of no smaller one by more than the tolerance (Merrill et al. 2025). \
            What rules would choose there stands beside it. The learning rate stays what it is, or follows the batch from the checkpoint's \
            batch size on by --scale-rate. Called again with the same folder it goes on where it stopped, also with more sizes or orders. \
            `cabs report` draws the folder.
            """)

    @Argument(help: "A run's folder, or a checkpoint in it.")
    var checkpoint: String

    @Argument(help: "The folder of the continuations.")
    var output: String

    @Option(help: ArgumentHelp("Batch sizes, with commas between.", valueName: "sizes"))
    var batchSizes: String

    @Option(
        help: ArgumentHelp("How many examples each continuation goes. (default: an epoch)", valueName: "n"))
    var examples: Int?

    @Option(help: ArgumentHelp("How many orders of the examples there are; none is the run's own.", valueName: "n"))
    var orders = 3

    @Option(
        help: ArgumentHelp(
            "The learning rate. (default: the next step's, by the run's schedule)", valueName: "rate"))
    var learningRate: Double?

    @Option(
        help: ArgumentHelp(
            "The learning rate follows the batch: linear, or sqrt for its root. (default: not)", valueName: "way"))
    var scaleRate: RateScaling?

    @Option(
        help: ArgumentHelp("By how much a loss may exceed that of smaller batches and do no harm.", valueName: "loss"))
    var tolerance = 0.01

    @Option(help: ArgumentHelp("On how many training examples losses are measured.", valueName: "n"))
    var evaluate = 8192

    @Option(help: ArgumentHelp("The folder of the data's files, or one that holds it.", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp("Threads that compute. (default: one for each processor that may be used)", valueName: "n"))
    var workers: Int?

    @Flag(help: "Print warnings, errors and the results alone.")
    var quiet = false

    func run() async throws {
        let sizes = try self.sizes()
        guard (1...10_000).contains(orders) else {
            throw ValidationError("\(orders) orders are not possible; use 1 to 10000")
        }
        let branching = try checkingUsage { try self.branching(sizes) }
        Interruption.install()
        let display = BranchDisplay(count: sizes.count * orders, isQuiet: quiet)
        for order in 0..<orders {
            for size in sizes {
                display.begin(size, order)
                do {
                    let made = try await branching.make(batchSize: size, order: order) { part in
                        display.show(part)
                        return Interruption.isRequested
                    }
                    display.end(made.result, wasMadeBefore: made.wasMadeBefore)
                } catch is CancellationError {
                    display.finish("stopped; the same command goes on from here")
                    throw ExitCode(Interruption.exitCode)
                }
            }
        }
        display.finish("all \(sizes.count * orders) continuations have ended")
        for line in BranchLines(setting: branching.setting, table: try branching.table()).lines {
            try printResult(line)
        }
    }

    private func sizes() throws -> [Int] {
        let sizes = try batchSizes.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let size = Int(text), size >= 1 else {
                throw ValidationError("\"\(text)\" is not a batch size of 1 or more")
            }
            return size
        }
        guard Set(sizes).count == sizes.count, sizes.count > 1 else {
            throw ValidationError("--batch-sizes \(batchSizes) compares nothing; give two sizes or more, each once")
        }
        return sizes.sorted()
    }

    private func branching(_ sizes: [Int]) throws -> Branching {
        var given = TrainingOptions()
        (given.data, given.workers) = (data, workers)
        let point = try BranchPoint(at: URL(userPath: checkpoint), with: given) {
            printWarning("\($0); taking the checkpoint before")
        }
        var request = Branching.Request()
        (request.batchSizes, request.exampleCount) = (sizes, examples)
        (request.learningRate, request.scaling) = (learningRate, scaleRate)
        (request.evaluatedCount, request.tolerance) = (evaluate, tolerance)
        return try Branching(point, named: checkpoint, request, in: URL(userPath: output))
    }
}
