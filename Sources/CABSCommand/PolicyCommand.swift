import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs policy`.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Choose the batch sizes of a training loop elsewhere, line by line.",
        usage: "cabs policy [<options>]",
        discussion: """
            Reads a line of JSON for each step, with batch_size, loss, learning_rate, gradient_squared_norm (of the batch's mean \
            gradient) and one of: second_moment (the mean squared norm of the examples' gradients), variance (that less \
            gradient_squared_norm), or microbatches, a list of objects with batch_size and gradient_squared_norm; and \
            second_moment_standard_error for --significant. Prints a line \
            of JSON at once: next_batch_size, batch_size_raw and the rule's averages. The line {} asks for the size of the next \
            batch without a step, the first among them.

            Replay another rule over a run that is over: cabs policy --batch-size noise-scale < RUN/metrics.jsonl
            """)

    @OptionGroup(title: "Rule") var rule: RuleArguments

    @Option(help: ArgumentHelp("The loop's optimiser: \(OptimizerName.forms). (default: sgd)", valueName: "optimizer"))
    var optimizer: String?

    @Option(help: ArgumentHelp("The number of training examples, for rules that count epochs.", valueName: "n"))
    var examplesPerEpoch: Int?

    @Option(
        help: ArgumentHelp(
            "Where the rule's state is kept after each step; from there the same command goes on.", valueName: "file"))
    var state: String?

    func run() async throws {
        var options = try TrainingOptions(properties: [rule])
        options.optimizer = optimizer
        var conversation = try checkingUsage {
            try PolicyConversation(
                options, examplesPerEpoch: examplesPerEpoch, stateFile: state.map { URL(userPath: $0) })
        }
        while let line = readLine() {
            if line.allSatisfy(\.isWhitespace) { continue }
            try printResult(try conversation.answer(line))
        }
    }
}
