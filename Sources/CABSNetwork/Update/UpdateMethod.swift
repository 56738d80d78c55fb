import CABSPrimitives

/// How a step changes the parameters w, given the mean gradient g of its batch, the learning rate α and the weight decay λ.
///
/// What a method keeps for each value from step to step, its slots, starts at zero and belongs to the network's state:
/// ``Network/optimizerState()``.
public enum UpdateMethod: Sendable, Hashable {
    /// Stochastic gradient descent, `w ← w − α (g + λ w)`.
    case gradientDescent
    /// With momentum β, as PyTorch has it (without dampening): `v ← β v + g + λ w`, and then `w ← w − α v` (heavy ball, Polyak 1964),
    /// or `w ← w − α (g + λ w + β v)` (Nesterov 1983; Sutskever, Martens, Dahl, Hinton 2013).
    case momentum(Double, isNesterov: Bool = false)
    /// Adam (Kingma and Ba 2015, arXiv 1412.6980); AdamW where the weight decay is decoupled (Loshchilov and Hutter 2019,
    /// arXiv 1711.05101). With the step's number t from 1, all squares and roots value by value:
    ///
    ///     m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
    ///     w ← w − α (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
    ///
    /// where g has λ w added, or, decoupled, w is multiplied by 1 − α λ first.
    case adam(
        firstDecay: Double = 0.9, secondDecay: Double = 0.999, epsilon: Double = 1e-8,
        decouplesWeightDecay: Bool = false)

    /// What the learning rate is multiplied by in the long run: a gradient's effect under momentum β sums up to α / (1 − β)
    /// (Smith, Kindermans, Ying, Le 2018, arXiv 1711.00489, section 4); one where there is no such number.
    public var effectiveRateFactor: Double {
        if case .momentum(let beta, _) = self { 1 / (1 - beta) } else { 1 }
    }

    /// Whether a step goes along the gradient, or an average of gradients, with the same rate for all values. CABS assumes it.
    public var followsGradient: Bool {
        if case .adam = self { false } else { true }
    }

    /// Checks that every constant is in its range.
    ///
    /// - Throws: ``EngineError/constantOutOfRange(name:value:allowed:)``.
    func validate() throws(EngineError) {
        func require(_ holds: Bool, _ name: String, _ value: Double, _ allowed: String) throws(EngineError) {
            guard holds else { throw .constantOutOfRange(name: name, value: value, allowed: allowed) }
        }
        switch self {
        case .gradientDescent: break
        case .momentum(let beta, _):
            try require((0..<1).contains(beta), "momentum", beta, "0 up to, not including, 1")
        case .adam(let first, let second, let epsilon, _):
            try require((0..<1).contains(first), "first decay of Adam", first, "0 up to, not including, 1")
            try require((0..<1).contains(second), "second decay of Adam", second, "0 up to, not including, 1")
            try require(epsilon > 0 && epsilon.isFinite, "epsilon of Adam", epsilon, "a positive number")
        }
    }

    /// The method's computation.
    var rule: any UpdateRule {
        switch self {
        case .gradientDescent: GradientDescentRule()
        case .momentum(let beta, isNesterov: false): MomentumRule(beta: Float(beta))
        case .momentum(let beta, isNesterov: true): NesterovRule(beta: Float(beta))
        case .adam(let first, let second, let epsilon, let decouples):
            AdamRule(firstDecay: first, secondDecay: second, epsilon: epsilon, decouplesWeightDecay: decouples)
        }
    }
}

/// What one step is made with.
public struct UpdateStep: Sendable, Hashable {
    /// The learning rate α.
    public let learningRate: Double
    /// The weight decay λ.
    public let weightDecay: Double
    /// The largest mean loss with which the step is still made.
    public let lossBound: Double
    /// The largest norm that the mean gradient may have; a longer one is shortened to it before the update (Pascanu, Mikolov, Bengio 2013,
    /// arXiv 1211.5063). What the step reports is not shortened.
    public let gradientBound: Double
    /// How many updates were made before.
    public let updateCount: Int

    /// Creates the step.
    public init(
        learningRate: Double, weightDecay: Double = 0, lossBound: Double = .greatestFiniteMagnitude,
        gradientBound: Double = .infinity, updateCount: Int = 0
    ) {
        self.learningRate = learningRate
        self.weightDecay = weightDecay
        self.lossBound = lossBound
        self.gradientBound = gradientBound
        self.updateCount = updateCount
    }

    /// Whether the gradient's norm must be known before the update.
    var clips: Bool { gradientBound < .infinity }
}
