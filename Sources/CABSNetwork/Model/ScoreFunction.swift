import Foundation

/// What turns a network's output into what it says of each class.
public enum ScoreFunction: Sendable, Hashable {
    /// `exp zₖ / Σⱼ exp zⱼ`: probabilities of classes of which one is right.
    case softmax
    /// `1 / (1 + exp(−zₖ))`: a probability for each class by itself.
    case logistic
    /// The values themselves.
    case identity

    /// The scores of an output.
    public func callAsFunction(_ output: some Collection<Float>) -> [Double] {
        switch self {
        case .softmax:
            // Relative to the largest output, no exponential overflows.
            let largest = Double(output.max() ?? 0)
            let exponentials = output.map { exp(Double($0) - largest) }
            let total = exponentials.reduce(0, +)
            return exponentials.map { $0 / total }
        case .logistic: return output.map { 1 / (1 + exp(-Double($0))) }
        case .identity: return output.map { Double($0) }
        }
    }
}
