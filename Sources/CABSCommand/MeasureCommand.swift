import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// `cabs measure`.
struct MeasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measure the noise in a network's gradients, with error bars.",
        usage: "cabs measure <path> [<options>]",
        discussion: """
            At fixed parameters, over many training examples, changed at random as training changes them: loss, trace of the gradients' \
            covariance, squared norm of the full gradient, noise scale, and CABS's batch size, in all and by layer; losses and gradient \
            norms by example and class. Standard errors are of the delete-one-group jackknife over 32 groups of examples, those by class \
            of a mean. Of a run's folder the result also goes to measurement.json in it, where `cabs report` finds it.
            """)

    @Argument(help: "A run's folder, or a checkpoint in it.")
    var path: String

    @Option(help: ArgumentHelp("How many training examples to take, 16 or more.", valueName: "n"))
    var examples = 8192

    @Option(
        help: ArgumentHelp(
            "The learning rate that CABS's batch size is for. (default: the next step's, by the run's schedule alone)",
            valueName: "rate"))
    var learningRate: Double?

    @Option(
        help: ArgumentHelp(
            "What the choice of examples follows from, and, with the run's seed, their random changes and dropout.",
            valueName: "n"))
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("The folder of the data's files, or one that holds it.", valueName: "dir"))
    var data: String?

    @Option(
        help: ArgumentHelp("Threads that compute. (default: one for each processor that may be used)", valueName: "n"))
    var workers: Int?

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        if let learningRate, !(learningRate > 0 && learningRate.isFinite) {
            throw ValidationError(TrainingError.notPositive(option: "learning rate", value: learningRate).description)
        }
        let url = URL(userPath: path)
        let trained = try checkingUsage {
            var given = TrainingOptions()
            (given.data, given.workers) = (data, workers)
            return try TrainedNetwork(at: url, with: given) { printWarning("\($0); taking the checkpoint before") }
        }
        let line = TerminalLine()
        let measurement = try checkingUsage {
            defer { line.clear() }
            return try trained.measurement(exampleCount: examples, seed: seed, learningRate: learningRate) { part in
                guard !json, line.isTerminal, line.takeTurn(every: .seconds(60)) else { return }
                line.show("\(Int(100 * part)) % of the examples measured")
            }
        }
        // Before anything is printed, since who reads the text may leave early; where it cannot be, the text is all that there is.
        let storage = Result { try stored(measurement, of: trained, isWhole: url.isFolder) }
        if json {
            try printResult(String(decoding: JSONFile.data(of: measurement).dropLast(), as: UTF8.self))
        } else {
            let title =
                "\(trained.configuration.model.name) on \(trained.configuration.dataset.rawValue), \(trained.state)"
            for line in MeasurementTable(title: title, measurement: measurement).lines { try printResult(line) }
        }
        if let file = try storage.get(), !json {
            let hasPictures = (measurement.largestLosses + measurement.largestGradients).contains { $0.picture != nil }
            try printResult("in \(file.relativePath); cabs report shows it\(hasPictures ? " with pictures" : "")")
        }
    }

    /// Writes the measurement into the run's folder where that was named.
    private func stored(
        _ measurement: GradientMeasurement, of trained: TrainedNetwork, isWhole: Bool
    ) throws -> URL? {
        guard isWhole, let directory = trained.directory else { return nil }
        try directory.write(measurement)
        return directory.measurementFile
    }
}
