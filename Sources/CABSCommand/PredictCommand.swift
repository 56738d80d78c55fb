import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs predict`.
struct PredictCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Say what a trained network takes pictures or arrays for.",
        usage: "cabs predict <run> <file> ... [<options>]",
        discussion: """
            A line for each: its name, the class, its probability, and the classes that come next. Pictures (PNG, JPEG) are brought \
            to the network's size and normalised as in its run; a folder stands for the pictures in it, a .npz file for the inputs of \
            its array x or x_test. Inputs that cannot be used are named and the others follow; the exit code is then 1.
            """)

    @Argument(help: "The run's folder, or a checkpoint in it.")
    var run: String

    @Argument(help: ArgumentHelp("Pictures, folders of pictures, and .npz files.", valueName: "file"))
    var files: [String]

    @Option(help: ArgumentHelp("How many classes are named.", valueName: "n"))
    var top = 5

    @Flag(help: "Print a line of JSON for each.")
    var json = false

    @Option(help: "Threads that compute. (default: one for each processor that may be used)")
    var workers: Int?

    func validate() throws {
        guard !run.isEmpty, !files.contains("") else { throw ValidationError("a name is empty") }
        guard top >= 1 else { throw ValidationError("--top is \(top), but must be 1 or more") }
    }

    func run() async throws {
        var given = TrainingOptions()
        given.workers = workers
        let trained = try checkingUsage {
            try TrainedNetwork(at: URL(userPath: run), with: given) {
                printWarning("\($0); taking the checkpoint before")
            }
        }
        let predictor = try checkingUsage { try Predictor(trained, onConversion: printWarning) }
        if trained.directory != nil, trained.summary == nil { printWarning("the network is that \(trained.state)") }
        var failed = false
        let inputs = files.flatMap { path -> [URL] in
            let url = URL(userPath: path)
            guard url.isFolder else { return [url] }
            do {
                let found = try PictureFiles(in: url)
                found.notices.forEach(printWarning)
                return found.files
            } catch {
                failed = true
                printWarning("\(error)")
                return []
            }
        }
        try predictor.predict(inputs) { prediction in
            if !prediction.isSound { failed = true }
            try printResult(json ? line(prediction, predictor.input) : text(prediction, predictor.input))
        } onError: { error in
            failed = true
            printWarning("\(error)")
        }
        if failed { throw ExitCode.failure }
    }

    private func text(_ prediction: Prediction, _ input: InputDescription) -> String {
        guard prediction.isSound else { return "\(prediction.source.printable)  \(PredictionLine.unsound)" }
        if input.predictsValues {
            return "\(prediction.source.printable)  " + prediction.scores.map { decimal($0, 4) }.joined(separator: "  ")
        }
        return "\(prediction.source.printable)  "
            + prediction.ranking(top).map { "\(input.className($0).printable) \(decimal(prediction.scores[$0], 4))" }
            .joined(separator: "  ")
    }

    private func line(_ prediction: Prediction, _ input: InputDescription) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(PredictionLine(prediction, input, top: top)), as: UTF8.self)
    }
}

/// A prediction as a line of JSON.
private struct PredictionLine: Encodable {
    let file: String
    var `class`: String?
    var probability: Double?
    var top: [Candidate]?
    var values: [Double]?
    var error: String?

    /// What stands in place of scores that are not finite.
    static let unsound = "not finite: the input's values are too large"

    struct Candidate: Encodable {
        let `class`: String
        let probability: Double
    }

    init(_ prediction: Prediction, _ input: InputDescription, top: Int) {
        file = prediction.source
        guard prediction.isSound else {
            error = Self.unsound
            return
        }
        guard !input.predictsValues else {
            values = prediction.scores
            return
        }
        let candidates = prediction.ranking(top).map {
            Candidate(class: input.className($0), probability: prediction.scores[$0])
        }
        (self.class, probability) = (candidates[0].class, candidates[0].probability)
        self.top = candidates
    }
}
