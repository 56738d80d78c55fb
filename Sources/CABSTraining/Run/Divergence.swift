/// Where a run's numbers went wrong: what a step found before it was made.
public struct Divergence: Sendable, Hashable, Codable {
    /// The step's number, from 0.
    public let step: Int
    /// The batch's mean loss; nothing where it is not a number.
    public let loss: Double?
    /// The first parameter whose gradient is not finite; nothing where it is the loss alone.
    public let parameter: String?
    /// The learning rate.
    public let learningRate: Double
    /// The number of examples in the batch.
    public let batchSize: Int
    /// The batch's examples, by their indices in the training set; empty where an evaluation found it.
    public let examples: [Int]

    init(
        step: Int, loss: Double, parameter: String? = nil, learningRate: Double, batchSize: Int, examples: [Int] = []
    ) {
        self.step = step
        // JSON has no other numbers.
        self.loss = loss.isFinite ? loss : nil
        self.parameter = parameter
        self.learningRate = learningRate
        self.batchSize = batchSize
        self.examples = examples
    }
}
