import CABS
import CABSData
import Foundation

/// A trainer's state beside the parameters.
struct TrainerState: Codable {
    let progress: TrainingProgress
    let order: ExampleOrder
    /// The policy in its own encoding.
    let policy: Data
    /// The size that the next batch is to have.
    let batchSize: Int
    /// What the schedule's learning rate is multiplied by.
    let learningRateFactor: Double
    /// How many examples have a part in the average of the parameters; nothing in states of versions that kept none.
    let averagedExampleCount: Int?

    var stage: TrainingStage { TrainingStage(progress: progress, learningRateFactor: learningRateFactor) }

    /// Checks that a run which draws in this order can have come to the state.
    ///
    /// - Throws: ``TrainingError/impossibleState(_:)``.
    func check(fits own: ExampleOrder) throws(TrainingError) {
        func require(_ holds: Bool, _ flaw: String) throws(TrainingError) {
            guard holds else { throw .impossibleState(flaw) }
        }
        try require(order.kind == own.kind, "it draws in the order \(order.kind), and the run in \(own.kind)")
        try require(
            order.exampleCount == own.exampleCount && progress.examplesPerEpoch == own.exampleCount,
            "it counts \(progress.examplesPerEpoch) training examples of \(own.exampleCount)")
        try require(
            order.drawnCount == progress.exampleCount && progress.stepCount <= progress.exampleCount,
            "it counts \(progress.stepCount) steps, \(progress.exampleCount) examples, and \(order.drawnCount) drawn")
        // Far from where the sum of two counts could not be represented.
        try require(progress.exampleCount < 1 << 60, "it counts \(progress.exampleCount) examples")
        try require(
            (0...progress.exampleCount).contains(averagedExampleCount ?? 0),
            "it averages over \(averagedExampleCount ?? 0) of \(progress.exampleCount) examples")
        try require(
            learningRateFactor > 0 && learningRateFactor <= 1,
            "it multiplies the learning rate by \(learningRateFactor)")
    }
}

/// How far training has come, as far as learning rates go by it.
public struct TrainingStage: Sendable, Hashable {
    /// How far the run has come.
    public let progress: TrainingProgress
    /// What the schedule's learning rate is multiplied by: less than one after the run went back.
    public let learningRateFactor: Double

    /// The schedule's learning rate for the step that comes next.
    func learningRate(of optimizer: any Optimizer) -> Double {
        learningRateFactor * optimizer.schedule.learningRate(at: progress)
    }
}

extension BatchSizePolicy {
    /// The policy's encoded form.
    func stored() throws -> Data { try JSONEncoder().encode(self) }

    /// A policy of this one's type from its encoded form.
    func restored(from data: Data) throws -> Self {
        try JSONDecoder().decode(Self.self, from: data)
    }
}
