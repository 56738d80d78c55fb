import Foundation
import Testing

@testable import CABSTraining

/// What is evaluated is never changed at random, whatever training examples are changed by.
@Suite(.timeLimit(.minutes(10))) struct HeldBackImageTests {
    static let recipes = [
        "crop:2", "flip", "brightness:0.4", "contrast:0.6", "cutout:3",
        "crop:1,flip,brightness:0.2,contrast:0.3,cutout:2",
    ]

    /// An example as it is drawn.
    private static func values(_ dataset: any Dataset, _ index: Int, draw: UInt64) throws -> [Float] {
        try dataset.example(at: index, draw: draw).input
    }

    /// Compares data that are changed with data that are not.
    private static func expect(
        _ changed: TrainingData, evaluatedAs plain: TrainingData, _ recipe: String, changes: Bool = true
    ) throws {
        let parts = [
            (changed.test, plain.test), (try #require(changed.validation), try #require(plain.validation)),
        ]
        for (part, unchanged) in parts {
            #expect(part.count == unchanged.count)
            for index in 0..<min(part.count, 6) {
                let expected = try values(unchanged, index, draw: 0)
                for draw in [0, 1, 2, 77, 1 << 40] as [UInt64] {
                    #expect(try values(part, index, draw: draw) == expected, "\(recipe), example \(index)")
                }
            }
        }
        guard changes else { return }
        let drawn = try (0..<40 as Range<UInt64>).map { try values(changed.training, 1, draw: $0) }
        #expect(Set(drawn).count > 1, "\(recipe) changes nothing in training")
        let unchanged = try values(plain.training, 1, draw: 0)
        #expect(drawn.contains { $0 != unchanged }, "\(recipe)")
    }

    private static func data(_ recipe: String, _ change: (inout TrainingOptions) -> Void = { _ in }) throws
        -> TrainingData
    {
        try TrainingConfiguration(
            SmallRun.options {
                ($0.augment, $0.validation) = (.named(Augmentation(recipe)!), 50)
                change(&$0)
            }
        ).loadData()
    }

    @Test(arguments: recipes, [nil, NormalizationName.channel, .image])
    func `images are evaluated as they are`(recipe: String, normalization: NormalizationName?) throws {
        let plain = try Self.data("none") { $0.normalize = normalization }
        // Standardisation of each image by itself undoes what is done to all its values alike.
        let isUndone = normalization == .image && (recipe.hasPrefix("brightness") || recipe.hasPrefix("contrast"))
        try Self.expect(
            Self.data(recipe) { $0.normalize = normalization }, evaluatedAs: plain, recipe, changes: !isUndone)
    }

    @Test func `resized images too, and with smoothed labels`() throws {
        func data(_ recipe: String) throws -> TrainingData {
            try Self.data(recipe) { ($0.imageSize, $0.labelSmoothing) = (ImageSize("6x7"), 0.1) }
        }
        try Self.expect(data("crop:1,flip"), evaluatedAs: data("none"), "resized")
    }

    /// In the format of CIFAR-10, noise.
    private static func writeCIFAR10(in folder: URL) throws {
        for (file, name) in ((1...5).map { "data_batch_\($0)" } + ["test_batch"]).enumerated() {
            var records: [UInt8] = []
            for example in 3 * file..<3 * file + 3 {
                records.append(UInt8(example % 10))
                records += (0..<3072).map { UInt8(truncatingIfNeeded: ($0 + 1) &* (7 + example)) }
            }
            try Data(records).write(to: folder.appending(path: "\(name).bin"))
        }
    }

    @Test(arguments: ["paper", "usual", "crop:4,flip", "crop:2,cutout:8"])
    func `the paper's crops are the central ones, and whole images whole`(recipe: String) throws {
        let folder = try TemporaryFolder()
        try Self.writeCIFAR10(in: folder.url)
        func data(_ choice: AugmentationChoice) throws -> TrainingData {
            try TrainingConfiguration(
                SmallRun.options {
                    ($0.dataset, $0.data, $0.validation) = (.cifar10, folder.url.path, 4)
                    $0.augment = choice
                }
            ).loadData()
        }
        let choice = try recipe == "usual" ? .usual : AugmentationChoice.named(#require(Augmentation(recipe)))
        let isPaper = ["paper", "usual"].contains(recipe)
        let changed = try data(choice)
        try Self.expect(changed, evaluatedAs: data(.named(isPaper ? .paperCenter : .none)), recipe)
        // A crop's mean is 0 and its variance 1, by hand of the central square of the test file.
        guard isPaper else { return }
        let bytes = try Data(contentsOf: folder.url.appending(path: "test_batch.bin")).dropFirst().map(Double.init)
        var square: [Double] = []
        for channel in 0..<3 {
            for row in 4..<28 {
                let start = channel * 1024 + row * 32
                square += bytes[(start + 4)..<(start + 28)]
            }
        }
        let mean: Double = square.reduce(0, +) / 1728
        let squares: Double = square.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
        let deviation = (squares / 1728).squareRoot()
        let expected = square.map { ($0 - mean) / deviation }
        let found = try Self.values(changed.test, 0, draw: 5).map(Double.init)
        #expect(found.count == 1728 && zip(found, expected).allSatisfy { isClose($0, $1) })
    }

    @Test(arguments: [
        (AugmentationChoice.usual, ModelName.resnet20, "crop:4,flip"), (.usualWithoutChance, .resnet20, "none"),
        (.usual, .cifar10TwoConvThreeDense, "paper"), (.usualWithoutChance, .cifar10TwoConvThreeDense, "paper-center"),
    ])
    func `residual networks take whole images of CIFAR, others crops`(
        choice: AugmentationChoice, model: ModelName, recipe: String
    ) {
        #expect(choice.augmentation(.cifar10, .named(model)).description == recipe)
        #expect(choice.augmentation(.mnist, .named(model)) == .none)
    }
}
