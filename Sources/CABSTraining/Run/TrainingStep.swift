import CABS
import CABSNetwork

/// One step of a run.
public struct TrainingStep: Sendable {
    /// The step's number, counted from 0.
    public let index: Int
    /// The learning rate of the update.
    public let learningRate: Double
    /// The learning rate that the policy reads: the schedule's, without the smaller one of a last step on a remnant and without what follows the batch size, times what
    /// momentum makes of it.
    public let effectiveLearningRate: Double
    /// What was computed, before the update.
    public let report: StepReport
    /// What the batch-size policy made of it.
    public let decision: BatchSizeDecision
    /// How far the run has come with this step.
    public let progress: TrainingProgress

    /// What the ranks told each other with the step, where there are several.
    let notice: RankNotice?
    let predictsValues: Bool

    /// The mean loss of the batch, before the update.
    public var loss: Double { report.statistics.meanLoss }
    /// The number of examples in the step's batch.
    public var batchSize: Int { report.statistics.exampleCount }
    /// The part of the batch, from 0 to 1, that was classified correctly before the update; nothing where there are no classes.
    public var accuracy: Double? { predictsValues ? nil : Double(report.correctCount) / Double(batchSize) }
}

/// The steps of a run as an asynchronous sequence.
public struct TrainingSteps: AsyncSequence, Sendable {
    let trainer: Trainer
    let length: TrainingLength

    /// Starts to make steps.
    public func makeAsyncIterator() -> Iterator {
        Iterator(trainer: trainer, length: length)
    }

    /// Makes one step at a time.
    public struct Iterator: AsyncIteratorProtocol {
        let trainer: Trainer
        let length: TrainingLength

        /// Makes the next step; none once the length is reached.
        ///
        /// - Throws: What ``Trainer/step(examplesLeft:)`` throws, and `CancellationError` where the task is cancelled.
        public mutating func next() async throws -> TrainingStep? {
            try Task.checkCancellation()
            return try await trainer.step(within: length)
        }
    }
}
