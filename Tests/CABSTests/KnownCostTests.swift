import Foundation
import Testing

@testable import CABS

/// The measured cost of a step where the right one is known.
@Suite(.timeLimit(.minutes(10))) struct KnownCostTests {
    private static func estimate(_ costs: [StepCost]) -> (examples: Double, standardError: Double)? {
        var estimate = FixedCostEstimate()
        for cost in costs { estimate.add(cost) }
        return estimate.value
    }

    @Test func `steps that all cost the same have a cost without an error, once there are 32`() throws {
        let cost = StepCost(fixedSeconds: 0.03, secondsPerExample: 1e-4)
        #expect(Self.estimate(Array(repeating: cost, count: 31)) == nil)
        let found = try #require(Self.estimate(Array(repeating: cost, count: 32)))
        #expect(abs(found.examples - 300) < 1e-9 && found.standardError == 0)
    }

    /// Costs 1 to 33 have the median 17 and the quartiles 9 and 25, so the error 1.2533 · 16 / 1.349 / √33.
    private static let spread = 1.2533 * 16 / 1.349 / 33.0.squareRoot()

    @Test func `the fixed part's error is that of its median, in examples`() throws {
        let costs = Self.mixed(by: 8).map { StepCost(fixedSeconds: $0, secondsPerExample: 0.5) }
        let found = try #require(Self.estimate(costs))
        #expect(abs(found.examples - 34) < 1e-9 && abs(found.standardError - Self.spread / 0.5) < 1e-9)
    }

    /// The numbers 1 to 33, each once, in an order that follows from the step between them.
    private static func mixed(by step: Int) -> [Double] { (1...33).map { Double(($0 * step) % 33 + 1) } }

    @Test func `errors of both parts add up as those of a ratio`() throws {
        let costs = zip(Self.mixed(by: 8), Self.mixed(by: 5)).map { StepCost(fixedSeconds: $0, secondsPerExample: $1) }
        let found = try #require(Self.estimate(costs))
        // r = 1, and each part is off by spread/17 of itself.
        #expect(abs(found.examples - 1) < 1e-9)
        let expected = 2.0.squareRoot() * Self.spread / 17
        #expect(abs(found.standardError - expected) < 1e-9)
    }

    @Test func `the last 64 steps count`() throws {
        let old = Array(repeating: StepCost(fixedSeconds: 9, secondsPerExample: 1), count: 50)
        let new = Array(repeating: StepCost(fixedSeconds: 2, secondsPerExample: 1), count: 33)
        // 31 old ones and 33 new ones, and the other way round.
        #expect(try #require(Self.estimate(old + new)).examples == 2)
        #expect(try #require(Self.estimate(old + new.dropLast(2))).examples == 9)
    }

    /// Of repetitions with noise, two errors hold the true cost about as often as they should.
    @Test func `two standard errors hold the true cost`() throws {
        var random = Gaussian(seed: 4)
        var held = 0
        for _ in 0..<300 {
            let costs = (0..<64).map { _ in
                StepCost(fixedSeconds: 3 + 0.3 * random.next(), secondsPerExample: 0.01 * (1 + 0.1 * random.next()))
            }
            let found = try #require(Self.estimate(costs))
            if abs(found.examples - 300) <= 2 * found.standardError { held += 1 }
        }
        #expect((270...298).contains(held), "\(held) of 300")
    }
}
