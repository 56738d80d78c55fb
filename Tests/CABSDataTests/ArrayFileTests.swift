import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// `.npz` files that NumPy wrote: see Resources/arrays.py.
@Suite(.timeLimit(.minutes(10))) struct ArrayFileTests {
    static let folder = Bundle.module.bundleURL.appending(path: "Resources/arrays")

    private static func load(_ name: String, _ options: ImageOptions? = nil) throws -> TrainingData {
        try DatasetName.npz.load(
            from: folder.appending(path: "\(name).npz"), images: options ?? ImageOptions(normalization: .unit))
    }

    /// All inputs, each with its class behind it, or its values.
    private static func examples(_ data: any Dataset) throws -> [[Float]] {
        try (0..<data.count).map { index in
            let example = try data.example(at: index)
            return switch example.target {
            case .class(let label): example.input + [Float(label)]
            case .values(let values): example.input + values
            }
        }
    }

    /// The formula of arrays.py.
    private static func value(_ index: Int, _ row: Int, _ column: Int, _ channel: Int, _ offset: Int) -> Int {
        (index * 31 + row * 7 + column * 3 + channel * 100 + offset) % 256
    }

    @Test func `values stand where the array has them, channels first`() throws {
        let data = try Self.load("plain")
        #expect(data.training.inputShape == .image(height: 3, width: 4, channels: 2) && data.training.count == 6)
        let example = try Self.examples(data.test)[3]
        let expected = (0..<2).flatMap { channel in
            (0..<3).flatMap { row in (0..<4).map { Float(Self.value(3, row, $0, channel, 5)) / 255 } }
        }
        #expect(zip(example, expected + [2]).allSatisfy { abs($0 - $1) < 1e-6 } && example.count == 25)
    }

    @Test(arguments: ["same-i8", "same-f4", "same-i2", "same-from-one"])
    func `types, byte orders, orders of memory and labels from one make no difference`(name: String) throws {
        let (plain, other) = (try Self.load("plain"), try Self.load(name))
        #expect(try Self.examples(plain.training) == Self.examples(other.training))
        #expect(try Self.examples(plain.test) == Self.examples(other.test))
        #expect(try plain.training.checksum == other.training.checksum)
    }

    @Test func `fractions, vectors and targets that are values`() throws {
        let fractions = try Self.examples(try Self.load("fractions").training)
        for (a, b) in try zip(fractions.joined(), Self.examples(try Self.load("plain").training).joined()) {
            #expect(abs(a - b) < 1e-6)
        }
        let vectors = try Self.load("vectors", ImageOptions())
        #expect(vectors.training.inputShape == .vector(24))
        // By mean and deviation of all training values.
        let values = try Self.examples(vectors.training).flatMap { $0.prefix(24) }.map { Double($0) }
        let mean = values.reduce(0, +) / Double(values.count)
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
        #expect(abs(mean) < 1e-6 && abs(variance - 1) < 1e-5)
        #expect(try Self.load("grey").training.inputShape == .image(height: 3, width: 4, channels: 1))
        let targets = try Self.load("values")
        #expect(targets.predictsValues && targets.training.target.count == 1)
        #expect(try Self.examples(targets.training).map { $0[24] } == [0, 0.5, 1, 0, 0.5, 1])
        #expect(try Self.load("two-values").training.target.count == 2)
        let name = DatasetName.npz
        #expect(
            name.outline(of: Self.folder.appending(path: "values.npz"))!
                == DataOutline(isVector: false, predictsValues: true))
        #expect(
            name.outline(of: Self.folder.appending(path: "vectors.npz"))!
                == DataOutline(isVector: true, predictsValues: false))
        #expect(name.outline(of: Self.folder.appending(path: "bad-cut.npz")) == nil)
    }

    @Test(arguments: [
        ("bad-objects", "pickles"), ("bad-text", "<U1"), ("bad-complex", "c16"), ("bad-negative", "label -1"),
        ("bad-gap", "no training example has the label 1"), ("bad-label", "has the label 3"),
        ("bad-one-class", "1 class;"), ("bad-missing", "no x_test, but x_train"), ("bad-count", "6 examples but"),
        ("bad-shapes", "does not match"), ("bad-rank", "[6, 3, 2, 2, 2]"), ("bad-empty", "no examples"),
        ("bad-infinite", "infinite"), ("bad-cut", "bad-cut.npz"), ("bad-array", "an array of NumPy"),
        ("bad-damaged", "bad-damaged.npz"), ("not-there", "no such file"),
        ("bad-checksum", "does not decode"), ("bad-huge-label", "label 18446744073709552000"),
        ("bad-sizes", "4294967296"), ("bad-names", "no x_train, but ../x_train"),
    ])
    func `what cannot be used is refused by its name`(name: String, reason: String) throws {
        let error = #expect(throws: DatasetError.self) { try Self.load(name) }
        let text = try #require(error).description
        #expect(text.contains("\(name).npz") && text.contains(reason), "\(text)")
    }

    @Test func `images of bytes alone are resized and changed, and unit means from 0 to 255`() throws {
        let size = ImageOptions(size: ImageSize("2x2"))
        #expect(try Self.load("plain", size).training.inputShape == .image(height: 2, width: 2, channels: 2))
        #expect(throws: DatasetError.self) { try Self.load("vectors", size) }
        #expect(throws: DatasetError.self) { try Self.load("values", ImageOptions(augmentation: .changes([.flip]))) }
    }
}
