import Foundation
import Testing

@testable import CABS

@Suite(.timeLimit(.minutes(10))) struct CoupledBatchSizePerSecondTests {
    /// A step whose CABS batch is 100 at rate 1: variance 100 to a loss of 1.
    static let step = StepStatistics(exampleCount: 50, meanLoss: 1, secondMoment: 101, gradientSquaredNorm: 1)

    static func policy(_ fixedCost: Double?, bounds: ClosedRange<Int> = 1...100_000) throws -> CoupledBatchSizePerSecond
    {
        try CoupledBatchSizePerSecond(
            CoupledAdaptiveBatchSize(bounds: bounds, initialBatchSize: 50, smoothingFactor: 0), fixedCost: fixedCost)
    }

    /// The slope by finite differences.
    @Test(arguments: [(20.0, 5.0), (20, 0), (3, 400)])
    func `errors of CABS become errors of the size per second`(size: Double, cost: Double) throws {
        var policy = try CoupledBatchSizePerSecond(
            CoupledAdaptiveBatchSize(bounds: 1...100_000, smoothingFactor: 0), fixedCost: cost)
        let decision = policy.observe(
            StepStatistics(
                exampleCount: 10, meanLoss: 1, secondMoment: size + 1, gradientSquaredNorm: 1,
                secondMomentStandardError: 0.5), learningRate: 1)
        let (low, high) = (
            CoupledBatchSizePerSecond.rawBatchSize(coupled: size - 1e-4, fixedCost: cost),
            CoupledBatchSizePerSecond.rawBatchSize(coupled: size + 1e-4, fixedCost: cost)
        )
        let slope = (high - low) / 2e-4
        #expect(abs(try #require(decision.rawBatchSizeStandardError) - 0.5 * slope) < 1e-6)
    }

    @Test(arguments: [1.0, 20, 100, 1e4], [0.0, 8, 300, 5000])
    func `no other size makes more progress per time`(coupled: Double, fixedCost: Double) {
        // With A = 1 and B = m_c/2.
        func progress(_ m: Double) -> Double { (1 - coupled / (2 * m)) / (fixedCost + m) }
        let best = CoupledBatchSizePerSecond.rawBatchSize(coupled: coupled, fixedCost: fixedCost)
        for factor in [0.5, 0.9, 0.999, 1.001, 1.1, 2] { #expect(progress(best * factor) < progress(best)) }
        if fixedCost == 0 { #expect(best == coupled) }
    }

    @Test func `a given cost decides, and both numbers are told`() throws {
        var policy = try Self.policy(400)
        let decision = policy.observe(Self.step, learningRate: 1)
        // 50 (1 + sqrt(1 + 8)).
        #expect(decision.nextBatchSize == 200)
        #expect(decision.coupledBatchSize == 100 && decision.fixedCost == 400)
        policy.observe(StepCost(fixedSeconds: 1, secondsPerExample: 1))
        #expect(policy.fixedCost == 400)
    }

    @Test func `a cost is measured through disturbances, and taken up when it is known well`() throws {
        var policy = try Self.policy(nil)
        var random = SystemRandomNumberGenerator()
        for index in 0..<200 {
            #expect(policy.fixedCost == 0 || index >= 31)
            // Noise of a tenth, and every eighth step is held up ten times as long.
            let noise = 1 + Double.random(in: -0.1...0.1, using: &random)
            let held = index % 8 == 3 ? 10.0 : 1
            policy.observe(StepCost(fixedSeconds: 0.03 * noise * held, secondsPerExample: 1e-4 * held))
            _ = policy.observe(Self.step, learningRate: 1)
        }
        #expect(abs(policy.fixedCost - 300) < 30)
    }

    @Test func `a cost that changes nothing that matters is not taken up`() throws {
        var policy = try Self.policy(nil)
        _ = policy.observe(Self.step, learningRate: 1)
        // Two examples where CABS takes 100: 101 of them, and a ten-thousandth of progress.
        for _ in 0..<100 { policy.observe(StepCost(fixedSeconds: 2e-4, secondsPerExample: 1e-4)) }
        #expect(policy.fixedCost == 0)
        for _ in 0..<100 { policy.observe(StepCost(fixedSeconds: 2e-2, secondsPerExample: 1e-4)) }
        #expect(abs(policy.fixedCost - 200) < 1)
    }

    @Test func `a stored rule goes on with the cost that it had, and goes on measuring`() throws {
        var policy = try Self.policy(nil)
        for _ in 0..<100 { policy.observe(StepCost(fixedSeconds: 2e-2, secondsPerExample: 1e-4)) }
        var stored = try JSONDecoder().decode(CoupledBatchSizePerSecond.self, from: JSONEncoder().encode(policy))
        #expect(abs(stored.fixedCost - 200) < 1 && !stored.isGiven)
        for _ in 0..<100 { stored.observe(StepCost(fixedSeconds: 9e-2, secondsPerExample: 1e-4)) }
        #expect(abs(stored.fixedCost - 900) < 1)
        let given = try JSONDecoder().decode(
            CoupledBatchSizePerSecond.self, from: JSONEncoder().encode(Self.policy(7)))
        #expect(given.isGiven && given.fixedCost == 7)
    }

    @Test(arguments: [-1, .infinity, .nan]) func `an impossible cost is refused`(cost: Double) {
        #expect(throws: BatchSizePolicyError.self) { try Self.policy(cost) }
    }

    @Test func `times that are none are passed over`() {
        var estimate = FixedCostEstimate()
        for _ in 0..<40 {
            estimate.add(StepCost(fixedSeconds: .nan, secondsPerExample: 1))
            estimate.add(StepCost(fixedSeconds: 1, secondsPerExample: 0))
        }
        #expect(estimate.value == nil)
    }
}
