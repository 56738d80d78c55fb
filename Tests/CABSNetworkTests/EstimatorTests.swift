import CABS
import CABSExamples
import Testing

@testable import CABSNetwork

/// The variance that each estimator reports, beside one example at a time in Double.
@Suite(.timeLimit(.minutes(10))) struct EstimatorTests {
    private static func model() throws -> Model {
        try Model(input: .image(height: 5, width: 6, channels: 2), seed: 8) {
            Conv2D(filters: 4, kernelSize: 3)
            Tanh()
            Flatten()
            Dense(units: 3)
        }
    }

    @Test(arguments: [GradientEstimator.exact, .reference])
    func `its variance is that of its own squares`(estimator: GradientEstimator) throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: 7)
        let oracle = Oracle(model, .softmaxCrossEntropy, model.initialParameters())
        let examples = (0..<7).map { Backpropagation(oracle, batch.inputs[$0], batch.targets[$0]) }
        let report = try Network(model, estimator: estimator, workerCount: 1).gradient(of: batch).report
        var whole = 0.0
        for parameter in report.parameters {
            let moment = examples.reduce(0) { $0 + $1.squaredNorm(of: parameter.name, by: estimator) } / 7
            let sum = examples[0].gradients[parameter.name]!.indices.map { place in
                examples.reduce(0) { $0 + $1.gradients[parameter.name]![place] } / 7
            }
            let variance = moment - sum.reduce(0) { $0 + $1 * $1 }
            whole += variance
            #expect(agree(parameter.withinBatchVariance, max(variance, 0), relative: 1e-3), "\(parameter.name)")
        }
        #expect(agree(report.statistics.withinBatchVariance, whole, relative: 1e-3))
        #expect(
            agree(
                report.exampleSquaredNorms.reduce(0, +) / 7, report.statistics.secondMoment, relative: 1e-6))
    }

    @Test func `where positions are several they differ, and the step is the same`() throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: 7)
        func found(_ estimator: GradientEstimator) throws -> (StepReport, ParameterSet) {
            let network = try Network(model, estimator: estimator, workerCount: 1)
            let report = try network.step(on: batch, UpdateStep(learningRate: 0.1))
            return (report, try network.parameters())
        }
        let (exact, reference, none) = try (found(.exact), found(.reference), found(.unmeasured))
        let pair = (exact.0.parameters[0].withinBatchVariance, reference.0.parameters[0].withinBatchVariance)
        #expect(exact.0.parameters[0].name == "conv1.weight" && !agree(pair.0, pair.1, relative: 0.01))
        // A dense layer has one position.
        #expect(agree(exact.0.parameters[2].secondMoment, reference.0.parameters[2].secondMoment))
        #expect(none.0.statistics.secondMoment.isNaN && none.0.exampleSquaredNorms.isEmpty)
        for other in [reference, none] {
            #expect(agree(other.0.statistics.meanLoss, exact.0.statistics.meanLoss))
            for (a, b) in zip(other.1.elements, exact.1.elements) {
                #expect(zip(a.tensor.values, b.tensor.values).allSatisfy { agree(Double($0), Double($1)) }, "\(a.name)")
            }
        }
    }
}
