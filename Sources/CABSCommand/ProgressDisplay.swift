import CABSTerminal
import CABSTraining
import Foundation

/// Shows a run as it goes on: on a terminal one line that renews itself, elsewhere a line every few seconds.
final class ProgressDisplay {
    private let length: TrainingLength
    private let output = TerminalLine()
    private let clock = ContinuousClock()
    private var lastShown: ContinuousClock.Instant?
    private var averageLoss: ExponentialAverage?
    private var averageAccuracy: ExponentialAverage?

    init(_ length: TrainingLength) {
        self.length = length
    }

    /// Says what is trained, and on what: the data are named by what was read, not by what was asked for.
    func start(_ configuration: TrainingConfiguration, _ data: TrainingData) {
        let options = configuration.options
        output.print(
            "\(configuration.model.name) on \(configuration.dataset.rawValue), batch size \(options.batchSize!), "
                + "learning rate \(options.learningRate!), \(options.workers!) worker\(options.workers == 1 ? "" : "s")"
        )
        output.print(
            "\(data.training.count) training"
                + (data.validation.map { ", \($0.count) validation" } ?? "")
                + " and \(data.test.count) test examples, each \(data.training.inputShape), of "
                + "\(data.training.targetCount) \(data.predictsValues ? "value" : "class")"
                + (data.training.targetCount == 1 ? "" : data.predictsValues ? "s" : "es")
                + (data.source.map { ", from \($0)" } ?? ""))
    }

    func show(_ event: TrainingRun.Event) {
        switch event {
        case .step(let step, let seconds):
            average(&averageLoss, step.loss)
            if let accuracy = step.accuracy { average(&averageAccuracy, accuracy) }
            let now = clock.now
            let interval: Duration = output.isTerminal ? .milliseconds(100) : .seconds(5)
            guard lastShown.map({ now - $0 >= interval }) ?? true else { return }
            lastShown = now
            output.show(line(for: step, seconds: seconds))
        case .checkpoint:
            break
        case .damagedCheckpoint(let error):
            printWarning("\(error); taking the checkpoint before")
        case .rewind(let divergence, let stepCount):
            let loss = divergence.loss.map { decimal($0, 2) } ?? "not a number"
            output.print(
                "step \(divergence.step) diverged, loss \(loss): back to step \(stepCount) at half the learning rate")
        case .evaluation(let evaluation, let progress):
            output.print(
                "epoch \(decimal(progress.epochs, 2)): "
                    + (evaluation.testAccuracy.map { "test accuracy \(decimal($0, 4)), " } ?? "")
                    + "test loss \(decimal(evaluation.test.meanLoss, 4))"
                    + (evaluation.validationAccuracy.map { ", validation accuracy \(decimal($0, 4))" } ?? "")
                    + (evaluation.averageTestAccuracy.map { ", of the average \(decimal($0, 4))" } ?? ""))
        }
    }

    func finish(_ summary: RunSummary, in directory: RunDirectory) {
        defer { output.print("run directory \(directory.url.relativePath)") }
        guard averageLoss != nil else {
            return output.print("the run had ended, after \(summary.steps) steps; nothing was left to train")
        }
        output.print(
            "\(summary.steps) steps, \(summary.examples) examples in \(TerminalLine.time(summary.seconds)), "
                + "\(decimal(summary.examplesPerSecond, 0)) examples/s while training")
        if let (first, last) = pair(summary.firstBatchSize, summary.nextBatchSize) {
            output.print("batch size \(first) at the start, \(last) at the end")
        }
        if let (first, last) = pair(summary.firstLoss, summary.trainingLoss) {
            output.print("training loss \(decimal(first, 4)) at the start, \(decimal(last, 4)) over the last tenth")
        }
        if summary.testAccuracy == nil, let loss = summary.testLoss { output.print("test loss \(decimal(loss, 4))") }
        if let accuracy = summary.testAccuracy {
            output.print(
                "test accuracy \(decimal(accuracy, 4))"
                    + (summary.averageTestAccuracy.map { ", of the average of the parameters \(decimal($0, 4))" } ?? "")
            )
        }
    }

    func finish(_ interruption: RunInterruption, in directory: RunDirectory) {
        output.print(
            "stopped after \(interruption.stepCount) steps; go on with: cabs train --resume "
                + ShellWord.quoted(directory.url.relativePath))
    }

    private func pair<Value>(_ first: Value?, _ last: Value?) -> (Value, Value)? {
        guard let first, let last else { return nil }
        return (first, last)
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
            averageAccuracy.map { "accuracy \(decimal($0.value, 3))" },
            "batch \(step.batchSize)",
            "\(decimal(rate, 0)) examples/s",
            "\(TerminalLine.time(max(left, 0))) left",
        ].compactMap(\.self).joined(separator: "  ")
    }
}
