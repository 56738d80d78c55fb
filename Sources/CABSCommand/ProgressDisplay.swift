import CABSTraining
import Foundation

/// Shows a run as it goes on: on a terminal one line that renews itself, elsewhere a line every few seconds.
final class ProgressDisplay {
    private let length: TrainingLength
    private let terminalWidth: Int?
    private let clock = ContinuousClock()
    private var lastShown: ContinuousClock.Instant?
    private var averageLoss: ExponentialAverage?
    private var averageAccuracy: ExponentialAverage?
    /// Whether the cursor stands in a line that renews itself.
    private var isInLine = false

    init(_ length: TrainingLength) {
        self.length = length
        terminalWidth = Self.terminalWidth()
    }

    func start(_ configuration: TrainingConfiguration) {
        let options = configuration.options
        printLine(
            "\(configuration.model.name) on \(configuration.dataset.rawValue), batch size \(options.batchSize!), "
                + "learning rate \(options.learningRate!), \(options.workers!) worker\(options.workers == 1 ? "" : "s")"
        )
    }

    func show(_ event: TrainingRun.Event) {
        switch event {
        case .step(let step, let seconds):
            average(&averageLoss, step.loss)
            average(&averageAccuracy, step.accuracy)
            let now = clock.now
            let interval: Duration = terminalWidth == nil ? .seconds(5) : .milliseconds(100)
            guard lastShown.map({ now - $0 >= interval }) ?? true else { return }
            lastShown = now
            showLine(line(for: step, seconds: seconds))
        case .evaluation(let evaluation, let progress):
            printLine(
                "epoch \(decimal(progress.epochs, 2)): test accuracy \(decimal(evaluation.accuracy, 4)), "
                    + "test loss \(decimal(evaluation.meanLoss, 4))")
        }
    }

    func finish(_ summary: RunSummary, in directory: RunDirectory) {
        printLine(
            "\(summary.steps) steps, \(summary.examples) examples in \(Self.time(summary.seconds)), "
                + "\(decimal(summary.examplesPerSecond, 0)) examples/s while training")
        printLine("test accuracy \(decimal(summary.testAccuracy, 4))")
        printLine("run directory \(directory.url.relativePath)")
    }

    private func average(_ average: inout ExponentialAverage?, _ value: Double) {
        if average == nil { average = ExponentialAverage(initialValue: value, smoothingFactor: 0.95) }
        average?.update(with: value)
    }

    private func line(for step: TrainingStep, seconds: Double) -> String {
        let progress = step.progress
        let rate = Double(progress.exampleCount) / max(seconds, 1e-9)
        let fraction = length.fractionCompleted(progress)
        let left = seconds * (1 - fraction) / fraction
        return [
            "step \(step.index + 1)",
            "examples \(progress.exampleCount)",
            "epoch \(decimal(progress.epochs, 2))",
            "loss \(decimal(averageLoss?.value ?? step.loss, 4))",
            "accuracy \(decimal(averageAccuracy?.value ?? step.accuracy, 3))",
            "batch \(step.batchSize)",
            "\(decimal(rate, 0)) examples/s",
            "\(Self.time(max(left, 0))) left",
        ].joined(separator: "  ")
    }

    // MARK: Output

    /// Shows a line that the next one may replace.
    private func showLine(_ text: String) {
        guard let terminalWidth else { return printLine(text) }
        // To the line's beginning, the text, and nothing of the old line behind it. A line that wraps could not be
        // replaced, so it is cut.
        write("\r\(text.prefix(terminalWidth - 1))\u{1B}[K")
        isInLine = true
    }

    private func printLine(_ text: String) {
        write((isInLine ? "\r\u{1B}[K" : "") + text + "\n")
        isInLine = false
    }

    private func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    private static func terminalWidth() -> Int? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private static func time(_ seconds: Double) -> String {
        let whole = seconds.isFinite ? Int(min(seconds, 1e9).rounded()) : 0
        let (hours, minutes) = (whole / 3600, whole / 60 % 60)
        let rest = String(format: "%02d", whole % 60)
        return hours > 0 ? "\(hours):\(String(format: "%02d", minutes)):\(rest)" : "\(minutes):\(rest)"
    }
}
