import Foundation

/// All that is known of a data set: a row of the table in ``DatasetName/descriptor``.
public struct DatasetDescriptor: Sendable {
    /// What a folder with its files may be called, as here or as its archive unpacks; the first is made where files are fetched.
    let folderNames: [String]
    /// How its files are found and read.
    let format: any DatasetFormat
    /// How to get it, in words.
    let advice: String
    /// Where else it may lie.
    var systemFolder: String?
    /// The official source of its files, where they are fetched.
    var source: (address: String, files: [DatasetSource.File])?
    /// How its images usually go to a network.
    var usualImages = ImageOptions()
    /// Whether its files alone tell that it is this one, where nobody said so.
    var isInferred = true

    /// The model that is trained where none is asked for, by its name.
    public let usualModel: String
    /// The learning rate under plain descent where none is given: so large that CABS has batches grow within a few epochs; images in colour
    /// are noisier.
    public let usualLearningRate: Double
}

extension DatasetName {
    /// What is known of the data set.
    public var descriptor: DatasetDescriptor {
        switch self {
        case .mnist:
            .idx(
                self, advice: fetching,
                source: (
                    "https://ossci-datasets.s3.amazonaws.com/mnist/",
                    Self.idxFiles([
                        "f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
                        "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c",
                    ])
                ))
        case .fashionMNIST:
            .idx(
                self, advice: "install Debian's package dataset-fashion-mnist, or \(fetching)",
                systemFolder: "/usr/share/datasets/fashion-mnist",
                source: (
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                    Self.idxFiles([
                        "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                        "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310",
                    ])
                ))
        case .emnistLetters, .emnistBalanced, .emnistDigits: .idx(self, otherFolder: "emnist", advice: fromAuthors)
        case .kmnist, .qmnist: .idx(self, advice: fromAuthors)
        case .cifar10:
            .cifar(
                [rawValue, "cifar-10-batches-bin"], .cifar10, training: (1...5).map { "data_batch_\($0).bin" },
                test: "test_batch.bin", imagesPerFile: 10_000, archive: "cifar-10-binary.tar.gz",
                checksum: "c32a1d4ab5d03f1284b67883e8d87530", advice: fetching, model: "cifar10-2conv-3dense")
        case .cifar100, .cifar100Coarse:
            .cifar(
                ["cifar100", "cifar-100-binary"], self == .cifar100 ? .cifar100Fine : .cifar100Coarse,
                training: ["train.bin"], test: "test.bin", imagesPerFile: 50_000, archive: "cifar-100-binary.tar.gz",
                checksum: "03b5dce01913d631647c71ecec9e9cb8", advice: fetching, model: "cifar100-4conv-2dense",
                isInferred: self == .cifar100)
        case .svhn:
            DatasetDescriptor(
                folderNames: [rawValue], format: BinaryFiles.svhn, advice: fetching,
                source: (
                    "http://ufldl.stanford.edu/housenumbers/",
                    [
                        .init(name: "train_32x32.mat", checksum: "e26dedcc434d2e4c54c9b2d4a06d8373"),
                        .init(name: "test_32x32.mat", checksum: "eb5a983be6a315427106f1b164d9cef3"),
                    ]
                ), usualModel: "svhn-3conv-2dense", usualLearningRate: 0.1)
        case .digits:
            DatasetDescriptor(
                folderNames: [rawValue], format: Digits(), advice: "it comes with this package", isInferred: false,
                usualModel: "mlp", usualLearningRate: 0.1)
        case .folder: .own(self, PictureFolders())
        case .npz: .own(self, NumPyArrays())
        }
    }

    private var fetching: String { "get it with cabs data fetch \(rawValue), or name its folder with --data" }
    private var fromAuthors: String { "get its files from its authors, and name their folder with --data" }

    /// The four files of a set in MNIST's format, by their checksums in the order of ``IDXFiles/fileNames``.
    private static func idxFiles(_ checksums: [String]) -> [DatasetSource.File] {
        zip(IDXFiles.allFileNames, checksums).map { .init(name: "\($0).gz", checksum: $1) }
    }
}

/// Kinds of rows.
extension DatasetDescriptor {
    /// Grey images of 28x28 in MNIST's format.
    fileprivate static func idx(
        _ name: DatasetName, otherFolder: String? = nil, advice: String, systemFolder: String? = nil,
        source: (String, [DatasetSource.File])? = nil
    ) -> DatasetDescriptor {
        DatasetDescriptor(
            folderNames: [name.rawValue] + (otherFolder.map { [$0] } ?? []), format: IDXFiles(name: name),
            advice: advice, systemFolder: systemFolder, source: source, usualModel: "mnist-2conv-2dense",
            usualLearningRate: 0.2)
    }

    /// Images in CIFAR's binary format, by the paper's recipe.
    fileprivate static func cifar(
        _ folderNames: [String], _ kind: CIFARFile.Kind, training: [String], test: String, imagesPerFile: Int,
        archive: String, checksum: String, advice: String, model: String, isInferred: Bool = true
    ) -> DatasetDescriptor {
        let byteCount = kind.labelCount + CIFARFile.shape.count
        let members = training.map { DatasetSource.Member(name: $0, byteCount: imagesPerFile * byteCount) }
        return DatasetDescriptor(
            folderNames: folderNames, format: BinaryFiles.cifar(kind, training: training, test: test),
            advice: "\(advice) (the binary version)",
            source: (
                "https://www.cs.toronto.edu/~kriz/",
                [
                    .init(
                        name: archive, checksum: checksum,
                        members: members + [.init(name: test, byteCount: 10_000 * byteCount)])
                ]
            ), usualImages: ImageOptions(augmentation: .paper), isInferred: isInferred, usualModel: model,
            usualLearningRate: 0.1)
    }

    fileprivate static func own(_ name: DatasetName, _ format: any DatasetFormat) -> DatasetDescriptor {
        DatasetDescriptor(
            folderNames: [name.rawValue], format: format, advice: "name it with --data", isInferred: false,
            usualModel: "resnet9", usualLearningRate: 0.1)
    }
}
