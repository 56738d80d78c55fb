import CABSExamples
import Foundation

/// A set in files of images of 32x32, some for training and one for testing: CIFAR's and SVHN's.
struct BinaryFiles: DatasetFormat {
    let trainingFiles: [String]
    let testFile: String
    let classCount: Int
    /// Reads the images' bytes, channels first, and the labels of a file.
    let readFile: @Sendable (URL) throws(DatasetError) -> (pixels: [UInt8], labels: [UInt8])

    private static let shape = ExampleShape.image(height: 32, width: 32, channels: 3)

    static func cifar(_ kind: CIFARFile.Kind, training: [String], test: String) -> BinaryFiles {
        BinaryFiles(trainingFiles: training, testFile: test, classCount: kind.classCount) { url throws(DatasetError) in
            let file = try CIFARFile(contentsOf: url, kind: kind)
            return (file.pixels, file.labels)
        }
    }

    static let svhn = BinaryFiles(
        trainingFiles: ["train_32x32.mat"], testFile: "test_32x32.mat", classCount: SVHNFile.classCount
    ) { url throws(DatasetError) in
        let file = try SVHNFile(contentsOf: url)
        return (file.pixels, file.labels)
    }

    var fileNames: [String] { trainingFiles + [testFile] }

    func isThere(_ folder: DatasetFolder, for use: DataUse) -> Bool {
        (trainingFiles.prefix(1) + (use == .evaluation ? [testFile] : [])).contains { folder.holds([$0]) }
    }

    func read(
        _ place: URL, for use: DataUse, _ options: ImageOptions, onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData {
        let folder = DatasetFolder(url: place)
        func images(_ names: [String]) throws(DatasetError) -> LabeledImages {
            var (pixels, labels) = ([UInt8](), [UInt8]())
            for name in names {
                let file = try folder.read([name], readFile)
                pixels += file.pixels
                labels += file.labels
            }
            return try LabeledImages(
                shape: Self.shape, classCount: classCount, pixels: pixels, labels: labels.map(UInt16.init),
                source: place.path)
        }
        let reads = use.parts(hasTest: folder.holds([testFile]))
        return ImageSet(
            training: reads.training ? try images(trainingFiles) : nil, test: reads.test ? try images([testFile]) : nil,
            usualNormalization: .image, source: place.path, classNames: (0..<classCount).map(String.init))
    }
}
