import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// What folders of pictures are taken to mean, and that nothing in them is dropped without a word.
@Suite(.timeLimit(.minutes(10))) struct FolderMeaningTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ paths: [String]) throws {
        for path in paths {
            let picture = try #require(
                Picture(shape: .image(height: 2, width: 2, channels: 1), pixels: [1, 2, 3, UInt8(path.count)]))
            let file = folder.url.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try picture.png.write(to: file)
        }
    }

    @Test(arguments: [
        ("train", "test"), ("Training", "Testing"), ("TRAIN", "Valid"), ("seg_train/seg_train", "seg_test/seg_test"),
        ("train", "validation"), ("data/train", "data/val"), ("archive/Data/Training", "archive/Data/Test"),
        ("train_images", "test_images"), ("train-set", "test-set"), ("trainset", "testset"), ("training", "eval"),
    ])
    func `parts are known by their names`(training: String, test: String) throws {
        try write(["\(training)/a/1.png", "\(training)/a/2.png", "\(training)/b/1.png", "\(test)/b/1.png"])
        let data = try DatasetName.folder.load(from: folder.url)
        #expect(data.input?.classNames == ["a", "b"])
        #expect(data.training.count == 3 && data.test.count == 1)
    }

    @Test func `parts of one set have their other words in common`() throws {
        try write(["a_train/x/1.png", "a_train/y/1.png", "b_test/x/1.png", "b_test/y/1.png", "a_val/y/1.png"])
        let data = try DatasetName.folder.load(from: folder.url)
        #expect(data.training.count == 2 && data.test.count == 1)
        #expect(data.notices.contains { $0.contains("b_test") })
    }

    @Test func `classes may be called like parts`() throws {
        let names = ["train", "car", "test_tube", "bus"]
        try write(names.flatMap { name in (0..<20).map { "\(name)/\($0).png" } })
        let data = try DatasetName.folder.load(from: folder.url)
        #expect(data.input?.classNames == names.sorted() && data.training.count + data.test.count == 80)
    }

    @Test(arguments: [["first", "second"], ["learn", "exam", "rest"]])
    func `folders that may be classes or parts are not guessed at`(parts: [String]) throws {
        try write(parts.flatMap { part in ["cat", "dog"].flatMap { ["\(part)/\($0)/1.png", "\(part)/\($0)/2.png"] } })
        let error = #expect(throws: DatasetError.self) { try DatasetName.folder.load(from: folder.url) }
        #expect(error == .twoMeanings(folder: folder.url.path, outer: parts.sorted(), inner: ["cat", "dog"]))
    }

    @Test func `folders within classes are no parts`() throws {
        try write(["cat", "dog"].flatMap { name in (0..<20).map { "\(name)/images/\($0).png" } })
        #expect(try DatasetName.folder.load(from: folder.url).input?.classNames == ["cat", "dog"])
    }

    @Test func `a part without the other, or without classes, is refused`() throws {
        try write(["Training/a/1.png", "Training/b/1.png"])
        var error = #expect(throws: DatasetError.self) { try DatasetName.folder.load(from: folder.url) }
        #expect(error == .missingPictureFolder(folder: folder.url.path, part: "Training", other: "test or val"))
        try write(["Test/1.png"])
        error = #expect(throws: DatasetError.self) { try DatasetName.folder.load(from: folder.url) }
        #expect(error == .noClassFolders(folder.url.appending(path: "Test").path))
    }

    @Test func `a fraction for testing beside parts is refused`() throws {
        try write(["train/a/1.png", "train/b/1.png", "test/a/1.png"])
        #expect(throws: DatasetError.testFractionWithoutEffect(0.5, folder: folder.url.path)) {
            try DatasetName.folder.load(from: folder.url, images: ImageOptions(testFraction: 0.5))
        }
    }

    /// A network of classes a, b and c; what is given is evaluated whole, or its test part.
    @Test(arguments: [
        (["a/1.png", "a/2.png", "c/1.png"], [0, 0, 2], "all 3 examples of folder"),
        (["b/1.png"], [1], "the only example of folder"),
        (["test/b/1.png", "test/c/1.png"], [1, 2], "the 2 test examples of folder"),
        (
            ["train/a/1.png", "train/a/2.png", "train/b/1.png", "val/b/1.png"], [1],
            "the 1 test example of folder (4 examples in all)"
        ),
        // Of both, what is for testing, and not what rates and sizes were chosen by.
        (
            ["train/a/1.png", "val/b/1.png", "test/c/1.png", "test/a/1.png"], [0, 2],
            "the 2 test examples of folder (3 examples in all)"
        ),
        (["val/b/1.png", "test/c/1.png"], [2], "the 1 test example of folder"),
        (["new/b/1.png", "new/a/1.png"], [0, 1], "all 2 examples of folder"),
    ])
    func `what is given to evaluate is evaluated`(paths: [String], labels: [Int], words: String) throws {
        try write(paths)
        let network = InputDescription(
            shape: .image(height: 2, width: 2, channels: 1), normalization: .unit(), targetCount: 3,
            classNames: ["a", "b", "c"])
        let data = try DatasetName.folder.evaluationData(from: folder.url, for: network)
        #expect(try data.examples.labels == labels && data.description == words)
    }

    @Test func `images without classes are not evaluated`() throws {
        try write(["1.png", "2.png"])
        let network = InputDescription(
            shape: .image(height: 2, width: 2, channels: 1), normalization: .unit(), targetCount: 2,
            classNames: ["a", "b"])
        #expect(throws: DatasetError.noClassFolders(folder.url.path)) {
            try DatasetName.folder.evaluationData(from: folder.url, for: network)
        }
    }

    @Test func `every file below a folder is used, handed on to be refused, or told of`() throws {
        try write(["1.png", "2.jfif", "no-ending", "more/3.jpe", ".hidden.png", "notes.txt", "4.webp", ".cache/5.png"])
        try folder.write(Array("text".utf8), as: "notes.txt")
        try folder.write(Array("RIFF0000WEBPVP8 ".utf8), as: "4.webp")
        try folder.write([0, 0, 0, 24] + Array("ftypheic0000".utf8), as: "5.HEIC")
        try folder.write(Array("GIF89a".utf8), as: "6")
        let found = try PictureFiles(in: folder.url)
        #expect(
            Set(found.files.map(\.lastPathComponent))
                == ["1.png", "2.jfif", "no-ending", "3.jpe", "4.webp", "5.HEIC", "6"])
        #expect(found.notices.count == 2)
        #expect(found.notices.contains { $0.contains("notes.txt") })
        #expect(found.notices.contains { $0.contains("2 files are hidden") })
        for (name, kind) in [("4.webp", "WebP"), ("5.HEIC", "HEIC"), ("6", "GIF")] {
            let error = #expect(throws: DatasetError.self) { try Picture(contentsOf: folder.url.appending(path: name)) }
            #expect("\(try #require(error))".contains(kind))
        }
    }

    @Test func `images beside the folders of classes are told of`() throws {
        try write(["train/a/1.png", "train/b/1.png", "train/lost.png", "test/a/1.png"])
        let notices = try DatasetName.folder.load(from: folder.url).notices
        #expect(notices.count == 1 && notices[0].contains("lost.png") && notices[0].contains("outside"))
    }
}
