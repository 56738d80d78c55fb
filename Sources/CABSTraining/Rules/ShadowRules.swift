import CABS
import Foundation

/// Rules that watch a run beside the one that decides: what batch size each would have chosen from the same measurements.
///
/// A rule that goes by its own last size, such as the norm test, goes by the one that it chose itself; the measurements are those of
/// the batches that were really drawn.
struct ShadowRules: Sendable {
    private var policies: [(name: String, policy: any BatchSizePolicy)]

    init(_ policies: [(name: String, policy: any BatchSizePolicy)]) {
        self.policies = policies
    }

    /// Shows a step to every rule.
    ///
    /// - Returns: The next batch size that each would choose, by name.
    mutating func observe(_ step: TrainingStep) -> [(name: String, nextBatchSize: Int)] {
        policies.indices.map { index in
            let decision = policies[index].policy.observe(
                step.report.statistics, learningRate: step.effectiveLearningRate)
            return (policies[index].name, decision.nextBatchSize)
        }
    }

    /// Every rule's encoding, to be stored.
    func state() throws -> [Data] { try policies.map { try $0.policy.stored() } }

    /// Goes to a stored state.
    mutating func restore(_ state: [Data]) throws {
        for (index, data) in state.enumerated() where policies.indices.contains(index) {
            policies[index].policy = try policies[index].policy.restored(from: data)
        }
    }
}
