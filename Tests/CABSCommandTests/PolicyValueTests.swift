import Foundation
import Testing

/// The answers of `cabs policy`, beside each rule's formula computed step by step.
@Suite(.timeLimit(.minutes(10))) struct PolicyValueTests {
    /// What a loop measured at a step.
    private struct Step {
        let m, loss, rate, secondMoment, squaredNorm: Double

        var line: String {
            "{\"batch_size\": \(Int(m)), \"loss\": \(loss), \"learning_rate\": \(rate), \"second_moment\": \(secondMoment), "
                + "\"gradient_squared_norm\": \(squaredNorm)}"
        }
        /// ξ, divided by m.
        var variance: Double { secondMoment - squaredNorm }
        /// S, divided by m − 1.
        var unbiased: Double { variance * m / (m - 1) }
        var fullSquaredNorm: Double { squaredNorm - unbiased / m }
    }

    /// Steps of a loop whose loss and gradients shrink, one that drew a single example among them.
    private static let steps: [Step] = (0..<40).map { index in
        let t = Double(index)
        return Step(
            m: index == 17 ? 1 : 8 + 3 * Double(index % 5), loss: 2.5 / (1 + 0.1 * t) + 0.05 * sin(t),
            rate: 0.4 - 0.005 * t,
            secondMoment: 60 + 25 * sin(1.7 * t),
            squaredNorm: index == 17 ? 60 + 25 * sin(1.7 * t) : 9 + 6 * cos(0.8 * t))
    }

    private struct Answer {
        let next: Int
        let raw: Double?
        let averageLoss: Double?
        let averageVariance: Double?
    }

    private static func answers(_ options: [String], _ lines: [String]) throws -> [Answer] {
        var answers: [Answer] = []
        try CommandTests.withFolder { folder in
            let result = try PolicyTests.run(options, lines, in: folder)
            #expect(result.code == 0, "\(result.errors)")
            answers = try result.output.split(separator: "\n").map {
                let line = try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
                return Answer(
                    next: try #require(line["next_batch_size"] as? Int), raw: line["batch_size_raw"] as? Double,
                    averageLoss: line["loss_average"] as? Double, averageVariance: line["variance_average"] as? Double)
            }
        }
        return answers
    }

    private static func isNear(_ found: Double?, _ wanted: Double) -> Bool {
        found.map { abs($0 - wanted) <= 1e-9 * max(abs(wanted), 1) } ?? false
    }

    private static func bounded(_ size: Double, _ low: Double = 4, _ high: Double = 300) -> Int {
        Int(min(max(size, low), high))
    }

    private static let bounds = [
        "--minimum-batch-size", "4", "--maximum-batch-size", "300", "--initial-batch-size", "12",
    ]

    @Test(
        arguments: [([], 1.0), (["--optimizer", "momentum:0.8"], 5), (["--optimizer", "nesterov:0.75"], 4)]
            as [([String], Double)])
    func `CABS multiplies the averaged variance by the effective rate and divides by the averaged loss`(
        optimizer: [String], rateFactor: Double
    ) throws {
        let constants = ["--smoothing", "0.9", "--factor", "1.5", "--epsilon", "0.2", "--loss-floor", "0.3"]
        let answers = try Self.answers(Self.bounds + constants + optimizer, Self.steps.map(\.line))
        #expect(answers.count == Self.steps.count)
        var (loss, variance) = (1.3, 0.0)
        for (step, answer) in zip(Self.steps, answers) {
            loss = 0.9 * loss + 0.1 * step.loss
            // One example alone has no variance.
            if step.m > 1 { variance = 0.9 * variance + 0.1 * step.variance }
            let raw = 1.5 * rateFactor * step.rate * variance / (loss - 0.3 + 0.2)
            #expect(Self.isNear(answer.raw, raw) && answer.next == Self.bounded(raw.rounded()), "\(answer), \(raw)")
            #expect(Self.isNear(answer.averageLoss, loss) && Self.isNear(answer.averageVariance, variance))
        }
        #expect(Set(answers.map(\.next)).count > 10)
    }

    @Test func `CABS per second adds what a step costs before its first example`() throws {
        let answers = try Self.answers(
            Self.bounds + ["--batch-size", "cabs-per-second", "--fixed-cost", "50"], Self.steps.map(\.line))
        var (loss, variance) = (1.0, 0.0)
        for (step, answer) in zip(Self.steps, answers) {
            loss = 0.95 * loss + 0.05 * step.loss
            if step.m > 1 { variance = 0.95 * variance + 0.05 * step.variance }
            let coupled = step.rate * variance / loss
            let raw = coupled / 2 * (1 + (1 + 2 * 50 / coupled).squareRoot())
            #expect(Self.isNear(answer.raw, raw) && answer.next == Self.bounded(raw.rounded()), "\(answer), \(raw)")
        }
    }

    @Test func `the noise scale is the quotient of two averages`() throws {
        let steps = Self.steps.filter { $0.m > 1 }
        let answers = try Self.answers(
            Self.bounds + ["--batch-size", "noise-scale", "--smoothing", "0.8"], steps.map(\.line))
        var (noise, signal) = (0.0, 0.0)
        for (step, answer) in zip(steps, answers) {
            noise = 0.8 * noise + 0.2 * step.unbiased
            signal = 0.8 * signal + 0.2 * step.fullSquaredNorm
            // Where noise outweighs the signal the largest batch is right.
            let raw = signal > 0 ? noise / signal : .infinity
            #expect(raw.isInfinite ? answer.raw == nil : Self.isNear(answer.raw, raw), "\(answer), \(raw)")
            #expect(answer.next == (raw.isInfinite ? 300 : Self.bounded(raw.rounded())))
        }
    }

    @Test func `the norm test and Big Batch compare noise with the squared norm`() throws {
        let steps = Self.steps.filter { $0.m > 1 }
        var size = 12.0
        for (step, answer) in zip(
            steps, try Self.answers(Self.bounds + ["--batch-size", "norm-test:0.6"], steps.map(\.line)))
        {
            let demand = step.unbiased / (0.36 * step.squaredNorm)
            size = max(size, Double(Self.bounded(demand.rounded(.up))))
            #expect(answer.next == Int(size) && Self.isNear(answer.raw, demand), "\(answer), \(demand)")
        }
        size = 12
        for (step, answer) in zip(
            steps, try Self.answers(Self.bounds + ["--batch-size", "big-batch:0.7"], steps.map(\.line)))
        {
            if step.unbiased / size > 0.49 * step.squaredNorm {
                size = Double(Self.bounded((1.1 * size - 1e-9).rounded(.up)))
            }
            #expect(answer.next == Int(size), "\(answer), \(size)")
        }
        #expect(size > 12)
    }

    @Test func `SimiGrad keeps the similarity of a batch's halves`() throws {
        let steps = Self.steps.filter { $0.m > 1 }
        var (size, sizes) = (12.0, Set<Double>())
        for (step, answer) in zip(
            steps, try Self.answers(Self.bounds + ["--batch-size", "simigrad:0.4"], steps.map(\.line)))
        {
            // Of two gradients of half the rule's size: ‖∇F‖² beside that and the noise of both.
            let signal = step.fullSquaredNorm
            let cosine = signal > 0 ? signal / (signal + 2 * step.unbiased / size) : -1
            size =
                cosine < 0.4
                ? max(size + 1, (1.1 * size + 1e-9).rounded(.down)) : min(size - 1, (0.9 * size + 1e-9).rounded(.down))
            size = Double(Self.bounded(size))
            sizes.insert(size)
            #expect(answer.next == Int(size), "\(answer), \(size)")
        }
        #expect(sizes.count > 3)
    }

    @Test func `AdaDamp divides the first loss by the present one, both above the floor`() throws {
        let answers = try Self.answers(
            Self.bounds + ["--batch-size", "adadamp:3", "--loss-floor", "0.5", "--smoothing", "0.7"],
            Self.steps.map(\.line))
        var loss = Self.steps[0].loss
        for (step, answer) in zip(Self.steps, answers) {
            loss = 0.7 * loss + 0.3 * step.loss
            let raw = loss > 0.5 ? 12 * (3 - 0.5) / (loss - 0.5) : .infinity
            #expect(Self.isNear(answer.raw, raw) && answer.next == Self.bounded(raw.rounded(.up)), "\(answer), \(raw)")
        }
    }

    @Test func `growth goes by steps, or by epochs`() throws {
        var size = 12.0
        for answer in try Self.answers(Self.bounds + ["--batch-size", "geometric:1.2"], Self.steps.map(\.line)) {
            size = Double(Self.bounded((1.2 * size + 1 - 1e-9).rounded(.up)))
            #expect(answer.next == Int(size))
        }
        #expect(size == 300)
        let answers = try Self.answers(
            Self.bounds + ["--batch-size", "step:3:1.5", "--examples-per-epoch", "100"], Self.steps.map(\.line))
        var examples = 0.0
        for (step, answer) in zip(Self.steps, answers) {
            examples += step.m
            let raw = 12 * pow(3, (examples / 150).rounded(.down))
            #expect(answer.next == Self.bounded(raw) && Self.isNear(answer.raw, raw), "\(answer), \(raw)")
        }
        for answer in try Self.answers(["--batch-size", "constant:77"], Self.steps.map(\.line)) {
            #expect(answer.next == 77)
        }
    }

    @Test func `micro-batches tell the variance by how far their means lie apart`() throws {
        // Gradients of two numbers, of 12 examples in micro-batches of 3, 4 and 5.
        let parts = [(3, [1.5, -0.5]), (4, [0.5, 2]), (5, [-1, 0.25])]
        let mean = (0..<2).map { axis in parts.reduce(0) { $0 + Double($1.0) * $1.1[axis] } / 12 }
        func squared(_ vector: [Double]) -> Double { vector.reduce(0) { $0 + $1 * $1 } }
        // The spread of their means about the mean, each by its examples, is an unbiased S with two degrees of freedom.
        let unbiased = parts.reduce(0) { $0 + Double($1.0) * squared(zip($1.1, mean).map(-)) } / 2
        let list = parts.map { "{\"batch_size\": \($0.0), \"gradient_squared_norm\": \(squared($0.1))}" }.joined(
            separator: ", ")
        let line =
            "{\"loss\": 0.25, \"learning_rate\": 0.5, \"gradient_squared_norm\": \(squared(mean)), \"microbatches\": [\(list)]}"
        let one = ["--smoothing", "0", "--minimum-batch-size", "1"]
        let cabs = try #require(try Self.answers(one, [line]).first)
        #expect(Self.isNear(cabs.raw, 0.5 * unbiased * 11 / 12 / 0.25), "\(cabs)")
        let scale = try #require(try Self.answers(one + ["--batch-size", "noise-scale"], [line]).first)
        #expect(Self.isNear(scale.averageVariance, unbiased))
        let signal = squared(mean) - unbiased / 12
        #expect(signal > 0 ? Self.isNear(scale.raw, unbiased / signal) : scale.next == 2048, "\(scale)")
    }
}
