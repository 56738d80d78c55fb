import CDigits
import Foundation

/// The UCI handwritten digits (Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", its test part): 1,797
/// images of 8x8, as scikit-learn carries them, in MNIST's file format.
struct Digits: DatasetFormat {
    let fileNames: [String] = []

    func isThere(_ folder: DatasetFolder, for use: DataUse) -> Bool { true }

    func read(
        _ place: URL, for use: DataUse, _ options: ImageOptions, onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData {
        let shades = try LabeledImages(
            images: IDXFile(Data(cabs_digit_images()), name: "the images of digits", rank: 3),
            labels: IDXFile(Data(cabs_digit_labels()), name: "the labels of digits", rank: 1),
            classes: 0...9, imageSource: "the images of digits", labelSource: "the labels of digits")
        // Their 17 shades, 0 to 16, become as bright as other pictures' bytes: a network takes any picture then.
        let images = try LabeledImages(
            shape: shades.shape, classCount: shades.classCount,
            pixels: ValueRange(highest: 16).scaledToBytes(shades.pixels), labels: shades.labels,
            source: "the images of digits")
        // Writers follow one another, so a part cut off at the end would hold writers never seen.
        let isTest: (Int) -> Bool = { $0 % 5 == 4 }
        return ImageSet(
            training: try images.subset((0..<images.count).filter { !isTest($0) }),
            test: try images.subset((0..<images.count).filter(isTest)), usualNormalization: .unit,
            source: "this program", classNames: (0...9).map(String.init))
    }
}

extension Data {
    fileprivate init(_ file: cabs_embedded_file) { self.init(bytes: file.bytes, count: file.count) }
}
