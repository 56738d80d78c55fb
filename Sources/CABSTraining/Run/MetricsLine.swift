import CABSNetwork
import Foundation

/// One step of a run as a line of JSON, in the order in which people read it. What is not a finite number is left out.
struct MetricsLine {
    private var text = ""

    /// - Parameters:
    ///   - step: The step.
    ///   - seconds: The time since the run began.
    ///   - evaluation: The evaluation that followed the step, if one did.
    ///   - shadows: What other rules would have chosen.
    init(
        _ step: TrainingStep, seconds: Double, evaluation: RunEvaluation?,
        shadows: [(name: String, nextBatchSize: Int)]
    ) {
        add(.step, step.index)
        add(.batchSize, step.batchSize)
        add(.loss, step.loss)
        add(.lossAverage, step.decision.smoothedLoss)
        add(.variance, step.report.statistics.withinBatchVariance)
        add(.varianceAverage, step.decision.smoothedVariance)
        add(.batchSizeRaw, step.decision.rawBatchSize)
        add(.batchSizeRawStandardError, step.decision.rawBatchSizeStandardError)
        add(.batchSizeCoupled, step.decision.coupledBatchSize)
        add(.fixedCost, step.decision.fixedCost)
        add(.nextBatchSize, step.decision.nextBatchSize)
        add(.secondMoment, step.report.statistics.secondMoment)
        add(.secondMomentStandardError, step.report.statistics.secondMomentStandardError)
        add(.gradientSquaredNorm, step.report.statistics.gradientSquaredNorm)
        add(.learningRate, step.learningRate)
        add(.accuracy, step.accuracy)
        add(.examples, step.progress.exampleCount)
        add(.epoch, step.progress.epochs)
        add(.trainingSeconds, step.progress.seconds)
        add(.seconds, seconds)
        for (key, value) in evaluation?.values ?? [] { add(key, value) }
        if !shadows.isEmpty {
            let parts = shadows.map { "\"\($0.name)\": \($0.nextBatchSize)" }
            text += ", \"shadow\": {\(parts.joined(separator: ", "))}"
        }
    }

    /// The line, with its end.
    var data: Data { Data("{\(text)}\n".utf8) }

    private mutating func add(_ key: StepKey, _ value: Int) {
        text += "\(text.isEmpty ? "" : ", ")\"\(key.name)\": \(value)"
    }

    private mutating func add(_ key: StepKey, _ value: Double?) {
        guard let value, value.isFinite else { return }
        text += "\(text.isEmpty ? "" : ", ")\"\(key.name)\": \(value)"
    }
}
