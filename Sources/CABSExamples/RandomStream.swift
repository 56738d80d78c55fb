import Foundation

/// A stream of random numbers that depends on nothing but a seed, what the numbers are for, and an index.
///
/// Two streams that differ in any of the three are independent, so that draws can be made on any thread in any
/// order and a run is repeated by its seed. The generator is SplitMix64 (Steele, Lea and Flood 2014).
public struct RandomStream: RandomNumberGenerator, Sendable {
    /// What random numbers are for.
    public enum Purpose: UInt64, Sendable {
        /// The first parameters; the index is the parameter's.
        case initialization = 1
        /// The order of examples; the index is the epoch.
        case shuffling
        /// Augmentation; the index counts the examples drawn since the run began.
        case augmentation
        /// Dropout; the index counts the examples drawn since the run began.
        case dropout
        /// The seeds of dropout layers; the index is the layer's position.
        case dropoutLayer
        /// What is measured of a network beside its run, whatever the run drew: its examples and their draws; the index is 0.
        case measurement
        /// The order of a continuation's examples, apart from the run's; the index is 0.
        case branching
    }

    private var state: UInt64

    /// Creates the stream of a seed, a purpose and an index.
    public init(seed: UInt64, purpose: Purpose, index: UInt64) {
        state = Self.mixed(Self.mixed(Self.mixed(seed) ^ purpose.rawValue) ^ index)
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.finalized(state)
    }

    /// Passes over the next `count` draws of 64 bits.
    package mutating func skip(_ count: Int) {
        state &+= UInt64(count) &* Self.increment
    }

    /// A number drawn uniformly from [0, 1).
    public mutating func nextUniform() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// An integer drawn uniformly from `0..<bound`, by multiplication and rejection (Lemire 2019).
    ///
    /// Not the standard library's, whose results may change with its version.
    public mutating func nextInteger(below bound: Int) -> Int {
        let range = UInt64(bound)
        var product = next().multipliedFullWidth(by: range)
        if product.low < range {
            let threshold = (0 &- range) % range
            while product.low < threshold { product = next().multipliedFullWidth(by: range) }
        }
        return Int(product.high)
    }

    /// A number drawn from the standard normal distribution (Box and Muller 1958).
    public mutating func nextNormal() -> Double {
        let radius = (-2 * log(1 - nextUniform())).squareRoot()
        return radius * cos(2 * .pi * nextUniform())
    }

    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    private static func mixed(_ value: UInt64) -> UInt64 {
        finalized(value &+ increment)
    }

    private static func finalized(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
