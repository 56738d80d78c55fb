import Foundation
import Testing

@testable import CABSTraining

/// What a network says of pictures, beside its outputs by hand.
@Suite(.timeLimit(.minutes(10))) struct PredictionScoreTests {
    private static func pictures(in folder: URL, _ data: TrainingData) throws -> [URL] {
        try (0..<5).map { index in
            let file = folder.appending(path: "\(index).png")
            try #require(data.test.picture(at: index)).png.write(to: file)
            return file
        }
    }

    private static func input(_ dataset: any Dataset, _ index: Int) throws -> [Float] {
        try dataset.example(at: index).input
    }

    @Test(arguments: Loss.allCases)
    func `probabilities are those of the loss that it was trained with`(loss: Loss) async throws {
        let run = try await SmallRun { ($0.steps, $0.loss, $0.normalize) = (40, loss, .channel) }
        let data = try run.configuration.loadData()
        let folder = try TemporaryFolder()
        let network = HandNetwork(try Safetensors.read(run.directory.finalParametersFile))
        var found: [Prediction] = []
        try Predictor(TrainedNetwork(at: run.directory.url)).predict(Self.pictures(in: folder.url, data)) {
            found.append($0)
        } onError: {
            Issue.record("\($0)")
        }
        #expect(found.count == 5)
        for (index, prediction) in found.enumerated() {
            let outputs = network.outputs(try Self.input(data.test, index))
            let total = outputs.reduce(0) { $0 + exp($1) }
            let expected = outputs.map { output in
                switch loss {
                case .softmaxCrossEntropy: exp(output) / total
                case .sigmoidCrossEntropy: 1 / (1 + exp(-output))
                case .meanSquaredError, .huber: output
                }
            }
            #expect(zip(prediction.scores, expected).allSatisfy { isClose($0, $1) })
            let order = expected.indices.sorted { expected[$0] > expected[$1] }
            #expect(prediction.ranking(3) == Array(order.prefix(3)))
            #expect(prediction.source.hasSuffix("\(index).png"))
        }
    }

    @Test func `mistakes are counted by what is and what it is taken for, with loss and probability`() async throws {
        let run = try await SmallRun { ($0.steps, $0.loss) = (15, .sigmoidCrossEntropy) }
        let data = try run.configuration.loadData()
        let trained = try TrainedNetwork(at: run.directory.url)
        let found = try Confusion(
            of: trained.network(for: trained.configuration.makeModel(for: data)), on: data.evaluation)
        let network = HandNetwork(try Safetensors.read(run.directory.finalParametersFile))
        var counts = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 10)
        var losses: [Int: Double] = [:]
        for index in 0..<data.test.count {
            let (input, target) = try data.test.example(at: index)
            let outputs = network.outputs(input)
            guard case .class(let actual) = target else {
                Issue.record("\(target)")
                continue
            }
            let predicted = outputs.firstIndex(of: outputs.max()!)!
            counts[actual][predicted] += 1
            guard actual != predicted else { continue }
            losses[index] = outputs.enumerated().reduce(0) {
                $0 + log1p(exp($1.offset == actual ? -$1.element : $1.element)) / 10
            }
            guard let mistake = found.mistakes.first(where: { $0.example == index }) else { continue }
            #expect(mistake.actual == actual && mistake.predicted == predicted && mistake.picture != nil)
            #expect(isClose(mistake.probability, 1 / (1 + exp(-outputs[predicted]))))
            #expect(isClose(mistake.loss, losses[index]))
        }
        #expect(found.counts == counts && losses.count > 20 && found.mistakes.count == 20)
        let largest = losses.values.sorted(by: >).prefix(20)
        #expect(zip(found.mistakes, largest).allSatisfy { isClose($0.loss, $1) })
        for label in 0..<10 {
            let all = counts[label].reduce(0, +)
            #expect(found.accuracy(of: label) == Double(counts[label][label]) / Double(all))
        }
        let pair = try #require(found.mostFrequent(1).first)
        let most = counts.indices.flatMap { a in counts.indices.filter { $0 != a }.map { counts[a][$0] } }.max()
        #expect(pair.count == most && counts[pair.actual][pair.predicted] == most)
    }

    /// The variance of the same batch by both estimators, one example at a time where that can be.
    @Test func `of two estimators each is told by its own name`() async throws {
        let run = try await SmallRun {
            ($0.steps, $0.compareEstimators, $0.batchSize, $0.checkpointEvery) = (3, 1, "constant:12", "1")
            ($0.order, $0.learningRate) = (.sequential, 0.05)
            $0.model = .layers([
                LayerConfiguration(Conv2D(filters: 3, kernelSize: 3)), LayerConfiguration(Tanh()),
                LayerConfiguration(Flatten()), LayerConfiguration(Dense(units: 10)),
            ])
        }
        let (configuration, data) = try (run.configuration, run.configuration.loadData())
        let model = try configuration.makeModel(for: data)
        let lines = try String(contentsOf: run.directory.estimatorsFile, encoding: .utf8).split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(lines.count == 3)
        for (index, line) in lines.enumerated() {
            #expect(line["steps"] as? Int == index + 1 && line["batch_size"] as? Int == 12)
            let parameters = try run.parameters(ofStep: index + 1)
            let examples = (0..<12).map { 12 * index + $0 }
            func gradient(_ indices: [Int], _ estimator: GradientEstimator) throws -> StepReport {
                try Network(model, estimator: estimator, workerCount: 1, parameters: parameters)
                    .gradient(of: DatasetBatch(data.training, indices: indices)).report
            }
            let mean = try gradient(examples, .exact).statistics.gradientSquaredNorm
            // Of a single example the gradient's square is exact by whatever estimator.
            let moment = try examples.reduce(0) {
                try $0 + gradient([$1], .exact).statistics.gradientSquaredNorm / 12
            }
            let reference = try gradient(examples, .reference).statistics.withinBatchVariance
            let found = try #require(line["variance"] as? [String: Double])
            #expect(isClose(found["exact"], moment - mean, relative: 1e-3))
            #expect(isClose(found["reference"], reference, relative: 1e-6))
            #expect(!isClose(found["exact"], found["reference"], relative: 0.01))
            let parts = try #require(line["parameters"] as? [String: [String: Double]])
            #expect(Set(parts.keys) == Set(model.parameters.map(\.name)))
            let sum = parts.values.reduce(0) { $0 + $1["exact"]! }
            #expect(isClose(sum, found["exact"], relative: 1e-3))
        }
    }
}
