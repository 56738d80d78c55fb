import CABSTraining
import Foundation
import Testing

/// The files of Examples, and a trainer made in Swift. The snippets of the pages themselves are tried by scripts/check-snippets.
@Suite(.timeLimit(.minutes(10))) struct ExampleTests {
    @Test func `a trainer in ten lines learns the digits`() async throws {
        let model = try Model(input: .image(height: 8, width: 8, channels: 1), seed: 1) {
            Conv2D(filters: 16, kernelSize: 3); ReLU(); MaxPool2D(poolSize: 2)
            Flatten(); Dense(units: 64); ReLU(); Dense(units: 10)
        }
        let trainer = try Trainer(
            model: model, data: .digits(), optimizer: SGD(learningRate: 0.1), batchSize: .cabs(bounds: 16...2048))
        var losses: [Double] = []
        for try await step in trainer.train(for: .epochs(5)) { losses.append(step.loss) }
        let lastLoss: Double = losses.suffix(10).reduce(0, +) / 10
        #expect(lastLoss < 0.5)
        #expect(try await trainer.evaluate().accuracy > 0.9)
    }

    static let examples = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples")

    /// LeNet-5 is a model, the others are configurations.
    static let modelFile = "lenet5.yaml"

    @Test(
        arguments: try FileManager.default.contentsOfDirectory(atPath: examples.path)
            .filter { $0.hasSuffix(".yaml") && $0 != modelFile })
    func `the examples are right`(name: String) throws {
        let file = Self.examples.appending(path: name)
        let configuration = try TrainingConfiguration(TrainingOptions(contentsOf: file))
        if configuration.dataset == .digits {
            _ = try configuration.makeTrainer()
        }
    }

    static let grids = examples.appending(path: "experiments")

    /// The grids that scripts/experiments runs, each named after its data set.
    @Test(arguments: try FileManager.default.contentsOfDirectory(atPath: grids.path))
    func `the grids of experiments are right, and each run's model fits its data`(name: String) throws {
        let runs = try ComparisonGrid(contentsOf: Self.grids.appending(path: name)).runs()
        // Opponents alone are compared with the runs of another grid.
        #expect(name.hasPrefix("cifar10-cosine-") || runs.contains { $0.configuration.rule == .cabs })
        #expect(runs.count { if case .constant = $0.configuration.rule { true } else { false } } > 1)
        for run in runs {
            let configuration = run.configuration
            #expect(name.hasPrefix(configuration.dataset.rawValue), "\(configuration.dataset)")
            let (shape, classes): (ExampleShape, Int) =
                switch configuration.dataset {
                case .mnist, .fashionMNIST: (.image(height: 28, width: 28, channels: 1), 10)
                case .cifar10: (.image(height: 24, width: 24, channels: 3), 10)
                case .cifar100: (.image(height: 24, width: 24, channels: 3), 100)
                case .cifar100Coarse: (.image(height: 24, width: 24, channels: 3), 20)
                case .svhn: (.image(height: 32, width: 32, channels: 3), 10)
                case .digits: (.image(height: 8, width: 8, channels: 1), 10)
                default: throw TrainingError.contradiction("a grid on \(configuration.dataset.rawValue)")
                }
            let model = try configuration.model.model(input: shape, outputCount: classes, seed: 0)
            #expect(model.outputCount == classes)
        }
    }

    /// The sizes of the paper, with each map of the second convolution connected to all of the first.
    @Test func `LeNet-5 has 61,706 parameters`() throws {
        let model = try TrainingOptions.model(contentsOf: Self.examples.appending(path: Self.modelFile))
            .model(input: .image(height: 28, width: 28, channels: 1), outputCount: 10, seed: 0)
        #expect(model.parameterCount == 61_706)
    }
}
