/// How the learning rate follows the batch size, relative to the first batch's.
///
/// A batch-size rule that reads the learning rate, as CABS does, reads the rate before it: else it would feed on itself.
public enum RateScaling: String, Sendable, Hashable, Codable, CaseIterable {
    /// α m/m₀, which keeps the noise of steps along the gradient as it was (Goyal et al. 2017, arXiv 1706.02677).
    case linear
    /// α √(m/m₀), usual with Adam (Malladi, Lyu, Panigrahi, Arora 2022, arXiv 2205.10287).
    case squareRoot = "sqrt"

    /// What the rate is multiplied by.
    func factor(batchSize: Int, first: Int) -> Double {
        let ratio = Double(batchSize) / Double(first)
        return self == .linear ? ratio : ratio.squareRoot()
    }
}
