import Foundation
import Testing

@testable import CABSTraining

/// The checksums by which published data sets are known, beside a second list of them and beside the files.
@Suite(.timeLimit(.minutes(10))) struct PublishedChecksumTests {
    /// As torchvision and the pages of the sets' makers have them.
    private static let published: [DatasetName: [String: String]] = [
        .mnist: [
            "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        ],
        .fashionMNIST: [
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        ],
        .cifar10: ["cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"],
        .cifar100: ["cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"],
        .cifar100Coarse: ["cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"],
        .svhn: [
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        ],
    ]

    @Test func `files are fetched by their published checksums and sizes`() throws {
        for name in DatasetName.allCases {
            let files = try name.source()?.files ?? []
            let found = Dictionary(uniqueKeysWithValues: files.map { ($0.name, $0.checksum) })
            #expect(found == Self.published[name] ?? [:], "\(name)")
        }
        let ten = try #require(try DatasetName.cifar10.source()?.files.first).members
        #expect(Set(ten.map(\.byteCount)) == [30_730_000] && ten.count == 6)
        let hundred = try #require(try DatasetName.cifar100.source()?.files.first).members
        #expect(hundred.map(\.byteCount) == [153_700_000, 30_740_000])
    }

    /// Each file in the place of another of the same kind is known for what it is.
    @Test(arguments: [DatasetName.mnist, .fashionMNIST])
    func `each file is known by its content`(name: DatasetName) throws {
        let shared = ParityTests.shared.appending(path: "data")
        guard let folder = (try? name.locate(in: shared)) ?? (try? name.locate()) else {
            print(
                "SKIPPED: \(name.rawValue) is not here, so that its files cannot be compared with what they are known by"
            )
            return
        }
        for (part, kind) in [("train", "images"), ("t10k", "images"), ("train", "labels"), ("t10k", "labels")] {
            let place = try TemporaryFolder()
            for split in ["train", "t10k"] {
                for (each, rank) in [("images", 3), ("labels", 1)] {
                    // Of other kinds the same set's own.
                    let source = each == kind ? part : split
                    let ending = "\(each)-idx\(rank)-ubyte.gz"
                    try FileManager.default.createSymbolicLink(
                        at: place.url.appending(path: "\(split)-\(ending)"),
                        withDestinationURL: folder.appending(path: "\(source)-\(ending)"))
                }
            }
            let error = #expect(throws: DatasetError.self) { try name.load(from: place.url) }
            guard case .anotherFile(_, _, let found)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(found == "\(part)-\(kind) of \(name.rawValue)")
        }
    }
}
