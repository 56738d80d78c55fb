import Foundation
import Testing

@testable import CABSNetwork

/// Probabilities by the loss that a network was trained with.
@Suite(.timeLimit(.minutes(10))) struct ScoreTests {
    private static let output: [Float] = [0.5, -1.25, 3, 0]

    @Test func `softmax shares one out`() {
        let total = Self.output.map { exp(Double($0)) }.reduce(0, +)
        let found = Loss.softmaxCrossEntropy.scoreFunction(Self.output)
        let expected = Self.output.map { exp(Double($0)) / total }
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 })
        let sum = found.reduce(0, +)
        #expect(abs(sum - 1) < 1e-12)
        #expect(Loss.softmaxCrossEntropy.scoreFunction([1000, 0] as [Float]) == [1, 0])
    }

    @Test func `under the sigmoid each class has its own probability`() {
        let found = Loss.sigmoidCrossEntropy.scoreFunction(Self.output)
        let expected = Self.output.map { (1 + tanh(Double($0) / 2)) / 2 }
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(found[3] == 0.5 && found[2] > 0.95 && found[1] < 0.25)
        #expect(Loss.sigmoidCrossEntropy.scoreFunction([-2000, 2000] as [Float]) == [0, 1])
    }

    @Test func `values are themselves`() {
        #expect(Loss.meanSquaredError.scoreFunction(Self.output) == Self.output.map(Double.init))
    }

    /// By hand: within 1 half the square, beyond the distance less a half.
    @Test func `Huber's loss is a square near the target and a distance far from it`() {
        let (loss, gradient) = EngineTests.evaluate(.huber, [0.5, -3, 1, 7], [0, 0, 0, 6.75])
        #expect(abs(loss - (0.125 + 2.5 + 0.5 + 0.03125) / 4) < 1e-7)
        #expect(gradient == [0.125, -0.25, 0.25, 0.0625])
        #expect(Loss.huber.comparesValues && Loss.meanSquaredError.comparesValues)
        #expect(!Loss.softmaxCrossEntropy.comparesValues && !Loss.sigmoidCrossEntropy.comparesValues)
        let broken = EngineTests.evaluate(.huber, [.nan, .infinity], [0, 0])
        #expect(broken.loss.isNaN && broken.gradient[0].isNaN)
    }

    /// The loss is that of the probabilities that are told.
    @Test(arguments: Loss.allCases)
    func `losses are those of the scores`(loss: Loss) {
        let target: [Float] = [0, 0.25, 0.5, 0.25]
        let scores = loss.scoreFunction(Self.output)
        var expected = 0.0
        for (score, weight) in zip(scores, target.map(Double.init)) {
            switch loss {
            case .softmaxCrossEntropy: expected -= weight * log(score)
            case .sigmoidCrossEntropy: expected -= (weight * log(score) + (1 - weight) * log(1 - score)) / 4
            case .meanSquaredError: expected += (score - weight) * (score - weight) / 4
            case .huber:
                let distance = abs(score - weight)
                expected += (distance < 1 ? distance * distance / 2 : distance - 0.5) / 4
            }
        }
        var gradient = [Float](repeating: 0, count: 4)
        let found = Self.output.withUnsafeBufferPointer { output in
            target.withUnsafeBufferPointer { target in
                gradient.withUnsafeMutableBufferPointer {
                    loss.evaluate(output: output, target: .values(target), gradient: $0)
                }
            }
        }
        #expect(abs(found - expected) < 1e-6)
    }
}
