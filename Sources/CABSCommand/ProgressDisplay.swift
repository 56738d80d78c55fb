import CABSTerminal
import CABSTraining
import Foundation

/// Shows a run as it goes on: on a terminal one line that renews itself, elsewhere a line every few seconds.
final class ProgressDisplay {
    private let length: TrainingLength
    private let output: TerminalLine
    private var averageLoss: ExponentialAverage?
    private var averageAccuracy: ExponentialAverage?
    private var lossCurve = Sparkline()
    private var batchSizeCurve = Sparkline()
    private var notices = NoticeDisplay()

    init(_ length: TrainingLength, isQuiet: Bool) {
        self.length = length
        output = TerminalLine(isQuiet: isQuiet)
    }

    /// Says what is trained, on what and how, in three lines: the data are named by what was read, not by what was asked for.
    func start(_ run: TrainingRun) {
        let (configuration, options) = (run.configuration, run.configuration.options)
        let data = run.trainer.data
        let targets =
            data.predictsValues
            ? Self.counted(data.training.target.count, "value", "values")
            : Self.counted(data.training.target.count, "class", "classes")
        output.print(
            "data   \(data.name): \(data.training.count) training"
                + (data.validation.map { ", \($0.count) validation" } ?? "")
                + ", \(data.test.count) test examples of \(data.training.inputShape.sizesText), \(targets)"
                + (data.source.map { ", from \($0)" } ?? ""))
        let model = run.trainer.model
        output.print(
            "model  \(configuration.model.name): \(Self.counted(model.parameterCount, "parameter", "parameters")), "
                + "\(Self.millions(model.operationsPerExample))FLOP an example, "
                + "\(Self.millions(run.trainer.networkByteCount))B, "
                + (run.team.map(Self.ranks) ?? Self.counted(run.trainer.workerCount, "worker", "workers")))
        output.print(
            "rule   batch size \(options.batchSize!)"
                + (options.minimumBatchSize.map { " from \($0) to \(options.maximumBatchSize!)" } ?? "")
                + "; \(options.optimizer!) at learning rate \(options.learningRate!)"
                + (options.learningRateSchedule == "constant" ? "" : " (\(options.learningRateSchedule!))")
                + ", for \(length)")
    }

    private static func ranks(_ team: RankTeam) -> String {
        let workers = team.members.reduce(0) { $0 + $1.workers }
        let hosts = Set(team.members.map(\.host)).count
        return
            "\(counted(workers, "worker", "workers")) of \(team.members.count) ranks on \(counted(hosts, "host", "hosts"))"
    }

    private static func counted(_ count: Int, _ one: String, _ many: String) -> String {
        "\(count) \(count == 1 ? one : many)"
    }

    private static func millions(_ count: Int) -> String {
        decimal(Double(count) * 1e-6, count < 10_000_000 ? 1 : 0) + " M"
    }

    func show(_ event: TrainingRun.Event) {
        switch event {
        case .notice(let notice): notices.show(notice)
        case .step(let step, let seconds):
            average(&averageLoss, step.loss)
            if let accuracy = step.accuracy { average(&averageAccuracy, accuracy) }
            lossCurve.add(step.loss)
            batchSizeCurve.add(Double(step.batchSize))
            guard output.takeTurn(every: .seconds(5)) else { return }
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

    /// What is known of a step: as much as the terminal has columns for, or all where there is none.
    private func line(for step: TrainingStep, seconds: Double) -> String {
        let progress = step.progress
        let rate = Double(progress.exampleCount) / max(seconds, 1e-9)
        let fraction = length.fractionCompleted(progress)
        let left = "\(TerminalLine.time(max(seconds * (1 - fraction) / fraction, 0))) left"
        let loss = "loss \(decimal(averageLoss?.value ?? step.loss, output.isTerminal ? 3 : 4))"
        let accuracy = averageAccuracy.map { "accuracy \(decimal($0.value, 3))" }
        guard let width = output.width else {
            return [
                "step \(step.index + 1)", "examples \(progress.exampleCount)", "epoch \(decimal(progress.epochs, 2))",
                loss, accuracy, "batch \(step.batchSize)", "\(decimal(rate, 0)) examples/s", left,
            ].compactMap(\.self).joined(separator: "  ")
        }
        // In the order in which they are left out where columns are few, the last one first.
        var parts: [(place: Int, text: String)] = [
            (1, "\(loss) \(lossCurve.text)"), (2, "batch \(step.batchSize) \(batchSizeCurve.text)"), (5, left),
            (4, "\(decimal(rate, 0))/s"), (0, "epoch \(decimal(progress.epochs, 2))"),
        ]
        if let accuracy { parts.append((3, accuracy)) }
        func text() -> String {
            parts.sorted { $0.place < $1.place }.map { $0.text.trimmingCharacters(in: .whitespaces) }
                .joined(separator: "  ")
        }
        while parts.count > 1, text().count >= width { parts.removeLast() }
        return text()
    }
}

extension ExampleShape {
    /// The sizes alone: `28x28x1`, or `784` of a vector.
    fileprivate var sizesText: String {
        switch self {
        case .vector(let count): "\(count)"
        case .image(let height, let width, let channels): "\(height)x\(width)x\(channels)"
        }
    }
}
