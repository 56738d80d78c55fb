import Foundation

/// What training makes small: a function of one example's output z and target t, both of K values.
public enum Loss: String, Sendable, Hashable, Codable, CaseIterable {
    /// `−Σₖ tₖ log softmax(z)ₖ`. The target is a probability for each class, for a known class one at its place.
    case softmaxCrossEntropy = "softmax-cross-entropy"
    /// `−(1/K) Σₖ (tₖ log σ(zₖ) + (1 − tₖ) log(1 − σ(zₖ)))` with the logistic function σ. Each target is a probability.
    case sigmoidCrossEntropy = "sigmoid-cross-entropy"
    /// `(1/K) Σₖ (zₖ − tₖ)²`.
    case meanSquaredError = "mean-squared-error"

    /// The loss of one example.
    ///
    /// - Parameters:
    ///   - output: The network's output z.
    ///   - target: The target t.
    ///   - gradient: Receives the gradient of the loss with respect to the output.
    func evaluate(
        output: UnsafeBufferPointer<Float>, target: UnsafeBufferPointer<Float>,
        gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        switch self {
        case .softmaxCrossEntropy: Self.softmaxCrossEntropy(output, target, gradient)
        case .sigmoidCrossEntropy: Self.sigmoidCrossEntropy(output, target, gradient)
        case .meanSquaredError: Self.meanSquaredError(output, target, gradient)
        }
    }

    private static func softmaxCrossEntropy(
        _ output: UnsafeBufferPointer<Float>, _ target: UnsafeBufferPointer<Float>,
        _ gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        // Relative to the largest output, no exponential overflows. A maximum that is not a number must not hide.
        let largest = Double(output.reduce(-Float.infinity) { $0.isNaN ? $0 : ($1 > $0 || $1.isNaN ? $1 : $0) })
        var total = 0.0
        var targetSum = 0.0
        for index in output.indices {
            let exponential = exp(Double(output[index]) - largest)
            gradient[index] = Float(exponential)
            total += exponential
            targetSum += Double(target[index])
        }
        let logTotal = log(total)
        var loss = 0.0
        for index in output.indices {
            let weight = Double(target[index])
            if weight != 0 { loss -= weight * (Double(output[index]) - largest - logTotal) }
            gradient[index] = Float(targetSum * Double(gradient[index]) / total - weight)
        }
        return loss
    }

    private static func sigmoidCrossEntropy(
        _ output: UnsafeBufferPointer<Float>, _ target: UnsafeBufferPointer<Float>,
        _ gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        let count = Double(output.count)
        var loss = 0.0
        for index in output.indices {
            let (value, weight) = (Double(output[index]), Double(target[index]))
            // log(1 + exp(−|z|)) never overflows.
            let decay = exp(-abs(value))
            loss += max(value, 0) - value * weight + log1p(decay)
            let probability = value >= 0 ? 1 / (1 + decay) : decay / (1 + decay)
            gradient[index] = Float((probability - weight) / count)
        }
        return loss / count
    }

    private static func meanSquaredError(
        _ output: UnsafeBufferPointer<Float>, _ target: UnsafeBufferPointer<Float>,
        _ gradient: UnsafeMutableBufferPointer<Float>
    ) -> Double {
        let count = Double(output.count)
        var loss = 0.0
        for index in output.indices {
            let difference = Double(output[index]) - Double(target[index])
            loss += difference * difference
            gradient[index] = Float(2 * difference / count)
        }
        return loss / count
    }

    /// What an output says of each class, as probabilities where the loss takes it for such: softmax or the logistic function of it; the
    /// values themselves under the squared error.
    public func scores(of output: some Collection<Float>) -> [Double] {
        switch self {
        case .softmaxCrossEntropy:
            let largest = Double(output.max() ?? 0)
            let exponentials = output.map { exp(Double($0) - largest) }
            let total = exponentials.reduce(0, +)
            return exponentials.map { $0 / total }
        case .sigmoidCrossEntropy: return output.map { 1 / (1 + exp(-Double($0))) }
        case .meanSquaredError: return output.map { Double($0) }
        }
    }

    /// Whether an output is right: its largest value stands where the target's does; with a single value, both lie
    /// on the same side of one half (in probability, for the cross-entropies).
    func isCorrect(output: UnsafeBufferPointer<Float>, target: UnsafeBufferPointer<Float>) -> Bool {
        if output.count == 1 {
            let threshold: Float = self == .meanSquaredError ? 0.5 : 0
            return (output[0] > threshold) == (target[0] > 0.5)
        }
        return Self.indexOfLargest(output) == Self.indexOfLargest(target)
    }

    private static func indexOfLargest(_ values: UnsafeBufferPointer<Float>) -> Int {
        var best = 0
        for index in values.indices where values[index] > values[best] { best = index }
        return best
    }
}
