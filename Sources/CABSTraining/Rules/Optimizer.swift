import CABSNetwork

/// What changes the parameters in a run: an update with its learning rates.
public protocol Optimizer: Sendable {
    /// The learning rate α over the run.
    var schedule: LearningRateSchedule { get }
    /// The weight decay λ.
    var weightDecay: Double { get }
    /// How a step changes the parameters.
    var update: UpdateMethod { get }
}

extension Optimizer {
    /// Checks the options; the update's constants are checked where a network is set up.
    ///
    /// - Throws: ``TrainingError``.
    func validate() throws(TrainingError) {
        try schedule.validate()
        guard weightDecay >= 0, weightDecay.isFinite else {
            throw .negative(option: "weight decay", value: weightDecay)
        }
    }

    /// The rate that a batch-size rule reads: that of an update along the gradient which goes as far in the long run.
    func effectiveLearningRate(_ rate: Double) -> Double { rate * update.effectiveRateFactor }
}

/// Stochastic gradient descent with the learning rate α and the weight decay λ: plain, `w ← w − α (g + λ w)`, or with momentum.
///
/// CABS assumes an update along the gradient. Under momentum β it reads the rate α / (1 − β), to which a gradient's effects sum up.
public struct SGD: Optimizer, Hashable {
    /// The learning rate α over the run.
    public let schedule: LearningRateSchedule
    /// The momentum β; zero for plain descent.
    public let momentum: Double
    /// Whether the momentum is Nesterov's.
    public let isNesterov: Bool
    /// The weight decay λ.
    public let weightDecay: Double

    /// Creates the optimiser; its options are checked when a trainer is made.
    public init(
        schedule: LearningRateSchedule, momentum: Double = 0, isNesterov: Bool = false, weightDecay: Double = 0
    ) {
        self.schedule = schedule
        self.momentum = momentum
        self.isNesterov = isNesterov
        self.weightDecay = weightDecay
    }

    /// Creates the optimiser with a constant learning rate.
    public init(learningRate: Double, momentum: Double = 0, isNesterov: Bool = false, weightDecay: Double = 0) {
        self.init(
            schedule: .constant(learningRate), momentum: momentum, isNesterov: isNesterov, weightDecay: weightDecay)
    }

    /// The update.
    public var update: UpdateMethod {
        momentum == 0 ? .gradientDescent : .momentum(momentum, isNesterov: isNesterov)
    }
}

/// Adam, or AdamW, with the learning rate α and the weight decay λ; see `UpdateMethod`.
///
/// CABS does not go with it: its derivation assumes a step along the gradient. Every other rule does.
public struct Adam: Optimizer, Hashable {
    /// The learning rate α over the run.
    public let schedule: LearningRateSchedule
    /// The weight of the past in the average of gradients.
    public let firstDecay: Double
    /// The weight of the past in the average of their squares.
    public let secondDecay: Double
    /// What is added to the denominator.
    public let epsilon: Double
    /// The weight decay λ.
    public let weightDecay: Double
    /// Whether the weight decay shrinks the parameters by itself, as AdamW does, and is not a part of the gradient.
    public let decouplesWeightDecay: Bool

    /// Creates the optimiser; its options are checked when a trainer is made.
    public init(
        schedule: LearningRateSchedule, firstDecay: Double = 0.9, secondDecay: Double = 0.999, epsilon: Double = 1e-8,
        weightDecay: Double = 0, decouplesWeightDecay: Bool = false
    ) {
        self.schedule = schedule
        self.firstDecay = firstDecay
        self.secondDecay = secondDecay
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.decouplesWeightDecay = decouplesWeightDecay
    }

    /// The update.
    public var update: UpdateMethod {
        .adam(
            firstDecay: firstDecay, secondDecay: secondDecay, epsilon: epsilon,
            decouplesWeightDecay: decouplesWeightDecay)
    }
}
