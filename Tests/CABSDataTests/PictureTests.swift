import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// Pictures of all kinds beside what Pillow sees in them, and folders of pictures.
@Suite(.timeLimit(.minutes(10))) struct PictureTests {
    static let folder = Bundle.module.bundleURL.appending(path: "Resources/pictures")

    private struct Seen: Decodable {
        let shape: [Int]
        let pixels: [Int]
    }

    /// How far a byte may be from Pillow's: PNG is exact, but for the rounding of what is mixed; decoders of JPEG round in their own ways.
    private static func tolerance(_ name: String) -> Int {
        name.contains("alpha") ? 1 : name.lowercased().hasSuffix("png") ? 0 : 3
    }

    @Test func `what is seen in a picture is what Pillow sees`() throws {
        let file = Self.folder.deletingLastPathComponent().appending(path: "pictures.json")
        let seen = try JSONDecoder().decode([String: Seen].self, from: Data(contentsOf: file))
        #expect(seen.count == 18)
        for (name, expected) in seen {
            let picture = try Picture(contentsOf: Self.folder.appending(path: name))
            let shape = ExampleShape.image(
                height: expected.shape[1], width: expected.shape[2], channels: expected.shape[0])
            #expect(picture.shape == shape, "\(name)")
            let distance = zip(picture.pixels, expected.pixels).map { abs(Int($0) - $1) }.max()!
            #expect(distance <= Self.tolerance(name), "\(name): \(distance)")
        }
    }

    @Test(arguments: [
        ("bad-cmyk.jpg", "CMYK"), ("bad-empty.png", "empty"), ("bad-text.jpg", "neither a PNG nor a JPEG"),
        ("bad-cut.jpg", "remature end"), ("bad-cut.png", "cannot be used"), ("bad-damaged.png", "cannot be used"),
        ("bad-huge.png", "50000x50000"),
        ("nothing.png", "no such file"),
    ])
    func `a picture that cannot be used is refused by its name`(name: String, reason: String) throws {
        let error = #expect(throws: DatasetError.self) { try Picture(contentsOf: Self.folder.appending(path: name)) }
        let text = try #require(error).description
        #expect(text.contains(name) && text.contains(reason), "\(text)")
    }

    @Test func `grey becomes three equal channels, and three channels their brightness`() throws {
        let color = try Picture(contentsOf: Self.folder.appending(path: "color.PNG"))
        let grey = color.withChannelCount(1)
        #expect(grey.shape == .image(height: 5, width: 7, channels: 1))
        let (red, green, blue) = (Int(color.pixels[9]), Int(color.pixels[44]), Int(color.pixels[79]))
        #expect(Int(grey.pixels[9]) == (299 * red + 587 * green + 114 * blue + 500) / 1000)
        #expect(grey.withChannelCount(3).pixels == grey.pixels + grey.pixels + grey.pixels)
    }

    @Test func `a picture written as PNG is read back as it was`() throws {
        for name in ["color.PNG", "grey.png"] {
            let picture = try Picture(contentsOf: Self.folder.appending(path: name))
            let folder = try TemporaryFolder()
            let file = try folder.write(Array(picture.png), as: "again.png")
            #expect(try Picture(contentsOf: file).pixels == picture.pixels)
        }
    }

    // MARK: Folders

    /// Pictures of one grey value each, below a folder.
    private static func write(_ values: [String: UInt8], side: Int = 2, in folder: TemporaryFolder) throws {
        for (path, value) in values {
            let picture = try #require(
                Picture(
                    shape: .image(height: side, width: side, channels: 1),
                    pixels: [UInt8](repeating: value, count: side * side)))
            let file = folder.url.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try picture.png.write(to: file)
        }
    }

    private static func load(
        _ folder: TemporaryFolder, _ options: ImageOptions = ImageOptions(normalization: .unit)
    ) throws -> TrainingData {
        try DatasetName.folder.load(from: folder.url, images: options)
    }

    private static func refusal(_ folder: TemporaryFolder, _ options: ImageOptions = ImageOptions()) throws -> String {
        let error = #expect(throws: DatasetError.self) { try load(folder, options) }
        return try #require(error).description
    }

    @Test(arguments: ["test", "val"])
    func `classes are folders, examples in the order of their names`(test: String) throws {
        let folder = try TemporaryFolder()
        try Self.write(
            [
                "train/b/2.png": 20, "train/b/10.PNG": 10, "train/a/x.png": 30, "train/a/more/y.png": 31,
                "\(test)/b/1.png": 40,
            ], in: folder)
        try folder.write([1], as: "train/a/notes.txt")
        try folder.write([1], as: "train/.hidden")
        let data = try Self.load(folder)
        #expect(data.input?.classNames == ["a", "b"])
        #expect(try (0..<4).map { Int(try data.training.classified($0).input[0] * 255 + 0.5) } == [30, 31, 10, 20])
        #expect(try (0..<4).map { try data.training.classified($0).label } == [0, 0, 1, 1])
        #expect(try data.test.count == 1 && data.test.classified(0).label == 1)
        #expect(data.notices.count == 1 && data.notices[0].contains("notes.txt"))
        try Self.write(["more/b/1.png": 40], in: folder)
        #expect(try Self.load(folder).notices[0].contains("also holds more"))
    }

    @Test func `where no folder divides the pictures, their names do`() throws {
        let folder = try TemporaryFolder()
        let names = (0..<200).map { "\($0 % 2 == 0 ? "even" : "odd")/\($0).png" }
        try Self.write(Dictionary(uniqueKeysWithValues: names.map { ($0, 9) }), in: folder)
        let data = try Self.load(folder)
        #expect(data.training.count + data.test.count == 200 && (25...55).contains(data.test.count))
        let half = try Self.load(folder, ImageOptions(testFraction: 0.5))
        #expect((80...120).contains(half.test.count))
        // A picture more changes no other's part.
        let before = try PictureFolder(folder.url, testFraction: 0.2).test!.map(\.file.lastPathComponent)
        try Self.write(["even/one-more.png": 3], in: folder)
        let after = try PictureFolder(folder.url, testFraction: 0.2).test!.map(\.file.lastPathComponent)
        #expect(before == after.filter { $0 != "one-more.png" })
        // The same on every machine: these are the first of this one.
        #expect(before.prefix(4) == ["108.png", "110.png", "116.png", "122.png"], "\(before.prefix(4))")
    }

    @Test func `channels and sizes are brought together where it is asked for`() throws {
        let folder = try TemporaryFolder()
        try Self.write(["train/a/1.png": 10, "test/a/1.png": 10], side: 4, in: folder)
        try Self.write(["train/b/1.png": 20], side: 6, in: folder)
        let text = try Self.refusal(folder)
        #expect(text.contains("4x4x1") && text.contains("6x6x1") && text.contains("--image-size"), "\(text)")
        let size = try #require(ImageSize("3x3"))
        let data = try Self.load(folder, ImageOptions(size: size, normalization: .unit, channelCount: 3))
        #expect(data.training.inputShape == .image(height: 3, width: 3, channels: 3))
        #expect(try Set(data.training.classified(1).input) == [Float(20) / 255])
    }

    @Test func `pictures that memory has no place for are decoded each time, and are the same`() throws {
        let folder = try TemporaryFolder()
        try Self.write(["train/a/1.png": 10, "train/b/1.png": 30, "train/b/2.png": 50, "test/a/1.png": 9], in: folder)
        // Three training pictures and one of the test, of nine bytes each.
        let options = { (limit: Int) in ImageOptions(size: ImageSize("3x3"), memoryLimit: limit) }
        let (whole, each) = (try Self.load(folder, options(36)), try Self.load(folder, options(35)))
        #expect((whole.training as? ImageDataset)?.images is LabeledImages)
        #expect((each.training as? ImageDataset)?.images is DecodedEachTime)
        #expect(whole.input == each.input)
        for index in 0..<3 {
            #expect(try whole.training.example(at: index) == each.training.example(at: index))
        }
        #expect(try each.training.checksum == Self.load(folder, options(35)).training.checksum)
        try Self.write(["train/b/1.png": 31], in: folder)
        #expect(try each.training.checksum != Self.load(folder, options(35)).training.checksum)
        _ = try each.training.example(at: 0)
        var error = #expect(throws: DatasetError.self) { try each.training.example(at: 1) }
        #expect(try #require(error).description.contains("another one than when the run began"))
        #expect(each.training.picture(at: 1) == nil)
        try FileManager.default.removeItem(at: folder.url.appending(path: "test/a/1.png"))
        error = #expect(throws: DatasetError.self) { try each.test.example(at: 0) }
        #expect(try #require(error).description.contains("no such file"))
    }

    @Test func `channels are normalised by the training pictures, in testing too`() throws {
        let folder = try TemporaryFolder()
        try Self.write(["train/a/1.png": 10, "train/b/1.png": 30, "test/a/1.png": 50], in: folder)
        let data = try Self.load(folder, ImageOptions())
        #expect(data.input?.normalization == .channel(means: [20], deviations: [10]))
        #expect(try data.training.classified(0).input == [-1, -1, -1, -1])
        #expect(try data.test.classified(0).input == [3, 3, 3, 3])
        let input = try #require(data.input)
        var known = ImageOptions()
        known.known = InputDescription(
            shape: input.shape, normalization: .channel(means: [0], deviations: [50]), targetCount: 2)
        #expect(try Self.load(folder, known).test.classified(0).input == [1, 1, 1, 1])
        known.normalization = .image
        #expect(throws: DatasetError.self) { try Self.load(folder, known) }
        known.normalization = nil
        known.channelCount = 3
        let other = #expect(throws: DatasetError.self) { try Self.load(folder, known) }
        #expect(try #require(other).description.contains("2x2x3"))
        #expect(try JSONDecoder().decode(InputDescription.self, from: JSONEncoder().encode(input)) == input)
    }

    @Test(arguments: [
        (#""shape":[8,8,3]"#, #""shape":[8,8,3],"crop_size":9"#), (#""shape":[8,8,3]"#, #""shape":[8,8,-3]"#),
        (#""shape":[8,8,3]"#, #""shape":[16777216,16777216,16777216]"#),
        (#""shape":[8,8,3]"#, #""shape":[192],"crop_size":4"#),
        (#""target_count":2"#, #""target_count":-1"#), (#""target_count":2"#, #""target_count":3"#),
        (#""means":[1,2,3]"#, #""means":[1,2]"#), (#""deviations":[1,2,3]"#, #""deviations":[1,0,3]"#),
    ])
    func `a description of inputs that cannot be is refused`(part: String, instead: String) throws {
        let text =
            #"{"shape":[8,8,3],"bytes":true,"normalization":"channel","means":[1,2,3],"deviations":[1,2,3],"target_count":2,"#
            + #""predicts_values":false,"classes":["a","b"]}"#
        let decoder = JSONDecoder()
        _ = try decoder.decode(InputDescription.self, from: Data(text.utf8))
        let changed = text.replacing(part, with: instead)
        #expect(changed != text)
        #expect(throws: DecodingError.self) { try decoder.decode(InputDescription.self, from: Data(changed.utf8)) }
    }

    @Test func `links are followed, but not round in circles`() throws {
        let folder = try TemporaryFolder()
        try Self.write(["train/a/1.png": 1, "train/b/1.png": 2, "test/b/1.png": 3, "elsewhere/2.png": 4], in: folder)
        let class_ = folder.url.appending(path: "train/a")
        let manager = FileManager.default
        try manager.createSymbolicLink(at: class_.appending(path: "back"), withDestinationURL: class_)
        try manager.createSymbolicLink(
            at: class_.appending(path: "more"), withDestinationURL: folder.url.appending(path: "elsewhere"))
        try manager.createSymbolicLink(at: class_.appending(path: "up"), withDestinationURL: folder.url)
        #expect(try Self.load(folder).training.count == 3)
    }

    @Test func `a network's classes keep their numbers, and others are refused`() throws {
        let folder = try TemporaryFolder()
        try Self.write(["Train/b/1.png": 1, "Test/b/1.png": 2], in: folder)
        #expect(throws: DatasetError.self) { try Self.load(folder) }
        var options = ImageOptions()
        options.known = InputDescription(
            shape: .image(height: 2, width: 2, channels: 1), normalization: .unit(), targetCount: 3,
            classNames: ["a", "b", "c"])
        let data = try Self.load(folder, options)
        #expect(try data.test.target.count == 3 && data.test.classified(0).label == 1)
        try Self.write(["Train/d/1.png": 1], in: folder)
        let error = #expect(throws: DatasetError.self) { try Self.load(folder, options) }
        #expect(
            try #require(error).description.contains("the class d, which the network does not know; it knows a, b, c"))
    }

    @Test func `what nothing can be learned from is refused with what to do`() throws {
        func refusal(_ values: [String: UInt8], _ prepare: (TemporaryFolder) throws -> Void = { _ in }) throws -> String
        {
            let folder = try TemporaryFolder()
            try Self.write(values, in: folder)
            try prepare(folder)
            return try Self.refusal(folder)
        }
        let fine: [String: UInt8] = ["train/a/1.png": 1, "train/b/1.png": 2, "test/a/1.png": 3]
        let empty = try refusal(fine) {
            try FileManager.default.createDirectory(
                at: $0.url.appending(path: "train/c"), withIntermediateDirectories: true)
        }
        #expect(empty.contains("train/c is a class without pictures"), "\(empty)")
        let unknown = try refusal(fine.merging(["test/z/1.png": 1]) { $1 })
        #expect(unknown.contains("the class z"), "\(unknown)")
        #expect(try refusal(["train/a/1.png": 1, "test/a/1.png": 1]).contains("1 class;"))
        #expect(try refusal(["train/a/1.png": 1, "train/b/1.png": 1]).contains("no folder test or val beside it"))
        #expect(try refusal([:]).contains("no pictures"))
        // The same letters in other bytes.
        let twice = try refusal(fine.merging(["train/caf\u{e9}/1.png": 1]) { $1 }) {
            try Self.write(["train/cafe\u{301}/1.png": 1], in: $0)
        }
        #expect(twice.contains("twice"), "\(twice)")
        let few = try refusal(["a/1.png": 1, "b/1.png": 2])
        #expect(few.contains("--test-fraction"), "\(few)")
        let broken = try refusal(fine) { folder in
            for name in ["2", "3", "4"] { try folder.write([0x89, 0x50, 0x4e, 0x47, 0], as: "train/b/\(name).png") }
        }
        #expect(broken.contains("train/b/2.png") && broken.contains("(and 2 more like it)"), "\(broken)")
        let name = try refusal(fine) { folder in
            let path = Array("\(folder.url.path)/train/a/".utf8) + [0xff, 0xfe] + Array(".png".utf8) + [0]
            let descriptor = path.withUnsafeBufferPointer { bytes in
                open(
                    UnsafeRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o600)
            }
            try #require(descriptor >= 0)
            close(descriptor)
        }
        #expect(name.contains("not UTF-8"), "\(name)")
    }
}
