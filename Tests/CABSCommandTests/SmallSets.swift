import CABSTraining
import Foundation

/// Data sets of a few examples whose images tell where they came from.
enum SmallSets {
    /// The layers of a model whose outputs are zero before training, so that its first loss is the logarithm of the number of classes.
    static let zeroModel = "layers: [flatten, {dense: {units: 10, weights: 0, biases: 0}}]"

    /// One with numbers to begin with.
    static let drawnModel = "layers: [flatten, {dense: {units: 10, weights: glorot, biases: 0}}]"

    /// A convolution whose input has many positions, and one layer behind it.
    static let convolutionModel =
        "layers: [{conv2d: {filters: 4, kernel-size: 3}}, relu, flatten, {dense: {units: 10}}]"

    /// Nothing but dropout and one layer behind it.
    static let dropoutModel =
        "layers: [flatten, {dropout: {rate: 0.5}}, {dense: {units: 10, weights: glorot}}]"

    /// Five files of training examples and one of test examples in CIFAR-10's format, two examples each, all of them noise.
    static func writeCIFAR10(in folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var state: UInt32 = 1
        func noise() -> UInt8 {
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(state >> 24)
        }
        for (index, name) in ((1...5).map { "data_batch_\($0)" } + ["test_batch"]).enumerated() {
            let records = (0..<2).flatMap { example -> [UInt8] in
                let pixels = (0..<3072).map { _ in noise() }
                return [UInt8((2 * index + example) % 10)] + pixels
            }
            try Data(records).write(to: folder.appending(path: "\(name).bin"))
        }
    }

    /// A set in MNIST's format: images of 4x4 in which the pixel of the label's number is white, those of training for as many
    /// examples as given, those of the test three, black and of class 9.
    static func writeMNIST(in folder: URL, trainingCount: Int = 20) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func bytes(_ number: Int) -> [UInt8] { [0, 0, UInt8(number >> 8), UInt8(number & 255)] }
        func write(_ split: String, labels: [UInt8], white: Bool) throws {
            var images = [0, 0, 8, 3] + bytes(labels.count) + bytes(4) + bytes(4)
            for label in labels { images += (0..<16).map { white && $0 == label ? 255 : 0 } }
            try Data(images).write(to: folder.appending(path: "\(split)-images-idx3-ubyte"))
            let all = [0, 0, 8, 1] + bytes(labels.count) + labels
            try Data(all).write(to: folder.appending(path: "\(split)-labels-idx1-ubyte"))
        }
        try write("train", labels: (0..<trainingCount).map { UInt8($0 % 10) }, white: true)
        try write("t10k", labels: [9, 9, 9], white: false)
    }

    /// Two classes of pictures of 8x8, dark and bright.
    ///
    /// - Parameter parts: The folders that divide them, with how many of each class they have; nothing divides them by the empty name.
    static func writePictures(in folder: URL, parts: [String: Int] = ["train": 24, "test": 8]) throws {
        for (part, count) in parts {
            for (name, value) in [("bright", 200), ("dark", 40)] {
                let place = (part.isEmpty ? folder : folder.appending(path: part)).appending(path: name)
                try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
                for index in 0..<count {
                    let pixels = (0..<64).map { UInt8(value + (index * 7 + $0 * 3) % 40) }
                    let picture = Picture(shape: .image(height: 8, width: 8, channels: 1), pixels: pixels)!
                    try picture.png.write(to: place.appending(path: "\(index).png"))
                }
            }
        }
    }
}
