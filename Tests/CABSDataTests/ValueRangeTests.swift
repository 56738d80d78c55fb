import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// Images of other numbers than bytes from 0 to 255 mean what the same images mean as bytes.
@Suite(.timeLimit(.minutes(10))) struct ValueRangeTests {
    private static let sameImages = ["black-white-bool", "black-white-floats", "four-bits", "digits"]

    private static func load(_ name: String, _ options: ImageOptions) throws -> TrainingData {
        try DatasetName.npz.load(from: ArrayFileTests.folder.appending(path: "\(name).npz"), images: options)
    }

    private static func inputs(_ data: any Dataset) throws -> [[Float]] {
        try (0..<data.count).map { try data.example(at: $0, draw: UInt64($0)).input }
    }

    @Test(arguments: sameImages, NormalizationName.allCases)
    func `normalised, brightened and resized they are the same`(name: String, way: NormalizationName) throws {
        for (size, changes) in [
            (nil, []), (ImageSize("5x6"), []), (nil, [ImageChange.brightness(0.5), .contrast(0.3)]),
        ] as [(ImageSize?, [ImageChange])] {
            let options = ImageOptions(size: size, augmentation: .changes(changes), normalization: way)
            let (bytes, other) = (try Self.load("black-white-bytes", options), try Self.load(name, options))
            #expect(try Self.inputs(bytes.training) == Self.inputs(other.training), "\(options)")
            #expect(try Self.inputs(bytes.test) == Self.inputs(other.test))
        }
    }

    @Test func `unit means from 0 to 1 whatever the range`() throws {
        for name in Self.sameImages + ["black-white-bytes"] {
            let values = try Set(Self.inputs(try Self.load(name, ImageOptions(normalization: .unit)).training).joined())
            #expect(values == [0, 1], "\(name)")
        }
        // 255 · 16 + 15 of 4095.
        let twelve = try Self.inputs(try Self.load("twelve-bits", ImageOptions(normalization: .unit)).training)
        #expect(twelve.joined().max()! <= 1 && abs(twelve[0][0] - Float(15) / 4095) < 1e-6)
    }

    @Test(
        arguments: [
            (0, nil), (1, 1), (2, 3), (5, 7), (9, 15), (15, 15), (16, 16), (17, 255), (120, 255), (255, 255),
            (256, 1023),
            (4095, 4095), (60_000, 65_535), (70_000, nil),
        ] as [(Double, Double?)])
    func `the smallest usual range that holds whole numbers is theirs`(high: Double, expected: Double?) {
        guard high > 0 else {
            #expect(ValueRange(of: [0, 0]) == .bytes)
            return
        }
        #expect(ValueRange(ofWholeNumbersFrom: 0, to: high)?.highest == expected)
        #expect(ValueRange(ofWholeNumbersFrom: -1, to: high) == nil)
    }

    @Test func `a network's range is noted, and others are refused`() throws {
        let options = ImageOptions(normalization: .unit)
        let ranges = try ["black-white-bytes", "black-white-bool", "four-bits", "digits"].map {
            try Self.load($0, options).input?.highestValue
        }
        #expect(ranges == [255, 1, 15, 16])
        let input = try #require(Self.load("four-bits", options).input)
        #expect(try JSONDecoder().decode(InputDescription.self, from: JSONEncoder().encode(input)) == input)
        func evaluate(_ name: String) throws -> EvaluationData {
            try DatasetName.npz.evaluationData(
                from: ArrayFileTests.folder.appending(path: "\(name).npz"), for: input, images: ImageOptions())
        }
        #expect(
            try Self.inputs(try evaluate("four-bits").examples) == Self.inputs(try Self.load("four-bits", options).test)
        )
        #expect(throws: DatasetError.self) { try evaluate("black-white-bytes") }
        #expect(throws: DatasetError.self) { try evaluate("black-white-bool") }
        // Arrays to predict: of the same range they are the test images, of another they are refused; a picture is brought to it.
        func arrays(_ name: String) throws -> [[Float]] {
            try ArrayInputs(contentsOf: ArrayFileTests.folder.appending(path: "\(name).npz")).inputs(for: input)
        }
        #expect(try arrays("four-bits") == Self.inputs(Self.load("four-bits", options).test))
        #expect(throws: DatasetError.self) { try arrays("black-white-bytes") }
        #expect(throws: DatasetError.self) { try arrays("black-white-floats") }
        let picture = try #require(
            Picture(shape: input.shape, pixels: [UInt8](repeating: 255, count: input.shape.count)))
        #expect(Set(try input.values(of: picture)) == [1])
    }

    @Test func `pictures are brought to the range of networks that take fractions`() throws {
        let input = try #require(Self.load("fractions", ImageOptions(normalization: .unit)).input)
        #expect(!input.hasBytes && input.highestValue == 1)
        let grey = InputDescription(
            shape: .image(height: 1, width: 2, channels: 1), hasBytes: false, highestValue: 1,
            normalization: .unit(maximum: 1),
            targetCount: 2)
        let picture = try #require(Picture(shape: grey.shape, pixels: [51, 255]))
        #expect(try grey.values(of: picture) == [0.2, 1])
        let unknown = InputDescription(
            shape: grey.shape, hasBytes: false, normalization: .unit(maximum: 1), targetCount: 2)
        #expect(throws: DatasetError.self) { try unknown.values(of: picture) }
    }

    @Test(arguments: [
        ("four-bits", "0 to 15"), ("one-part-scaled", "same scale"), ("channels-first", "transpose(0, 2, 3, 1)"),
        ("one-hot", "argmax"), ("float-classes", "astype(int)"),
    ])
    func `what looks like a mistake is said`(name: String, words: String) throws {
        let notices = try Self.load(name, ImageOptions(normalization: .channel)).notices
        #expect(notices.contains { $0.contains(words) }, "\(notices)")
        #expect(try Self.load("plain", ImageOptions()).notices.isEmpty)
    }
}
