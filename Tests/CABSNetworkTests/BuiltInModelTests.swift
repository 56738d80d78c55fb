import CABS
import CABSExamples
import Testing

@testable import CABSNetwork

/// Every network by name, trained a little on noise.
@Suite(.timeLimit(.minutes(10))) struct BuiltInModelTests {
    static func input(of name: ModelName) -> (shape: ExampleShape, outputCount: Int) {
        switch name {
        case .mnistTwoConvTwoDense, .mlp, .logisticRegression: (.image(height: 28, width: 28, channels: 1), 10)
        case .cifar10TwoConvThreeDense: (.image(height: 24, width: 24, channels: 3), 10)
        case .cifar10EightConvTwoDense, .svhnThreeConvTwoDense, .resnet20, .resnet56, .resnet9, .wideResnet16:
            (.image(height: 32, width: 32, channels: 3), 10)
        case .cifar100FourConvTwoDense: (.image(height: 24, width: 24, channels: 3), 100)
        }
    }

    @Test(arguments: ModelName.allCases)
    func `a step along the gradient lowers the loss as far as its norm says, and many lower it further`(
        name: ModelName
    ) throws {
        let (shape, outputCount) = Self.input(of: name)
        let model = try name.model(input: shape, outputCount: outputCount, seed: 2)
        let batch = ArrayBatch.random(model, count: 6)
        let network = try Network(model, workerCount: 1)
        let first = try network.gradient(of: batch).report.statistics
        #expect(first.gradientSquaredNorm > 0)
        // The derivative along the gradient is its squared norm; a step so small that the loss falls by 0.001 nearly follows it.
        var rate = 1e-3 / first.gradientSquaredNorm
        var losses: [Double] = []
        for _ in 0..<9 {
            let report = try network.step(on: batch, UpdateStep(learningRate: rate))
            #expect(report.isSound)
            let found = report.statistics
            losses.append(found.meanLoss)
            // A third of the step that would bring a loss to zero which falls as at its beginning.
            if losses.count > 1 { rate = min(0.3 * found.meanLoss / found.gradientSquaredNorm, 0.5) }
        }
        #expect(losses[0] == first.meanLoss)
        #expect(abs(losses[0] - losses[1] - 1e-3) < 1e-4, "\(losses)")
        #expect(losses.min()! < 0.95 * losses[0], "\(losses)")
        // Each example's gradient by itself, in a network that has learned something.
        let report = try network.gradient(of: batch).report
        for position in 0..<2 {
            let single = ArrayBatch(inputs: [batch.inputs[position]], targets: [batch.targets[position]])
            let norm = try network.gradient(of: single).report.statistics.gradientSquaredNorm
            #expect(agree(report.exampleSquaredNorms[position], norm, relative: 1e-4))
        }
    }
}
