import Foundation
import Testing

@testable import CABSData

/// What data are taken for where nobody says it.
@Suite(.timeLimit(.minutes(10))) struct InferenceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func inferred(_ path: String = "") throws -> DatasetName {
        try DatasetName.inferred(from: path.isEmpty ? folder.url : folder.url.appending(path: path))
    }

    @Test func `arrays, pictures and known sets are told by their files`() throws {
        #expect(try DatasetName.inferred(from: ArrayFileTests.folder.appending(path: "plain.npz")) == .npz)
        let picture = try #require(Picture(shape: .image(height: 1, width: 1, channels: 1), pixels: [9]))
        for name in ["a", "b"] {
            let place = folder.url.appending(path: "pictures/\(name)")
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try picture.png.write(to: place.appending(path: "1.png"))
        }
        #expect(try inferred("pictures") == .folder)
        for (name, file) in [("one", "data_batch_1.bin"), ("two", "train.bin"), ("three", "train_32x32.mat")] {
            try FileManager.default.createDirectory(
                at: folder.url.appending(path: name), withIntermediateDirectories: true)
            try folder.write([1], as: "\(name)/\(file)")
        }
        #expect(try [inferred("one"), inferred("two"), inferred("three")] == [.cifar10, .cifar100, .svhn])
    }

    @Test func `what is not known is refused, and what may be several`() throws {
        try folder.write(Array("a,b\n1,2\n".utf8), as: "table.csv")
        for path in ["", "table.csv", "nothing"] { #expect(throws: DatasetError.self) { try inferred(path) } }
        for part in ["images-idx3", "labels-idx1"] {
            try folder.write([0, 0, 8, 1, 0, 0, 0, 0], as: "train-\(part)-ubyte")
        }
        let error = #expect(throws: DatasetError.self) { try inferred() }
        guard case .severalKinds(_, let names)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(names.contains("mnist") && names.contains("kmnist"))
    }
}
