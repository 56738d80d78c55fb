import CABS
import Testing

@testable import CABSNetwork

/// Every network by name, trained a little on noise.
@Suite struct BuiltInModelTests {
    static func input(of name: ModelName) -> (shape: ExampleShape, outputCount: Int) {
        switch name {
        case .mnistTwoConvTwoDense, .mlp, .logisticRegression: (.image(height: 28, width: 28, channels: 1), 10)
        case .cifar10TwoConvThreeDense: (.image(height: 24, width: 24, channels: 3), 10)
        case .cifar10EightConvTwoDense, .svhnThreeConvTwoDense: (.image(height: 32, width: 32, channels: 3), 10)
        case .cifar100FourConvTwoDense: (.image(height: 24, width: 24, channels: 3), 100)
        }
    }

    @Test(arguments: ModelName.allCases)
    func `a step along the gradient lowers the loss as far as its norm says`(name: ModelName) throws {
        let (shape, outputCount) = Self.input(of: name)
        let model = try name.model(input: shape, outputCount: outputCount, seed: 2)
        let batch = ArrayBatch.random(model, count: 6)
        let network = try Network(model, workerCount: 1)
        let before = try network.gradient(of: batch).report.statistics
        #expect(before.gradientSquaredNorm > 0)
        // The derivative along the gradient is its squared norm; a step so small that the loss falls by 0.001 nearly follows it.
        let rate = 1e-3 / before.gradientSquaredNorm
        let report = try network.step(on: batch, GradientDescent(learningRate: rate))
        #expect(report.isSound && report.statistics.meanLoss == before.meanLoss)
        let fall = try before.meanLoss - network.gradient(of: batch).report.statistics.meanLoss
        #expect(abs(fall - 1e-3) < 1e-4, "\(fall)")
    }

    @Test(arguments: ModelName.allCases)
    func `noise is learned by heart`(name: ModelName) throws {
        let (shape, outputCount) = Self.input(of: name)
        let model = try name.model(input: shape, outputCount: outputCount, seed: 2)
        let batch = ArrayBatch.random(model, count: 6)
        let network = try Network(model, workerCount: 1)
        var losses: [Double] = []
        var rate = 0.0
        for _ in 0..<25 {
            let found = try network.step(on: batch, GradientDescent(learningRate: rate)).statistics
            losses.append(found.meanLoss)
            // A third of the step that would bring a loss to zero which falls as at its beginning.
            rate = min(0.3 * found.meanLoss / found.gradientSquaredNorm, 0.5)
        }
        #expect(losses.last! < 0.8 * losses[0], "\(losses)")
        // Each example's gradient by itself, in a network that has learned something.
        let report = try network.gradient(of: batch).report
        for position in 0..<2 {
            let single = ArrayBatch(inputs: [batch.inputs[position]], targets: [batch.targets[position]])
            let norm = try network.gradient(of: single).report.statistics.gradientSquaredNorm
            #expect(agree(report.exampleSquaredNorms[position], norm, relative: 1e-4))
        }
    }
}
