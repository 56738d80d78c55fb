import CABS
import Foundation

/// Standard normal numbers that follow from a seed.
struct Gaussian {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    private mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }

    mutating func next() -> Double { (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform()) }

    /// A whole number from 0 up to `bound`.
    mutating func index(below bound: Int) -> Int { Int(uniform() * Double(bound)) }
}

extension [[Double]] {
    /// The statistics of these gradients of single examples, by their formulas.
    var statistics: StepStatistics {
        let count = Double(count)
        let mean = self[0].indices.map { index in reduce(0) { $0 + $1[index] } / count }
        func squaredNorm(_ vector: [Double]) -> Double { vector.reduce(0) { $0 + $1 * $1 } }
        return StepStatistics(
            exampleCount: self.count, meanLoss: .nan,
            secondMoment: reduce(0) { $0 + squaredNorm($1) } / count, gradientSquaredNorm: squaredNorm(mean))
    }
}
