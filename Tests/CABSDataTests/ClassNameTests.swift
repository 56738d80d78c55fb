import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// A class keeps its own name from its file on, and data are matched with a network's classes by it.
@Suite(.timeLimit(.minutes(10))) struct ClassNameTests {
    private static func file(_ name: String) -> URL {
        ArrayFileTests.folder.appending(path: "\(name).npz")
    }

    private static func trained(_ name: String) throws -> InputDescription {
        try #require(DatasetName.npz.load(from: file(name), images: ImageOptions(normalization: .unit)).input)
    }

    private static func evaluated(_ name: String, by network: InputDescription) throws -> EvaluationData {
        try DatasetName.npz.evaluationData(from: file(name), for: network, images: ImageOptions())
    }

    @Test func `labels are the names of their classes`() throws {
        #expect(try Self.trained("plain").classNames == ["0", "1", "2"])
        #expect(try Self.trained("same-from-one").classNames == ["1", "2", "3"])
        #expect(try DatasetName.digits.load().input?.classNames == (0...9).map(String.init))
    }

    /// y_test of plain is 2, 1, 0, 2.
    @Test(arguments: [
        ("plain", [2, 1, 0, 2], "the 4 test examples of npz (10 examples in all)"),
        ("evaluate-test-alone", [2, 1, 0, 2], "the 4 test examples of npz"),
        ("evaluate-two-classes", [2, 1, 2], "the 3 test examples of npz (9 examples in all)"),
        ("evaluate-whole", [0, 1, 2, 0, 1, 2], "all 6 examples of npz"),
        ("evaluate-plain-names", [2, 1, 0, 2], "all 4 examples of npz"),
    ])
    func `what is given is evaluated, by the network's own classes`(
        name: String, labels: [Int], words: String
    ) throws {
        let data = try Self.evaluated(name, by: Self.trained("plain"))
        #expect(try data.examples.labels == labels && data.examples.target.count == 3)
        #expect(data.description == words && data.input?.classNames == ["0", "1", "2"])
    }

    /// y_test of the vectors is 3, 2, 3, and the network's classes are 1, 2 and 3.
    @Test func `vectors of fewer classes are the network's own too`() throws {
        let data = try Self.evaluated("evaluate-two-vectors", by: Self.trained("vectors-from-one"))
        #expect(try data.examples.labels == [2, 1, 2] && data.examples.target.count == 3)
        #expect(data.input?.classNames == ["1", "2", "3"] && data.className(1) == "2")
    }

    @Test func `labels that the network does not know are refused, never shifted`() throws {
        for (network, file, unknown) in [("plain", "same-from-one", "3"), ("same-from-one", "plain", "0")] {
            let error = #expect(throws: DatasetError.self) { try Self.evaluated(file, by: Self.trained(network)) }
            guard case .notTheNetworksClass(unknown, _, _)? = error else {
                Issue.record("\(file) by a network of \(network): \(String(describing: error))")
                continue
            }
        }
        #expect(throws: DatasetError.self) {
            try Self.evaluated("evaluate-other-class", by: Self.trained("plain"))
        }
    }

    @Test func `classes in another order are matched by name`() throws {
        let input = InputDescription(
            shape: .vector(1), normalization: .unit(), targetCount: 3, classNames: ["c", "a", "b"])
        let matching = ClassMatching(["a", "b"], to: input)
        #expect(try matching.numbers(of: [0, 1, 1, 0], source: "") == [1, 2, 2, 1])
        // One that does not occur need not be known.
        #expect(try ClassMatching(["a", "x"], to: input).numbers(of: [0], source: "") == [1])
        #expect(throws: DatasetError.self) { try ClassMatching(["a", "x"], to: input).numbers(of: [1], source: "") }
        // Networks of versions that named no classes: as many are matched by their order, fewer by their numbers.
        let unnamed = InputDescription(shape: .vector(1), normalization: .unit(), targetCount: 3)
        #expect(try ClassMatching(["1", "2", "3"], to: unnamed).numbers(of: [0, 2], source: "") == [0, 2])
        #expect(try ClassMatching(["1", "2"], to: unnamed).numbers(of: [0, 1], source: "") == [1, 2])
    }

    @Test func `values to be predicted and classes are told apart`() throws {
        #expect(throws: DatasetError.self) { try Self.evaluated("values", by: Self.trained("plain")) }
        let options = ImageOptions(normalization: .unit)
        let values = try #require(DatasetName.npz.load(from: Self.file("values"), images: options).input)
        #expect(values.classNames == nil)
        #expect(throws: DatasetError.self) { try Self.evaluated("plain", by: values) }
    }

    /// Letters of EMNIST are labelled from 1 on, its balanced set from 0.
    @Test(arguments: [1, 0] as [UInt8])
    func `labels of files in MNIST's format are names too`(first: UInt8) throws {
        let folder = try TemporaryFolder()
        func write(_ part: String, _ labels: [UInt8]) throws {
            let count: [UInt8] = [0, 0, 0, UInt8(labels.count)]
            let pixels: [UInt8] = labels.flatMap { label -> [UInt8] in [label, 255] }
            let images: [UInt8] = [0, 0, 8, 3] + count + [0, 0, 0, 1, 0, 0, 0, 2] + pixels
            try folder.write(images, as: "\(part)-images-idx3-ubyte")
            let classes: [UInt8] = [0, 0, 8, 1] + count + labels
            try folder.write(classes, as: "\(part)-labels-idx1-ubyte")
        }
        try write("train", Array(first...12))
        try write("t10k", [12, 3])
        let input = try #require(DatasetName.emnistLetters.load(from: folder.url).input)
        let names = (first...12).map { "\($0)" }
        #expect(input.classNames == names)
        for part in ["images-idx3", "labels-idx1"] {
            try FileManager.default.removeItem(at: folder.url.appending(path: "train-\(part)-ubyte"))
        }
        let data = try DatasetName.emnistLetters.evaluationData(from: folder.url, for: input)
        #expect(try data.examples.labels == [12 - Int(first), 3 - Int(first)])
    }
}
