import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// A folder for one test's files, removed after it.
final class TemporaryFolder {
    let url = FileManager.default.temporaryDirectory.appending(path: "cabs-tests-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    @discardableResult
    func write(_ bytes: [UInt8], as name: String) throws -> URL {
        let file = url.appending(path: name)
        try Data(bytes).write(to: file)
        return file
    }
}

/// The bytes of an IDX file.
func idx(_ sizes: [Int], _ values: [UInt8]) -> [UInt8] {
    let head: [UInt8] = [0, 0, 8, UInt8(sizes.count)]
    return head + sizes.flatMap { withUnsafeBytes(of: UInt32($0).bigEndian, Array.init) } + values
}

/// `idx([2], [7, 9])`, made by Python's gzip module:
/// `gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), mtime=0)`.
let compressed: [UInt8] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 99, 96, 224, 96, 100, 96, 96, 96, 98, 231, 4, 0, 122, 130, 1, 163, 10, 0, 0, 0,
]

@Suite(.timeLimit(.minutes(10))) struct FileTests {
    @Test func `plain and compressed files read alike`() throws {
        let folder = try TemporaryFolder()
        let plain = try IDXFile(contentsOf: folder.write(idx([2], [7, 9]), as: "plain"), rank: 1)
        #expect(plain.sizes == [2])
        #expect(plain.values == [7, 9])
        #expect(try IDXFile(contentsOf: folder.write(compressed, as: "file.gz"), rank: 1) == plain)
    }

    @Test func `a file of several dimensions keeps their order`() throws {
        let folder = try TemporaryFolder()
        let file = try IDXFile(contentsOf: folder.write(idx([2, 1, 3], [1, 2, 3, 4, 5, 6]), as: "f"), rank: 3)
        #expect(file.sizes == [2, 1, 3])
        #expect(file.values == [1, 2, 3, 4, 5, 6])
    }

    @Test func `a file cut anywhere is told from a whole one`() throws {
        let folder = try TemporaryFolder()
        for whole in [idx([2, 2, 2], Array(1...8)), compressed] {
            let rank = whole == compressed ? 1 : 3
            for count in 0..<whole.count {
                let file = try folder.write(Array(whole[..<count]), as: "cut")
                #expect(throws: DatasetError.self, "\(count) bytes") { try IDXFile(contentsOf: file, rank: rank) }
            }
        }
    }

    @Test func `what follows a file's end is an error`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(idx([2], [7, 9, 1]), as: "long")
        #expect(throws: DatasetError.trailingBytes(file: file.path, expectedBytes: 10)) {
            try IDXFile(contentsOf: file, rank: 1)
        }
    }

    @Test func `damaged compression is an error`() throws {
        let folder = try TemporaryFolder()
        var bytes = compressed
        bytes[12] ^= 0x55
        let file = try folder.write(bytes, as: "damaged")
        #expect(throws: DatasetError.self) { try IDXFile(contentsOf: file, rank: 1) }
    }

    @Test func `a header that promises more than any memory has allocates nothing`() throws {
        let folder = try TemporaryFolder()
        for sizes in [
            [0xFFFF_FFFF, 1, 1], [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF], [0x7FFF_FFFF, 0x7FFF_FFFF, 2],
            // These multiply to the largest integer there is.
            [3_969_050_863, 2_323_823_089, 1],
        ] {
            let file = try folder.write(idx(sizes, [1, 2, 3]), as: "promise")
            #expect(throws: DatasetError.self) { try IDXFile(contentsOf: file, rank: 3) }
        }
    }

    @Test func `labels in the place of images are of the wrong format`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(idx([2], [7, 9]), as: "labels")
        #expect(
            throws: DatasetError.wrongFormat(
                file: file.path, expected: "an IDX file of 3 dimensions",
                found: "it is an IDX file of unsigned bytes with 1 dimension, 2")
        ) { try IDXFile(contentsOf: file, rank: 3) }
    }

    @Test func `CIFAR records are label, then planes`() throws {
        let folder = try TemporaryFolder()
        let image = (0..<3072).map { UInt8(truncatingIfNeeded: $0) }
        let ten = try CIFARFile(contentsOf: folder.write([3] + image + [9] + image, as: "ten"), kind: .cifar10)
        #expect(ten.labels == [3, 9])
        #expect(ten.pixels == image + image)
        let hundred = try folder.write([19, 99] + image, as: "hundred")
        #expect(try CIFARFile(contentsOf: hundred, kind: .cifar100Fine).labels == [99])
        #expect(try CIFARFile(contentsOf: hundred, kind: .cifar100Coarse).labels == [19])
    }

    @Test func `CIFAR files that are no whole records, or have no such class, are refused`() throws {
        let folder = try TemporaryFolder()
        let image = [UInt8](repeating: 1, count: 3072)
        let cut = try folder.write([3] + image + [9], as: "cut")
        #expect(throws: DatasetError.truncated(file: cut.path, expectedBytes: 6146, foundBytes: 3074)) {
            try CIFARFile(contentsOf: cut, kind: .cifar10)
        }
        let label = try folder.write([3] + image + [10] + image, as: "label")
        #expect(throws: DatasetError.labelOutsideClasses(10, example: 1, source: label.path, classCount: 10)) {
            try CIFARFile(contentsOf: label, kind: .cifar10)
        }
        let empty = try folder.write([], as: "empty")
        #expect(throws: DatasetError.noExamples(empty.path)) { try CIFARFile(contentsOf: empty, kind: .cifar10) }
    }

    /// The four files of a set of so many images of 2x2.
    static func writeSet(in folder: TemporaryFolder, labels: [UInt8], imageCount: Int? = nil) throws {
        let count = imageCount ?? labels.count
        for split in ["train", "t10k"] {
            let pixels = [UInt8](repeating: 255, count: 4 * count)
            try folder.write(idx([count, 2, 2], pixels), as: "\(split)-images-idx3-ubyte")
            try folder.write(idx([labels.count], labels), as: "\(split)-labels-idx1-ubyte")
        }
    }

    @Test func `a set of files is found in a folder that is named`() throws {
        let folder = try TemporaryFolder()
        try Self.writeSet(in: folder, labels: [0, 9, 4])
        let data = try DatasetName.mnist.load(from: folder.url)
        #expect(data.training.count == 3)
        #expect(data.training.inputShape == .image(height: 2, width: 2, channels: 1))
        #expect(try data.training.example(at: 1) == ([1, 1, 1, 1], .class(9)))
    }

    /// The first values and the classes of all examples of a part.
    private static func contents(_ part: any Dataset) throws -> (first: [Float], classes: [Int]) {
        (try (0..<part.count).map { try part.example(at: $0).input[0] }, try #require(try part.labels))
    }

    @Test func `training and test examples come from their own files`() throws {
        let folder = try TemporaryFolder()
        for (split, value) in [("train", 255), ("t10k", 0)] as [(String, UInt8)] {
            let pixels = [UInt8](repeating: value, count: 8)
            try folder.write(idx([2, 2, 2], pixels), as: "\(split)-images-idx3-ubyte")
            try folder.write(idx([2], [value % 10, 3]), as: "\(split)-labels-idx1-ubyte")
        }
        for name in [DatasetName.mnist, .fashionMNIST] {
            let data = try name.load(from: folder.url)
            #expect(try Self.contents(data.training) == ([1, 1], [5, 3]))
            #expect(try Self.contents(data.test) == ([0, 0], [0, 3]))
        }
    }

    @Test func `CIFAR-10's training examples are those of five files, CIFAR-100's of one`() throws {
        let folder = try TemporaryFolder()
        let image = (0..<3072).map { UInt8(truncatingIfNeeded: $0) }
        for number in 1...5 {
            try folder.write([UInt8(number)] + image + [UInt8(number + 3)] + image, as: "data_batch_\(number).bin")
        }
        try folder.write([9] + image, as: "test_batch.bin")
        try folder.write([19, 99] + image + [18, 3] + image, as: "train.bin")
        try folder.write([17, 77] + image, as: "test.bin")
        func classes(_ name: DatasetName) throws -> [[Int]] {
            let data = try name.load(from: folder.url)
            return try [data.training, data.test].map { try Self.contents($0).classes }
        }
        #expect(try classes(.cifar10) == [[1, 4, 2, 5, 3, 6, 4, 7, 5, 8], [9]])
        #expect(try classes(.cifar100) == [[99, 3], [77]])
        #expect(try classes(.cifar100Coarse) == [[19, 18], [17]])
    }

    @Test func `labels outside the classes and files of different sets are refused`() throws {
        let folder = try TemporaryFolder()
        try Self.writeSet(in: folder, labels: [0, 10])
        let labels = folder.url.appending(path: "train-labels-idx1-ubyte").path
        #expect(throws: DatasetError.labelOutsideClasses(10, example: 1, source: labels, classCount: 10)) {
            try DatasetName.mnist.load(from: folder.url)
        }
        try Self.writeSet(in: folder, labels: [0, 1], imageCount: 3)
        #expect(throws: DatasetError.self) { try DatasetName.mnist.load(from: folder.url) }
    }

    @Test func `a set that is nowhere names the places`() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: DatasetError.self) { try DatasetName.cifar10.locate(in: folder.url) }
        let text = try #require(error).description
        #expect(text.contains(folder.url.path))
        #expect(text.contains("cifar-10-batches-bin"))
        #expect(text.contains("cabs data fetch cifar10"))
    }

    @Test func `the digits come with the package`() throws {
        // Facts about the set, by scikit-learn: load_digits().images[4::5].sum() and its targets' counts.
        let data = try DatasetName.digits.load()
        #expect(data.training.count + data.test.count == 1797)
        #expect(data.training.inputShape == .image(height: 8, width: 8, channels: 1))
        var counts = [Int](repeating: 0, count: 10)
        var total: Float = 0
        for split in [data.training, data.test] {
            for index in 0..<split.count {
                let (input, label) = try split.classified(index)
                // A byte is within half of one of its shade, a sixteenth of white.
                total += input.reduce(0) { $0 + ($1 * 16).rounded() }
                counts[try #require(label)] += 1
            }
        }
        #expect(counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
        #expect(total == 561_718)
        // Their shades reach to white, so that a network takes pictures from elsewhere as it takes these.
        let picture = try #require(data.test.picture(at: 0))
        #expect(picture.pixels.max() == 255)
        #expect(try data.input?.values(of: picture) == data.test.example(at: 0).input)
    }
}
