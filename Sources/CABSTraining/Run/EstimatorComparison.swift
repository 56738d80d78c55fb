import CABSNetwork
import Foundation

/// The within-batch variance of one batch, measured exactly and as the authors' code approximates it.
public struct EstimatorComparison: Sendable {
    /// The number of updates made before.
    public let stepCount: Int
    /// The number of examples in the batch.
    public let batchSize: Int
    /// The variance over all parameters.
    public let variance: Pair
    /// The part of each parameter.
    public let parameters: [(name: String, variance: Pair)]

    /// A variance by both estimators.
    public struct Pair: Sendable, Hashable {
        /// Exactly.
        public let exact: Double
        /// By `GradientEstimator.reference`.
        public let reference: Double
    }

    init(stepCount: Int, exact: StepReport, reference: StepReport) {
        self.stepCount = stepCount
        batchSize = exact.statistics.exampleCount
        variance = Pair(
            exact: exact.statistics.withinBatchVariance, reference: reference.statistics.withinBatchVariance)
        parameters = zip(exact.parameters, reference.parameters).map { exact, reference in
            (exact.name, Pair(exact: exact.withinBatchVariance, reference: reference.withinBatchVariance))
        }
    }

    /// A line of `estimators.jsonl`.
    var line: Data {
        let parts = parameters.map { "\"\($0.name)\": \(Self.text($0.variance))" }
        let text =
            "{\"steps\": \(stepCount), \"batch_size\": \(batchSize), \"variance\": \(Self.text(variance)), "
            + "\"parameters\": {\(parts.joined(separator: ", "))}}\n"
        return Data(text.utf8)
    }

    private static func text(_ pair: Pair) -> String {
        "{\"exact\": \(pair.exact), \"reference\": \(pair.reference)}"
    }
}
