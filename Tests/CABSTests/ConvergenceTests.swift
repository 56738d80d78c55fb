import CABS
import Foundation
import Testing

/// What the rule is for: at a constant learning rate the noise of CABS falls with the loss, where that of a constant batch stays.
@Suite(.timeLimit(.minutes(10))) struct ConvergenceTests {
    /// Gradient descent on F(w) = L/2 ‖w‖² with example gradients L w + ε, ε normal with covariance of trace T.
    struct NoisyQuadratic {
        let curvature = 2.0
        let trace = 50.0
        let dimension = 10
        var point: [Double]
        var random = Gaussian(seed: 4)

        init() { point = Array(repeating: 3, count: dimension) }

        var loss: Double { curvature / 2 * point.reduce(0) { $0 + $1 * $1 } }

        /// Takes a step with a batch's mean gradient, drawn as such: its noise has covariance of trace T/m.
        mutating func step(batchSize: Int, learningRate: Double) -> StepStatistics {
            let m = Double(batchSize)
            let deviation = (trace / Double(dimension) / m).squareRoot()
            let gradient = point.map { curvature * $0 + deviation * random.next() }
            let squaredNorm = gradient.reduce(0) { $0 + $1 * $1 }
            let statistics = StepStatistics(
                exampleCount: batchSize, meanLoss: loss, secondMoment: squaredNorm + trace * (m - 1) / m,
                gradientSquaredNorm: squaredNorm)
            for index in point.indices { point[index] -= learningRate * gradient[index] }
            return statistics
        }
    }

    @Test func `on a noisy quadratic the batch follows α T over F, and the loss falls below a constant batch's floor`()
        throws
    {
        let learningRate = 0.1
        var adaptive = NoisyQuadratic()
        var policy = try CoupledAdaptiveBatchSize(bounds: 16...10_000_000, smoothingFactor: 0.5)
        var batchSize = policy.initialBatchSize
        var (averageLoss, averageVariance) = (1.0, 0.0)
        for _ in 0..<160 {
            let statistics = adaptive.step(batchSize: batchSize, learningRate: learningRate)
            averageLoss = 0.5 * averageLoss + 0.5 * statistics.meanLoss
            averageVariance = 0.5 * averageVariance + 0.5 * adaptive.trace * Double(batchSize - 1) / Double(batchSize)
            batchSize = policy.observe(statistics, learningRate: learningRate).nextBatchSize
            let formula = learningRate * averageVariance / averageLoss
            #expect(abs(Double(batchSize) - min(max(formula, 16), 1e7)) <= 0.5 + 1e-9 * formula)
        }
        var constant = NoisyQuadratic()
        var losses: [Double] = []
        for step in 0..<3000 {
            _ = constant.step(batchSize: 16, learningRate: learningRate)
            if step >= 1000 { losses.append(constant.loss) }
        }
        // Stationary for w ← (1 − αL) w − α ε̄: E F = α T / (2 m (2 − αL)).
        let floor = learningRate * constant.trace / (2 * 16 * (2 - learningRate * constant.curvature))
        let mean = losses.reduce(0, +) / Double(losses.count)
        #expect(abs(mean / floor - 1) < 0.1)
        #expect(adaptive.loss < floor / 1000)
        #expect(batchSize > 10_000)
    }

    /// Logistic regression with labels that no plane separates, in Double.
    struct LogisticRegression {
        let examples: [(x: [Double], y: Double)]
        var weights = [0.0, 0, 0, 0]
        private(set) var random = Gaussian(seed: 5)

        init(exampleCount: Int) {
            var random = Gaussian(seed: 6)
            examples = (0..<exampleCount).map { _ in
                let x = [1, random.next(), random.next(), random.next()]
                return (x, x[1] - x[2] + 1.5 * random.next() > 0 ? 1 : 0)
            }
        }

        private func probability(_ x: [Double]) -> Double {
            1 / (1 + exp(-zip(x, weights).reduce(0) { $0 + $1.0 * $1.1 }))
        }

        private func loss(_ example: (x: [Double], y: Double)) -> Double {
            let p = probability(example.x)
            return -log(example.y == 1 ? p : 1 - p)
        }

        var fullLoss: Double { examples.reduce(0) { $0 + loss($1) } / Double(examples.count) }

        mutating func step(on batch: [(x: [Double], y: Double)], learningRate: Double) -> StepStatistics {
            let gradients = batch.map { example in example.x.map { (probability(example.x) - example.y) * $0 } }
            let loss = batch.reduce(0) { $0 + self.loss($1) } / Double(batch.count)
            let moments = gradients.statistics
            for index in weights.indices {
                weights[index] -= learningRate * gradients.reduce(0) { $0 + $1[index] } / Double(batch.count)
            }
            return StepStatistics(
                exampleCount: batch.count, meanLoss: loss, secondMoment: moments.secondMoment,
                gradientSquaredNorm: moments.gradientSquaredNorm)
        }

        mutating func batch(_ count: Int) -> [(x: [Double], y: Double)] {
            (0..<count).map { _ in examples[random.index(below: examples.count)] }
        }
    }

    @Test func `on logistic regression the excess loss falls with CABS and stalls with a constant batch`() throws {
        let learningRate = 1.0
        var best = LogisticRegression(exampleCount: 400)
        for _ in 0..<300 { _ = best.step(on: best.examples, learningRate: learningRate) }
        let floor = best.fullLoss

        /// The mean excess loss over the second half of so many examples, and what was left of the noise ξ/m there.
        func run(_ policy: any BatchSizePolicy, exampleCount: Int) -> (excess: Double, noise: Double) {
            var (policy, problem) = (policy, LogisticRegression(exampleCount: 400))
            var (batchSize, seen) = (policy.initialBatchSize, 0)
            var (excess, noise, weight) = (0.0, 0.0, 0.0)
            while seen < exampleCount {
                let statistics = problem.step(on: problem.batch(batchSize), learningRate: learningRate)
                seen += batchSize
                if seen > exampleCount / 2 {
                    excess += problem.fullLoss - floor
                    noise += statistics.withinBatchVariance / Double(batchSize)
                    weight += 1
                }
                batchSize = policy.observe(statistics, learningRate: learningRate).nextBatchSize
            }
            return (excess / weight, noise / weight)
        }
        let cabs = try run(.cabs(bounds: 16...100_000, lossFloor: floor), exampleCount: 400_000)
        let short = try run(.constant(16), exampleCount: 100_000)
        let long = try run(.constant(16), exampleCount: 400_000)
        #expect(abs(long.excess / short.excess - 1) < 0.2)
        #expect(cabs.excess < long.excess / 15)
        #expect(cabs.noise < long.noise / 20)
    }
}
