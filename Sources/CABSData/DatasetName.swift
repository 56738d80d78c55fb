import CABSNetwork
import Foundation

/// The data sets that are known by name.
public enum DatasetName: String, Sendable, Hashable, Codable, CaseIterable {
    /// 70,000 handwritten digits of 28x28.
    case mnist
    /// 70,000 articles of clothing of 28x28, in MNIST's format.
    case fashionMNIST = "fashion-mnist"
    /// 60,000 colour images of 32x32 in 10 classes.
    case cifar10
    /// 60,000 colour images of 32x32 in 100 classes.
    case cifar100
    /// CIFAR-100 by its 20 coarse classes.
    case cifar100Coarse = "cifar100-coarse"
    /// 99,289 colour images of 32x32 of digits in house numbers.
    case svhn
    /// 1,797 handwritten digits of 8x8 (UCI), which come with this package.
    case digits

    /// Loads the data set.
    ///
    /// - Parameters:
    ///   - folder: Where to look first, before the usual places.
    ///   - augments: Whether training examples are changed at random, for the sets where that is usual: CIFAR.
    ///   - seed: The seed of these changes.
    /// - Throws: ``DatasetError`` where the data set is not found or its files are not right.
    public func load(from folder: URL? = nil, augments: Bool = true, seed: UInt64 = 0) throws(DatasetError)
        -> TrainingData
    {
        switch self {
        case .mnist, .fashionMNIST:
            let folder = try locate(in: folder)
            return try TrainingData(
                name: rawValue,
                training: ImageDataset(Self.idxImages(in: folder, "train"), preprocessing: UnitInterval()),
                test: ImageDataset(Self.idxImages(in: folder, "t10k"), preprocessing: UnitInterval()))
        case .cifar10:
            return try cifar(
                in: locate(in: folder), .cifar10, training: (1...5).map { "data_batch_\($0).bin" },
                test: "test_batch.bin", augments: augments, seed: seed)
        case .cifar100, .cifar100Coarse:
            return try cifar(
                in: locate(in: folder), self == .cifar100 ? .cifar100Fine : .cifar100Coarse,
                training: ["train.bin"], test: "test.bin", augments: augments, seed: seed)
        case .svhn:
            let folder = try locate(in: folder)
            return try TrainingData(
                name: rawValue, training: Self.svhnImages(in: folder, "train"),
                test: Self.svhnImages(in: folder, "test"))
        case .digits:
            return try Digits.load()
        }
    }

    /// Finds the folder that holds the data set's files.
    ///
    /// - Parameter folder: Where to look first: the folder itself, or one that holds it.
    /// - Throws: ``DatasetError/notFound(name:tried:advice:)`` with all places tried.
    public func locate(in folder: URL? = nil) throws(DatasetError) -> URL {
        let places = places(in: folder)
        for place in places where hasFiles(in: place) { return place }
        throw .notFound(name: rawValue, tried: places.map(\.path), advice: advice)
    }

    /// Where files go that are fetched: the first place of ``locate(in:)`` that bears the data set's own name.
    ///
    /// - Parameter folder: The folder to make the data set's own in, instead of the usual place.
    public func fetchFolder(in folder: URL? = nil) -> URL {
        (folder ?? Self.environmentFolder ?? Self.cacheFolder).appending(path: folderNames[0])
    }

    private static var environmentFolder: URL? {
        let path = ProcessInfo.processInfo.environment["CABS_DATA"] ?? ""
        return path.isEmpty ? nil : URL(filePath: path)
    }

    private static var cacheFolder: URL {
        FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache/cabs")
    }

    /// The folders to look in, first to last.
    private func places(in folder: URL?) -> [URL] {
        func candidates(_ base: URL) -> [URL] {
            [base] + folderNames.map { base.appending(path: $0) }
        }
        // A folder that the user names is the only one meant.
        if let folder { return candidates(folder) }
        var places: [URL] = []
        if let environment = Self.environmentFolder { places += candidates(environment).dropFirst() }
        places += candidates(Self.cacheFolder).dropFirst()
        if self == .fashionMNIST { places.append(URL(filePath: "/usr/share/datasets/fashion-mnist")) }
        return places
    }

    /// What the data set's folder may be called: as here, or as its archive unpacks.
    private var folderNames: [String] {
        switch self {
        case .mnist, .fashionMNIST, .svhn, .digits: [rawValue]
        case .cifar10: [rawValue, "cifar-10-batches-bin"]
        case .cifar100, .cifar100Coarse: ["cifar100", "cifar-100-binary"]
        }
    }

    private var advice: String {
        let fetching = "get it with cabs data fetch \(rawValue), or name its folder with --data"
        return switch self {
        case .fashionMNIST: "install Debian's package dataset-fashion-mnist, or \(fetching)"
        case .mnist, .cifar10, .cifar100, .cifar100Coarse, .svhn: fetching
        case .digits: "it comes with this package"
        }
    }

    /// Whether a folder holds the files; whether they are right shows when they are read.
    private func hasFiles(in folder: URL) -> Bool {
        switch self {
        case .mnist, .fashionMNIST: Self.idxFile(in: folder, "train-images", rank: 3) != nil
        case .cifar10: folder.hasFile("data_batch_1.bin")
        case .cifar100, .cifar100Coarse: folder.hasFile("train.bin")
        case .svhn: folder.hasFile("train_32x32.mat")
        case .digits: false
        }
    }

    // MARK: Reading

    /// The file of an IDX set, under one of the names in use.
    private static func idxFile(in folder: URL, _ stem: String, rank: Int) -> URL? {
        let names = ["\(stem)-idx\(rank)-ubyte", "\(stem).idx\(rank)-ubyte"].flatMap { ["\($0).gz", $0] }
        return names.first { folder.hasFile($0) }.map { folder.appending(path: $0) }
    }

    private static func idxImages(in folder: URL, _ split: String) throws(DatasetError) -> LabeledImages {
        func file(_ stem: String, rank: Int) throws(DatasetError) -> URL {
            if let file = idxFile(in: folder, stem, rank: rank) { return file }
            throw .unreadable(
                file: folder.appending(path: "\(stem)-idx\(rank)-ubyte").path, reason: "there is no such file")
        }
        let (imageFile, labelFile) = (
            try file("\(split)-images", rank: 3), try file("\(split)-labels", rank: 1)
        )
        return try LabeledImages(
            images: IDXFile(contentsOf: imageFile, rank: 3), labels: IDXFile(contentsOf: labelFile, rank: 1),
            classCount: 10, imageSource: imageFile.path, labelSource: labelFile.path)
    }

    private func cifar(
        in folder: URL, _ kind: CIFARFile.Kind, training: [String], test: String, augments: Bool, seed: UInt64
    ) throws(DatasetError) -> TrainingData {
        func images(_ names: [String]) throws(DatasetError) -> LabeledImages {
            var pixels: [UInt8] = []
            var labels: [UInt8] = []
            for name in names {
                let file = try CIFARFile(contentsOf: folder.appending(path: name), kind: kind)
                pixels += file.pixels
                labels += file.labels
            }
            return try LabeledImages(
                shape: CIFARFile.shape, classCount: kind.classCount, pixels: pixels, labels: labels,
                source: folder.path)
        }
        return try TrainingData(
            name: rawValue,
            training: ImageDataset(
                images(training), preprocessing: CroppedAndStandardized(augments: augments), seed: seed),
            test: ImageDataset(images([test]), preprocessing: CroppedAndStandardized(augments: false)))
    }
}

extension DatasetName {
    /// One part of SVHN, standardised whole.
    private static func svhnImages(in folder: URL, _ split: String) throws(DatasetError) -> ImageDataset {
        let path = folder.appending(path: "\(split)_32x32.mat")
        let file = try SVHNFile(contentsOf: path)
        let images = try LabeledImages(
            shape: SVHNFile.shape, classCount: SVHNFile.classCount, pixels: file.pixels, labels: file.labels,
            source: path.path)
        return try ImageDataset(images, preprocessing: CroppedAndStandardized(cropSize: 32, augments: false))
    }
}

extension LabeledImages {
    /// Puts the two files of an IDX set together.
    init(
        images: IDXFile, labels: IDXFile, classCount: Int, imageSource: String, labelSource: String
    ) throws(DatasetError) {
        guard images.sizes[0] == labels.sizes[0] else {
            throw .countsDiffer(
                images: imageSource, imageCount: images.sizes[0], labels: labelSource,
                labelCount: labels.sizes[0])
        }
        guard images.sizes.allSatisfy({ $0 > 0 }) else { throw .noExamples(imageSource) }
        try self.init(
            shape: .image(height: images.sizes[1], width: images.sizes[2], channels: 1),
            classCount: classCount, pixels: images.values, labels: labels.values, source: labelSource)
    }
}

extension URL {
    fileprivate func hasFile(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: appending(path: name).path)
    }
}

extension TrainingData {
    /// MNIST; see ``DatasetName/load(from:augments:seed:)``.
    public static func mnist(from folder: URL? = nil) throws(DatasetError) -> TrainingData {
        try DatasetName.mnist.load(from: folder)
    }

    /// Fashion-MNIST; see ``DatasetName/load(from:augments:seed:)``.
    public static func fashionMNIST(from folder: URL? = nil) throws(DatasetError) -> TrainingData {
        try DatasetName.fashionMNIST.load(from: folder)
    }

    /// CIFAR-10; see ``DatasetName/load(from:augments:seed:)``.
    public static func cifar10(
        from folder: URL? = nil, augments: Bool = true, seed: UInt64 = 0
    ) throws(DatasetError) -> TrainingData {
        try DatasetName.cifar10.load(from: folder, augments: augments, seed: seed)
    }

    /// SVHN; see ``DatasetName/load(from:augments:seed:)``.
    public static func svhn(from folder: URL? = nil) throws(DatasetError) -> TrainingData {
        try DatasetName.svhn.load(from: folder)
    }

    /// The digits that come with this package.
    public static func digits() throws(DatasetError) -> TrainingData {
        try DatasetName.digits.load()
    }
}
