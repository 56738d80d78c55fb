import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// Images on their way to a network: sizes, random changes, normalisation.
@Suite(.timeLimit(.minutes(10))) struct ImageTests {
    /// Two channels of 5x4, no byte twice.
    static let shape = ExampleShape.image(height: 5, width: 4, channels: 2)
    static let pixels = (0..<40).map { UInt8($0 * 6 + 1) }

    static func apply(
        _ changes: [ImageChange], _ normalization: Normalization = .unit(), draw: UInt64, to pixels: [UInt8] = pixels
    ) -> [Float] {
        var values = [Float](repeating: .nan, count: pixels.count)
        var random = RandomStream(seed: 4, purpose: .augmentation, index: draw)
        ImagePreprocessing(normalization: normalization, changes: changes)
            .apply(to: pixels[...], shape: shape, into: &values, using: &random)
        return values
    }

    static func agree(_ a: [Float], _ b: [Double]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs(Double($0) - $1) < 1e-5 }
    }

    /// An image as a function of channel, row and column.
    static func values(_ value: (Int, Int, Int) -> Double) -> [Double] {
        (0..<2).flatMap { channel in
            (0..<5).flatMap { row in (0..<4).map { column in value(channel, row, column) } }
        }
    }

    static func byte(_ channel: Int, _ row: Int, _ column: Int) -> Double {
        guard (0..<5).contains(row), (0..<4).contains(column) else { return 0 }
        return Double(pixels[(channel * 5 + row) * 4 + column])
    }

    @Test func `whole images are normalised and nothing else`() {
        #expect(Self.agree(Self.apply([], draw: 0), Self.pixels.map { Double($0) / 255 }))
        #expect(Self.agree(Self.apply([], .unit(maximum: 16), draw: 0), Self.pixels.map { Double($0) / 16 }))
        let mean = Self.pixels.reduce(0) { $0 + Double($1) } / 40
        let variance = Self.pixels.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 40
        let standardized = Self.apply([], .image, draw: 0)
        #expect(Self.agree(standardized, Self.pixels.map { (Double($0) - mean) / variance.squareRoot() }))
        // As it was before there was a choice, to the bit.
        var cropped = [Float](repeating: 0, count: 3072)
        var whole = cropped
        var random = RandomStream(seed: 1, purpose: .augmentation, index: 0)
        let image = PreprocessingTests.image(seed: 3)
        let colour = ExampleShape.image(height: 32, width: 32, channels: 3)
        CroppedAndStandardized(cropSize: 32, augments: false)
            .apply(to: image[...], shape: colour, into: &cropped, using: &random)
        ImagePreprocessing(normalization: .image).apply(to: image[...], shape: colour, into: &whole, using: &random)
        #expect(whole == cropped)
    }

    @Test func `a crop moves the image within a frame of the mean`() {
        var places: Set<[Int]> = []
        for draw in 0..<200 as Range<UInt64> {
            var random = RandomStream(seed: 4, purpose: .augmentation, index: draw)
            let (top, left) = (random.nextInteger(below: 5) - 2, random.nextInteger(below: 5) - 2)
            let expected = Self.values { Self.byte($0, $1 + top, $2 + left) / 255 }
            #expect(Self.agree(Self.apply([.crop(padding: 2)], draw: draw), expected))
            places.insert([top, left])
            // Standardised by the whole image, the frame is its mean.
            let whole = Self.apply([], .image, draw: draw)
            let moved = Self.apply([.crop(padding: 2)], .image, draw: draw)
            #expect(
                moved
                    == Self.values { channel, row, column in
                        let (row, column) = (row + top, column + left)
                        guard (0..<5).contains(row), (0..<4).contains(column) else { return 0 }
                        return Double(whole[(channel * 5 + row) * 4 + column])
                    }.map(Float.init))
        }
        #expect(places.count == 25)
    }

    @Test func `flip, brightness, contrast and cutout do what their names say`() {
        var (flips, factors, shifts, places) = (0, [Double](), [Double](), Set<[Int]>())
        for draw in 0..<200 as Range<UInt64> {
            var random = RandomStream(seed: 4, purpose: .augmentation, index: draw)
            let isFlipped = random.nextUniform() < 0.5
            let shift = 0.25 * (2 * random.nextUniform() - 1)
            let factor = 1 + 0.8 * (2 * random.nextUniform() - 1)
            let (centerRow, centerColumn) = (random.nextInteger(below: 5), random.nextInteger(below: 4))
            let means = (0..<2).map { channel in
                Self.pixels[(channel * 20)..<(channel * 20 + 20)].reduce(0) { $0 + Double($1) } / 20
            }
            let expected = Self.values { channel, row, column in
                if (centerRow - 1...centerRow + 1).contains(row), (centerColumn - 1...centerColumn + 1).contains(column)
                {
                    return 0
                }
                let byte = Self.byte(channel, row, isFlipped ? 3 - column : column)
                return ((byte - means[channel]) * factor + means[channel]) / 255 + shift
            }
            let changes: [ImageChange] = [.flip, .brightness(0.25), .contrast(0.8), .cutout(size: 3)]
            #expect(Self.agree(Self.apply(changes, draw: draw), expected))
            flips += isFlipped ? 1 : 0
            factors.append(factor)
            shifts.append(shift)
            places.insert([centerRow, centerColumn])
        }
        #expect((60...140).contains(flips) && places.count == 20)
        #expect(factors.min()! < 0.25 && factors.max()! > 1.75 && shifts.min()! < -0.23 && shifts.max()! > 0.23)
    }

    @Test(arguments: [
        "none", "paper", "paper-center", "crop:4", "crop:4,flip,brightness:0.25,contrast:0.8,cutout:8", "flip",
    ])
    func `recipes are written as they are read`(text: String) throws {
        #expect(try #require(Augmentation(text)).description == text)
    }

    @Test(arguments: [
        "", "crop", "crop:0", "crop:-1", "crop:4:4", "flip:2", "flip,flip", "crop:2,crop:3", "brightness:0",
        "contrast:1.1",
        "contrast:nan", "cutout:99999", "paper,flip", "none,flip", "Flip", "flip,", "crop:1e1",
    ])
    func `what is no recipe is none`(text: String) {
        #expect(Augmentation(text) == nil)
    }

    struct Resized: Decodable {
        let height, width: Int
        let pixels: [UInt8]
        let size: String
        let resized: [UInt8]
    }

    @Test func `images are resized as by Pillow, in the part that covers the size`() throws {
        let file = try #require(
            Bundle.module.url(forResource: "resized", withExtension: "json", subdirectory: "Resources"))
        let cases = try JSONDecoder().decode([Resized].self, from: Data(contentsOf: file))
        #expect(cases.count == 8)
        for example in cases {
            // Beside another image and another channel, to see that planes stay apart.
            let images = try LabeledImages(
                shape: .image(height: example.height, width: example.width, channels: 2), classCount: 3,
                pixels: example.pixels.map { 255 - $0 } + example.pixels + example.pixels + example.pixels,
                labels: [0, 2],
                source: "a fixture")
            let size = try #require(ImageSize(example.size))
            let resized = try images.resized(to: size)
            #expect(resized.shape == .image(height: size.height, width: size.width, channels: 2))
            #expect(resized.labels == [0, 2])
            let expected =
                example.resized.map { 255 - Int($0) } + (0..<3).flatMap { _ in example.resized.map(Int.init) }
            let distance = zip(resized.pixels, expected).map { abs(Int($0) - $1) }.max()
            #expect(resized.pixels.count == expected.count && distance! <= 1, "\(example.size): \(distance!)")
        }
    }

    @Test(arguments: [
        (480, 640, 224, 224), (300, 300, 224, 224), (21, 31, 16, 16), (85, 67, 65, 57), (1200, 1600, 112, 112),
        (100, 128, 100, 75), (1, 1, 5, 3), (7, 1, 3, 3), (3, 4000, 2, 2), (97, 89, 96, 88),
    ])
    func `an image of one value keeps it in every size`(height: Int, width: Int, newHeight: Int, newWidth: Int) throws {
        let images = try LabeledImages(
            shape: .image(height: height, width: width, channels: 1), classCount: 1,
            pixels: [UInt8](repeating: 200, count: height * width), labels: [0], source: "a fixture")
        let resized = try images.resized(height: newHeight, width: newWidth)
        #expect(resized.pixels == [UInt8](repeating: 200, count: newHeight * newWidth))
    }

    @Test func `sizes are read from both forms`() {
        #expect(ImageSize("32x24")?.height == 32 && ImageSize("32x24")?.width == 24)
        #expect(ImageSize("28")?.description == "28x28")
        for text in ["", "x", "0", "32x", "x32", "1x2x3", "5000", "-3x4", "3.5"] { #expect(ImageSize(text) == nil) }
    }

    @Test func `the digits in another size, changed while training alone`() throws {
        let options = ImageOptions(size: ImageSize("6x5"), augmentation: .changes([.flip]))
        let data = try DatasetName.digits.load(images: options, seed: 3)
        #expect(data.training.inputShape == .image(height: 6, width: 5, channels: 1))
        #expect(data.test.inputShape == data.training.inputShape)
        func distinctDraws(_ part: any Dataset) throws -> Int {
            Set(try (0..<20 as Range<UInt64>).map { draw in try part.example(at: 2, draw: draw).input }).count
        }
        #expect(try distinctDraws(data.training) == 2 && distinctDraws(data.test) == 1)
        #expect(throws: DatasetError.self) { try DatasetName.digits.load(images: ImageOptions(augmentation: .paper)) }
    }
}
