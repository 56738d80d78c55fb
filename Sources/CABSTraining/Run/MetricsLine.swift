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
        add("step", step.index)
        add("batch_size", step.batchSize)
        add("loss", step.loss)
        add("loss_average", step.decision.smoothedLoss)
        add("variance", step.report.statistics.withinBatchVariance)
        add("variance_average", step.decision.smoothedVariance)
        add("batch_size_raw", step.decision.rawBatchSize)
        add("batch_size_raw_standard_error", step.decision.rawBatchSizeStandardError)
        add("batch_size_coupled", step.decision.coupledBatchSize)
        add("fixed_cost", step.decision.fixedCost)
        add("next_batch_size", step.decision.nextBatchSize)
        add("second_moment", step.report.statistics.secondMoment)
        add("second_moment_standard_error", step.report.statistics.secondMomentStandardError)
        add("gradient_squared_norm", step.report.statistics.gradientSquaredNorm)
        add("learning_rate", step.learningRate)
        add("accuracy", step.accuracy)
        add("examples", step.progress.exampleCount)
        add("epoch", step.progress.epochs)
        add("training_seconds", step.progress.seconds)
        add("seconds", seconds)
        for (name, value) in evaluation?.values ?? [] { add(name, value) }
        if !shadows.isEmpty {
            let parts = shadows.map { "\"\($0.name)\": \($0.nextBatchSize)" }
            text += ", \"shadow\": {\(parts.joined(separator: ", "))}"
        }
    }

    /// The line, with its end.
    var data: Data { Data("{\(text)}\n".utf8) }

    private mutating func add(_ key: String, _ value: Int) {
        text += "\(text.isEmpty ? "" : ", ")\"\(key)\": \(value)"
    }

    private mutating func add(_ key: String, _ value: Double?) {
        guard let value, value.isFinite else { return }
        text += "\(text.isEmpty ? "" : ", ")\"\(key)\": \(value)"
    }
}
