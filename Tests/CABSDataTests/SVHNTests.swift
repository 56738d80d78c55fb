import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// Files that Resources/make_svhn.py made.
@Suite(.timeLimit(.minutes(10))) struct SVHNTests {
    static func file(_ name: String) throws -> URL {
        try #require(Bundle.module.url(forResource: name, withExtension: "mat", subdirectory: "Resources"))
    }

    /// The images of `svhn.mat`, channels first.
    static let pixels: [UInt8] = {
        var pixels: [UInt8] = []
        for plane in 0..<9 {
            let offset = 90 * (plane / 3) + 50 * (plane % 3)
            for position in 0..<1024 {
                pixels.append(UInt8((position / 32 + 3 * (position % 32) + offset) % 256))
            }
        }
        return pixels
    }()

    @Test func `images become rows of planes, and the label 10 is the digit 0`() throws {
        let file = try SVHNFile(contentsOf: Self.file("svhn"))
        #expect(file.pixels == Self.pixels)
        #expect(file.labels == [1, 0, 9])
    }

    @Test(arguments: ["svhn-class", "svhn-row"])
    func `any numeric class will do, and labels in a row`(name: String) throws {
        #expect(try SVHNFile(contentsOf: Self.file(name)) == SVHNFile(contentsOf: Self.file("svhn")))
    }

    @Test(arguments: ["svhn-one", "svhn-plain"])
    func `one image may lack the last size, and no compression is needed`(name: String) throws {
        let file = try SVHNFile(contentsOf: Self.file(name))
        #expect(file.pixels == Array(Self.pixels[..<3072]))
        #expect(file.labels == [1])
    }

    @Test(arguments: [
        ("svhn-complex", "y is not of real numbers"), ("svhn-fraction", "an array y, of which number 0 is 0.5"),
        ("svhn-hdf5", "save it with -v7"),
        ("svhn-shape", "X is of [32, 16, 3, 3]"), ("svhn-count", "X is of [32, 32, 3, 3], y of [2, 1]"),
        ("svhn-label", "example 1 has the label 11"), ("svhn-zero", "example 1 has the label 0"),
        ("svhn-no-y", "it has no y"), ("svhn-lie", "[32, 32, 3, 4], more than it holds"),
        ("svhn-absurd", "[32, 32, 3, 2147483647], more than it holds"),
    ])
    func `other arrays are refused with what was found`(name: String, mentions: String) throws {
        let file = try Self.file(name)
        let error = #expect(throws: DatasetError.self) { try SVHNFile(contentsOf: file) }
        let text = try #require(error).description
        #expect(text.contains(mentions) && text.contains(file.path), "\(text)")
    }

    @Test(arguments: ["svhn", "svhn-plain"])
    func `a file cut anywhere is told from a whole one`(name: String) throws {
        let folder = try TemporaryFolder()
        let whole = try [UInt8](Data(contentsOf: Self.file(name)))
        for count in 0..<whole.count {
            let file = try folder.write(Array(whole[..<count]), as: "cut.mat")
            #expect(throws: DatasetError.self, "\(count) bytes") { try SVHNFile(contentsOf: file) }
        }
    }

    @Test func `a changed byte is an error or changes nothing`() throws {
        let folder = try TemporaryFolder()
        let whole = try [UInt8](Data(contentsOf: Self.file("svhn")))
        let right = try SVHNFile(contentsOf: Self.file("svhn"))
        for index in whole.indices {
            var bytes = whole
            bytes[index] ^= 0x41
            let file = try folder.write(bytes, as: "changed.mat")
            if let read = try? SVHNFile(contentsOf: file) { #expect(read == right, "byte \(index)") }
        }
    }

    /// matio would allocate what a header promises, and read on within cells and structures.
    @Test(
        arguments: [
            // The position in svhn-plain.mat, what is put there, and what is said of it.
            (136, 7, "8 bytes of type 7 for its flags"), (144, 1, "a variable is of class 1"),
            (156, 0xFFFF_FFF0, "4294967280 bytes of type 5 for its sizes"),
            (176, 1, "88 bytes of type 1 for its name"), (176, 0x1234_0001, "4660 bytes of type 1 for its name"),
        ] as [(Int, UInt32, String)])
    func `a header that promises much is refused before it is believed`(
        position: Int, word: UInt32, mentions: String
    ) throws {
        let folder = try TemporaryFolder()
        var bytes = try [UInt8](Data(contentsOf: Self.file("svhn-plain")))
        bytes.replaceSubrange(position..<(position + 4), with: withUnsafeBytes(of: word.littleEndian, Array.init))
        let file = try folder.write(bytes, as: "promise.mat")
        let error = #expect(throws: DatasetError.self) { try SVHNFile(contentsOf: file) }
        #expect(try #require(error).description.contains(mentions), "\(String(describing: error))")
    }

    @Test func `garbage is of another format`() throws {
        let folder = try TemporaryFolder()
        let header = try [UInt8](Data(contentsOf: Self.file("svhn")).prefix(128))
        for bytes in [[UInt8](repeating: 7, count: 400), header + [UInt8](repeating: 7, count: 400)] {
            let file = try folder.write(bytes, as: "garbage.mat")
            #expect(throws: DatasetError.self) { try SVHNFile(contentsOf: file) }
        }
        // An empty compressed element is no variable.
        let empty: [UInt8] = [0x78, 0x9C, 3, 0, 0, 0, 0, 1]
        let file = try folder.write(header + [15, 0, 0, 0, 8, 0, 0, 0] + empty, as: "empty.mat")
        #expect(throws: DatasetError.self) { try SVHNFile(contentsOf: file) }
    }

    @Test func `the set is standardised whole`() throws {
        let folder = try TemporaryFolder()
        for split in ["train", "test"] {
            try FileManager.default.copyItem(
                at: Self.file("svhn"), to: folder.url.appending(path: "\(split)_32x32.mat"))
        }
        let data = try DatasetName.svhn.load(from: folder.url)
        #expect(data.training.count == 3 && data.test.count == 3 && data.training.target == .classes(10))
        #expect(data.training.inputShape == SVHNFile.shape)
        let (input, target) = try data.training.example(at: 1, draw: 7)
        let bytes = Self.pixels[3072..<6144]
        let mean = Double(bytes.reduce(0) { $0 + Int($1) }) / 3072
        let deviation = (bytes.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 3072).squareRoot()
        for (value, byte) in zip(input, bytes) {
            #expect(abs(Double(value) - (Double(byte) - mean) / deviation) < 1e-5)
        }
        #expect(target == .class(0))
    }
}
