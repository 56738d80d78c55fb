import Foundation

/// What training makes small: a function of one example's output z and target t, both of K values.
public enum Loss: String, Sendable, Hashable, Codable, CaseIterable {
    /// `−Σₖ tₖ log softmax(z)ₖ`. The target is a probability for each class, for a known class one at its place.
    case softmaxCrossEntropy = "softmax-cross-entropy"
    /// `−(1/K) Σₖ (tₖ log σ(zₖ) + (1 − tₖ) log(1 − σ(zₖ)))` with the logistic function σ. Each target is a probability.
    case sigmoidCrossEntropy = "sigmoid-cross-entropy"
    /// `(1/K) Σₖ (zₖ − tₖ)²`.
    case meanSquaredError = "mean-squared-error"
    /// `(1/K) Σₖ h(zₖ − tₖ)` with `h(r) = r²/2` for |r| ≤ 1 and `|r| − 1/2` beyond: a few targets that are far off do not rule the gradient
    /// (Huber 1964; PyTorch's `HuberLoss` and `SmoothL1Loss`).
    case huber

    /// Whether it compares values, of which targets that are values to be predicted need one; others compare probabilities.
    public var comparesValues: Bool { scoreFunction == .identity }

    /// What makes of an output what it says of each class: probabilities, where the loss takes it for such.
    public var scoreFunction: ScoreFunction {
        switch self {
        case .softmaxCrossEntropy: .softmax
        case .sigmoidCrossEntropy: .logistic
        case .meanSquaredError, .huber: .identity
        }
    }

    /// The loss of one example.
    ///
    /// - Parameters:
    ///   - output: The network's output z.
    ///   - target: The target t.
    ///   - gradient: Receives the gradient of the loss with respect to the output.
    func evaluate(
        output: UnsafeBufferPointer<Float>, target: LossTarget, gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        switch target {
        case .class(let label, let kept, let spread):
            evaluate(output, gradient) { Double(($0 == label ? kept : 0) + spread) }
        case .values(let values): evaluate(output, gradient) { Double(values[$0]) }
        }
    }

    /// - Parameter target: The value tₖ.
    @inline(__always)
    private func evaluate(
        _ output: UnsafeBufferPointer<Float>, _ gradient: UnsafeMutableBufferPointer<Float>, _ target: (Int) -> Double
    ) -> Double {
        switch self {
        case .softmaxCrossEntropy: Self.softmaxCrossEntropy(output, gradient, target)
        case .sigmoidCrossEntropy: Self.sigmoidCrossEntropy(output, gradient, target)
        case .meanSquaredError: Self.mean(output, gradient, target) { ($0 * $0, 2 * $0) }
        case .huber:
            Self.mean(output, gradient, target) { difference in
                // r²/2 within the bounds; beyond, |r| − 1/2.
                let bounded = min(max(difference, -1), 1)
                return (bounded * (difference - bounded / 2), bounded)
            }
        }
    }

    @inline(__always)
    private static func softmaxCrossEntropy(
        _ output: UnsafeBufferPointer<Float>, _ gradient: UnsafeMutableBufferPointer<Float>, _ target: (Int) -> Double
    ) -> Double {
        // Relative to the largest output, no exponential overflows. A maximum that is not a number must not hide.
        let largest = Double(output.reduce(-Float.infinity) { $0.isNaN ? $0 : ($1 > $0 || $1.isNaN ? $1 : $0) })
        var total = 0.0
        var targetSum = 0.0
        for index in output.indices {
            let exponential = exp(Double(output[index]) - largest)
            gradient[index] = Float(exponential)
            total += exponential
            targetSum += target(index)
        }
        let logTotal = log(total)
        var loss = 0.0
        for index in output.indices {
            let weight = target(index)
            if weight != 0 { loss -= weight * (Double(output[index]) - largest - logTotal) }
            gradient[index] = Float(targetSum * Double(gradient[index]) / total - weight)
        }
        return loss
    }

    @inline(__always)
    private static func sigmoidCrossEntropy(
        _ output: UnsafeBufferPointer<Float>, _ gradient: UnsafeMutableBufferPointer<Float>, _ target: (Int) -> Double
    ) -> Double {
        let count = Double(output.count)
        var loss = 0.0
        for index in output.indices {
            let (value, weight) = (Double(output[index]), target(index))
            // log(1 + exp(−|z|)) never overflows.
            let decay = exp(-abs(value))
            loss += max(value, 0) - value * weight + log1p(decay)
            let probability = value >= 0 ? 1 / (1 + decay) : decay / (1 + decay)
            gradient[index] = Float((probability - weight) / count)
        }
        return loss / count
    }

    /// The mean of a function of the differences zₖ − tₖ.
    ///
    /// - Parameter function: Gives the function's value and its derivative.
    @inline(__always)
    private static func mean(
        _ output: UnsafeBufferPointer<Float>, _ gradient: UnsafeMutableBufferPointer<Float>, _ target: (Int) -> Double,
        _ function: (_ difference: Double) -> (value: Double, derivative: Double)
    ) -> Double {
        let count = Double(output.count)
        var loss = 0.0
        for index in output.indices {
            let (value, derivative) = function(Double(output[index]) - target(index))
            loss += value
            gradient[index] = Float(derivative / count)
        }
        return loss / count
    }

    /// Whether an output is right: its largest value stands at the class, or where the target's does; with a single value, both lie
    /// on the same side of one half (in probability, for the cross-entropies).
    func isCorrect(output: UnsafeBufferPointer<Float>, target: LossTarget) -> Bool {
        if output.count == 1 {
            let threshold: Float = comparesValues ? 0.5 : 0
            let isPositive =
                switch target {
                case .class: true
                case .values(let values): values[0] > 0.5
                }
            return (output[0] > threshold) == isPositive
        }
        return switch target {
        case .class(let label, _, _): Self.indexOfLargest(output) == label
        case .values(let values): Self.indexOfLargest(output) == Self.indexOfLargest(values)
        }
    }

    private static func indexOfLargest(_ values: UnsafeBufferPointer<Float>) -> Int {
        var best = 0
        for index in values.indices where values[index] > values[best] { best = index }
        return best
    }
}

/// What the loss compares one example's output with.
enum LossTarget {
    /// A class: the part of the target that stays there, and the part that each class has.
    case `class`(Int, kept: Float, spread: Float)
    case values(UnsafeBufferPointer<Float>)
}
