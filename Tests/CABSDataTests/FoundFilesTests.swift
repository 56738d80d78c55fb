import CZlib
import Foundation
import Testing

@testable import CABSData

/// Which files of a folder are taken for a data set, and what is said where none will do.
@Suite(.timeLimit(.minutes(10))) struct FoundFilesTests {
    /// A set of images of 2x2 with these labels, its files named by `name`.
    private static func write(
        _ labels: [UInt8], in folder: TemporaryFolder, name: (_ split: String, _ part: String) -> String = standardName
    ) throws {
        for split in ["train", "t10k"] {
            let images = [UInt8](repeating: 7, count: 4 * labels.count)
            try folder.write(idx([labels.count, 2, 2], images), as: name(split, "images-idx3-ubyte"))
            try folder.write(idx([labels.count], labels), as: name(split, "labels-idx1-ubyte"))
        }
    }

    private static func standardName(_ split: String, _ part: String) -> String { "\(split)-\(part)" }

    private static func refusal(_ name: DatasetName, in folder: TemporaryFolder) -> String {
        let error = #expect(throws: DatasetError.self) { try name.load(from: folder.url) }
        return error?.description ?? ""
    }

    @Test(arguments: [[], [0x1f, 0x8b, 8, 0], Array("<html>".utf8)] as [[UInt8]])
    func `a file that cannot be read does not hide one beside it`(bytes: [UInt8]) throws {
        let folder = try TemporaryFolder()
        try Self.write([1, 2], in: folder)
        for name in ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
            try folder.write(bytes, as: "\(name).gz")
        }
        #expect(try DatasetName.mnist.load(from: folder.url).training.count == 2)
        // The other way round, too.
        let file = folder.url.appending(path: "train-labels-idx1-ubyte")
        try gzipped([Array(Data(contentsOf: file))]).write(to: file.appendingPathExtension("gz"))
        try Data(bytes).write(to: file)
        #expect(try DatasetName.mnist.load(from: folder.url).training.count == 2)
    }

    @Test func `sets of MNIST's kind are read by their own names, with their classes`() throws {
        let folder = try TemporaryFolder()
        try Self.write((1...26).map { UInt8($0) }, in: folder) { "emnist-letters-\(Self.standardName($0, $1))" }
        let letters = try DatasetName.emnistLetters.load(from: folder.url)
        #expect(letters.training.count == 26 && letters.training.target.count == 26)
        #expect(throws: DatasetError.self) { try DatasetName.emnistDigits.load(from: folder.url) }
        let plain = try TemporaryFolder()
        try Self.write([0, 9], in: plain)
        for name in [DatasetName.kmnist, .qmnist, .emnistBalanced] {
            #expect(try name.load(from: plain.url).training.target.count == 10)
        }
    }

    @Test func `a folder of a file's name is no file, but may hold it`() throws {
        let folder = try TemporaryFolder()
        try Self.write([1, 2], in: folder)
        let file = folder.url.appending(path: "train-images-idx3-ubyte")
        let bytes = try Data(contentsOf: file)
        try FileManager.default.removeItem(at: file)
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        let text = Self.refusal(.mnist, in: folder)
        #expect(text.contains("train-images-idx3-ubyte (a folder)") && text.contains("looked for"), "\(text)")
        try bytes.write(to: file.appending(path: file.lastPathComponent))
        #expect(try DatasetName.mnist.load(from: folder.url).training.count == 2)
    }

    @Test func `what is no folder, and a pipe in a file's place, is named and not waited for`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write([0x80, 4, 1], as: "data")
        let error = #expect(throws: DatasetError.self) { try DatasetName.mnist.load(from: file) }
        #expect(try #require(error).description.contains("it is a pickle, which Python writes, not a folder"))
        #expect(mkfifo(folder.url.appending(path: "train-images-idx3-ubyte").path, 0o600) == 0)
        #expect(Self.refusal(.mnist, in: folder).contains("train-images-idx3-ubyte (a pipe or a device)"))
    }

    @Test func `links are followed`() throws {
        let (store, folder) = (try TemporaryFolder(), try TemporaryFolder())
        try Self.write([1, 2], in: store)
        let link = folder.url.appending(path: "here")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: store.url)
        #expect(try DatasetName.mnist.load(from: link).training.count == 2)
    }

    @Test func `EMNIST's and QMNIST's own names are known, letters count from 1`() throws {
        let letters = try TemporaryFolder()
        let labels = (1...26).map(UInt8.init)
        try Self.write(labels, in: letters) { "emnist-letters-\($0 == "t10k" ? "test" : $0)-\($1)" }
        let data = try DatasetName.mnist.load(from: letters.url)
        #expect(data.training.target.count == 26)
        #expect(try data.test.classified(25).label == 25)
        // A second one in the same folder: which is meant?
        try Self.write([0, 1], in: letters) { "emnist-digits-\($0)-\($1)" }
        let text = Self.refusal(.mnist, in: letters)
        #expect(text.contains("emnist-digits-*") && text.contains("emnist-letters-*"), "\(text)")

        let qmnist = try TemporaryFolder()
        try Self.write([3, 1], in: qmnist) { "qmnist-\($0 == "t10k" ? "test" : $0)-\($1)" }
        for split in ["train", "test"] {
            try FileManager.default.removeItem(at: qmnist.url.appending(path: "qmnist-\(split)-labels-idx1-ubyte"))
            // Two rows of eight 32-bit integers, the class first.
            var table = [UInt8](repeating: 0, count: 64)
            (table[3], table[6], table[7], table[35], table[62]) = (3, 9, 9, 1, 1)
            try folderTable(table, in: qmnist, as: "qmnist-\(split)-labels-idx2-int")
        }
        let images = try DatasetName.mnist.load(from: qmnist.url)
        #expect(try images.training.classified(0).label == 3)
    }

    private func folderTable(_ bytes: [UInt8], in folder: TemporaryFolder, as name: String) throws {
        try folder.write([0, 0, 12, 2, 0, 0, 0, 2, 0, 0, 0, 8] + bytes, as: name)
    }

    @Test(
        arguments: [
            (0x09, [5, 9]), (0x0b, [0, 5, 0, 9]), (0x0c, [0, 0, 0, 5, 0, 0, 0, 9]),
            (0x0d, [0x40, 0xa0, 0, 0, 0x41, 0x10, 0, 0]),
            (0x0e, [0x40, 0x14, 0, 0, 0, 0, 0, 0, 0x40, 0x22, 0, 0, 0, 0, 0, 0]),
        ] as [(UInt8, [UInt8])])
    func `values of every type are read where they fit`(type: UInt8, bytes: [UInt8]) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write([0, 0, type, 1, 0, 0, 0, 2] + bytes, as: "labels")
        #expect(try IDXFile(labelsIn: file).values == [5, 9])
    }

    @Test func `values that do not fit are refused by type`() throws {
        let folder = try TemporaryFolder()
        for (bytes, type) in [
            ([0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 0, 1, 0], "32-bit integers"),
            ([0, 0, 0x09, 1, 0, 0, 0, 1, 0xff], "signed bytes"),
            ([0, 0, 0x0d, 1, 0, 0, 0, 1, 0x3f, 0, 0, 0], "32-bit floats"),
        ] as [([UInt8], String)] {
            let file = try folder.write(bytes, as: "labels")
            let error = #expect(throws: DatasetError.self) { try IDXFile(labelsIn: file) }
            #expect(try #require(error).description.contains(type))
        }
    }

    @Test(
        arguments: [
            (Array("<!DOCTYPE html><html>".utf8), "a web page"),
            (Array("<?xml version=\"1.0\"?><Error>".utf8), "an XML document"),
            (Array("version https://git-lfs.github.com/spec/v1".utf8), "Git LFS"), ([0x80, 2, 0x7d], "a pickle"),
            (Array("PK\u{3}\u{4}xxxx".utf8), "a zip archive"), ([], "an empty file"),
            (
                [0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3],
                "unsigned bytes with 4 dimensions, 1x2x2x3"
            ),
        ] as [([UInt8], String)])
    func `what lies in a file's place is named`(bytes: [UInt8], kind: String) throws {
        let folder = try TemporaryFolder()
        try Self.write([1], in: folder)
        try folder.write(bytes, as: "train-images-idx3-ubyte")
        #expect(Self.refusal(.mnist, in: folder).contains(kind))
        // A colour image's file is none of CIFAR's by its length alone.
        guard !bytes.isEmpty, bytes[0] != 0 else { return }
        for name in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
            try folder.write(bytes + [UInt8](repeating: 32, count: 4000), as: name)
        }
        #expect(Self.refusal(.cifar10, in: folder).contains(kind))
    }

    @Test func `files known to be of another set are refused with both names`() throws {
        guard let fashion = try? DatasetName.fashionMNIST.locate() else {
            print("SKIPPED: Fashion-MNIST is not here, so that nothing can be taken for MNIST")
            return
        }
        let error = #expect(throws: DatasetError.self) { try DatasetName.mnist.load(from: fashion) }
        #expect(
            try #require(error).description.contains(
                "holds the train-images of fashion-mnist, not the train-images of mnist"))
        // Its own test files in the place of training files are none either.
        let folder = try TemporaryFolder()
        for (part, rank) in [("images", 3), ("labels", 1)] {
            for split in ["train", "t10k"] {
                try FileManager.default.createSymbolicLink(
                    at: folder.url.appending(path: "\(split)-\(part)-idx\(rank)-ubyte.gz"),
                    withDestinationURL: fashion.appending(path: "t10k-\(part)-idx\(rank)-ubyte.gz"))
            }
        }
        #expect(Self.refusal(.fashionMNIST, in: folder).contains("holds the t10k-images of fashion-mnist"))
    }

    /// A file of gzip with so many members (RFC 1952).
    private func gzipped(_ members: [[UInt8]]) throws -> Data {
        let folder = try TemporaryFolder()
        var result = Data()
        for member in members {
            let path = folder.url.appending(path: "m.gz").path
            let file = try #require(gzopen(path, "wb"))
            member.withUnsafeBytes { _ = gzwrite(file, $0.baseAddress, UInt32($0.count)) }
            gzclose(file)
            result += try Data(contentsOf: folder.url.appending(path: "m.gz"))
        }
        return result
    }

    @Test func `files of gzip may have several members, empty ones, zeros behind them and more`() throws {
        let folder = try TemporaryFolder()
        let bytes = idx([5], [1, 2, 3, 4, 5])
        let parts = try gzipped([Array(bytes.prefix(3)), [], Array(bytes.dropFirst(3))])
        for rest in [Data(), Data(repeating: 0, count: 1000), Data("left over".utf8)] {
            let file = folder.url.appending(path: "labels.gz")
            try (parts + rest).write(to: file)
            #expect(try IDXFile(contentsOf: file, rank: 1).values == [1, 2, 3, 4, 5])
        }
        // A member that is cut, or whose checksum is wrong, is damage.
        for damaged in [parts.dropLast(9), parts.dropLast(8) + Data(repeating: 9, count: 8)] {
            let file = folder.url.appending(path: "labels.gz")
            try damaged.write(to: file)
            #expect(throws: DatasetError.damagedCompression(file: file.path)) { try IDXFile(contentsOf: file, rank: 1) }
        }
    }

    @Test func `a header of gzip may have all of its fields`() throws {
        let folder = try TemporaryFolder()
        let plain = try gzipped([idx([1], [6])])
        // Extra field, name, comment and the header's checksum, in place of the ten plain bytes.
        var header = [UInt8]([0x1f, 0x8b, 8, 0b1_1110, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7])
        header += Array("name\0comment\0".utf8)
        let checksum = header.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
        header += [UInt8(checksum & 0xff), UInt8(checksum >> 8 & 0xff)]
        let file = folder.url.appending(path: "labels.gz")
        try (Data(header) + plain.dropFirst(10)).write(to: file)
        #expect(try IDXFile(contentsOf: file, rank: 1).values == [6])
    }
}
