import CABSExamples
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
    /// 145,600 handwritten letters of 28x28 in 26 classes (EMNIST, Cohen et al. 2017).
    case emnistLetters = "emnist-letters"
    /// 131,600 handwritten digits and letters of 28x28 in 47 classes (EMNIST).
    case emnistBalanced = "emnist-balanced"
    /// 280,000 handwritten digits of 28x28 (EMNIST).
    case emnistDigits = "emnist-digits"
    /// 70,000 handwritten Japanese letters of 28x28 in 10 classes (Clanuwat et al. 2018).
    case kmnist
    /// MNIST with 60,000 test images (Yadav and Bottou 2019).
    case qmnist
    /// Own pictures: a folder for each class.
    case folder
    /// Own arrays: a `.npz` file.
    case npz

    /// Loads the data set.
    ///
    /// - Parameters:
    ///   - folder: Where to look first, before the usual places.
    ///   - images: How the images go to a network; ``usualImages`` where not given.
    ///   - seed: The seed of random changes.
    /// - Throws: ``DatasetError`` where the data set is not found or its files are not right.
    public func load(
        from folder: URL? = nil, images options: ImageOptions? = nil, seed: UInt64 = 0
    ) throws(DatasetError) -> TrainingData {
        let options = options ?? usualImages
        guard self != .npz else {
            guard let folder else { throw .placeMissing(dataset: rawValue, what: "the .npz file") }
            return try ArrayFile(folder).data(name: rawValue, options, seed: seed)
        }
        return try images(from: folder, options).data(name: rawValue, options, seed: seed)
    }

    /// Whether these are the user's own data, of which nothing is known beforehand.
    public var isOwn: Bool { self == .folder || self == .npz }

    /// What a look at own arrays tells: whether an example is a vector, and whether targets are values to be predicted; nothing of
    /// other data, and of a file that is not right.
    public func outline(of place: URL?) -> (isVector: Bool, predictsValues: Bool)? {
        guard self == .npz, let place, let outline = ArrayFile.outline(of: place) else { return nil }
        if case .vector = outline.shape { return (true, outline.predictsValues) }
        return (false, outline.predictsValues)
    }

    /// How the set's images usually go to a network: CIFAR's by the paper's recipe, the others as they are.
    public var usualImages: ImageOptions {
        switch self {
        case .cifar10, .cifar100, .cifar100Coarse: ImageOptions(augmentation: .paper)
        default: ImageOptions()
        }
    }

    private func images(from folder: URL?, _ options: ImageOptions) throws(DatasetError) -> ImageSet {
        switch self {
        case .mnist, .fashionMNIST, .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist:
            try IDXDataset(name: self, folder: DatasetFolder(url: locate(in: folder))).load()
        case .cifar10: try cifar(in: locate(in: folder), .cifar10)
        case .cifar100: try cifar(in: locate(in: folder), .cifar100Fine)
        case .cifar100Coarse: try cifar(in: locate(in: folder), .cifar100Coarse)
        case .svhn: try svhn(in: locate(in: folder))
        case .digits: try Digits.load()
        case .folder, .npz: try pictures(in: folder, options)
        }
    }

    /// Finds the folder that holds the data set's files.
    ///
    /// - Parameter folder: Where to look first: the folder itself, or one that holds it.
    /// - Throws: ``DatasetError/notFound(name:tried:advice:)`` with all places tried.
    public func locate(in folder: URL? = nil) throws(DatasetError) -> URL {
        let places = places(in: folder)
        for place in places where hasFiles(in: place) { return place }
        let tried = places.map { place in
            place.path + (DatasetFolder(url: place).contents.map { " (\($0))" } ?? "")
        }
        let names = isIDX ? IDXDataset.namesLookedFor : trainingFiles + [testFile]
        throw .notFound(name: rawValue, names: names, tried: tried, advice: advice)
    }

    /// Where files go that are fetched: the first place of ``locate(in:)`` that bears the data set's own name.
    ///
    /// - Parameter folder: The folder to make the data set's own in, instead of the usual place.
    public func fetchFolder(in folder: URL? = nil) -> URL {
        (folder ?? Self.environmentFolder ?? Self.cacheFolder).appending(path: folderNames[0])
    }

    private static var environmentFolder: URL? {
        let path = ProcessInfo.processInfo.environment["CABS_DATA"] ?? ""
        return path.isEmpty ? nil : URL(userPath: path)
    }

    private static var cacheFolder: URL {
        URL.home.appending(path: ".cache/cabs")
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
        case .emnistLetters, .emnistBalanced, .emnistDigits: [rawValue, "emnist"]
        case .mnist, .fashionMNIST, .svhn, .digits, .kmnist, .qmnist, .folder, .npz: [rawValue]
        case .cifar10: [rawValue, "cifar-10-batches-bin"]
        case .cifar100, .cifar100Coarse: ["cifar100", "cifar-100-binary"]
        }
    }

    private var advice: String {
        let fetching = "get it with cabs data fetch \(rawValue), or name its folder with --data"
        return switch self {
        case .fashionMNIST: "install Debian's package dataset-fashion-mnist, or \(fetching)"
        case .cifar10, .cifar100, .cifar100Coarse: "\(fetching) (the binary version)"
        case .mnist, .svhn: fetching
        case .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist:
            "get its files from its authors, and name their folder with --data"
        case .digits: "it comes with this package"
        case .folder, .npz: "name it with --data"
        }
    }

    private var isIDX: Bool {
        switch self {
        case .mnist, .fashionMNIST, .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist: true
        case .cifar10, .cifar100, .cifar100Coarse, .svhn, .digits, .folder, .npz: false
        }
    }

    /// The files of training examples, of sets in other formats than IDX.
    private var trainingFiles: [String] {
        switch self {
        case .cifar10: (1...5).map { "data_batch_\($0).bin" }
        case .cifar100, .cifar100Coarse: ["train.bin"]
        case .svhn: ["train_32x32.mat"]
        default: []
        }
    }

    /// The file of test examples.
    private var testFile: String {
        switch self {
        case .cifar10: "test_batch.bin"
        case .cifar100, .cifar100Coarse: "test.bin"
        case .svhn: "test_32x32.mat"
        default: ""
        }
    }

    /// Whether a folder holds the files; whether they are right shows when they are read.
    private func hasFiles(in url: URL) -> Bool {
        let folder = DatasetFolder(url: url)
        if isIDX { return IDXDataset(name: self, folder: folder).isThere }
        return trainingFiles.first.map { folder.holds([$0]) } ?? false
    }

    // MARK: Reading

    private func pictures(in url: URL?, _ options: ImageOptions) throws(DatasetError) -> ImageSet {
        guard let url else { throw .placeMissing(dataset: rawValue, what: "a folder that has one for each class") }
        let folder = try PictureFolder(url, testFraction: options.testFraction)
        let reading = PictureReading(
            size: options.size, channelCount: options.channelCount, memoryLimit: options.memoryLimit)
        let (training, test) = try reading.read(folder, from: url)
        return ImageSet(
            training: training, test: test, usualNormalization: .channel, source: url.path,
            classNames: folder.classNames, notices: folder.otherFiles.notice.map { [$0] } ?? [])
    }

    private func cifar(in url: URL, _ kind: CIFARFile.Kind) throws(DatasetError) -> ImageSet {
        let folder = DatasetFolder(url: url)
        func images(_ names: [String]) throws(DatasetError) -> LabeledImages {
            var pixels: [UInt8] = []
            var labels: [UInt8] = []
            for name in names {
                let file = try folder.read([name]) { url throws(DatasetError) in
                    try CIFARFile(contentsOf: url, kind: kind)
                }
                pixels += file.pixels
                labels += file.labels
            }
            return try LabeledImages(
                shape: CIFARFile.shape, classCount: kind.classCount, pixels: pixels, labels: labels.map(UInt16.init),
                source: url.path)
        }
        return ImageSet(
            training: try images(trainingFiles), test: try images([testFile]), usualNormalization: .image,
            source: url.path)
    }

    private func svhn(in url: URL) throws(DatasetError) -> ImageSet {
        let folder = DatasetFolder(url: url)
        func images(_ name: String) throws(DatasetError) -> LabeledImages {
            try folder.read([name]) { url throws(DatasetError) in
                let file = try SVHNFile(contentsOf: url)
                return try LabeledImages(
                    shape: SVHNFile.shape, classCount: SVHNFile.classCount, pixels: file.pixels,
                    labels: file.labels.map(UInt16.init),
                    source: url.path)
            }
        }
        return ImageSet(
            training: try images(trainingFiles[0]), test: try images(testFile), usualNormalization: .image,
            source: url.path)
    }
}

extension TrainingData {
    /// MNIST; see ``DatasetName/load(from:images:seed:)``.
    public static func mnist(from folder: URL? = nil) throws(DatasetError) -> TrainingData {
        try DatasetName.mnist.load(from: folder)
    }

    /// Fashion-MNIST; see ``DatasetName/load(from:images:seed:)``.
    public static func fashionMNIST(from folder: URL? = nil) throws(DatasetError) -> TrainingData {
        try DatasetName.fashionMNIST.load(from: folder)
    }

    /// CIFAR-10; see ``DatasetName/load(from:images:seed:)``.
    public static func cifar10(
        from folder: URL? = nil, augmentation: Augmentation = .paper, seed: UInt64 = 0
    ) throws(DatasetError) -> TrainingData {
        try DatasetName.cifar10.load(from: folder, images: ImageOptions(augmentation: augmentation), seed: seed)
    }

    /// SVHN; see ``DatasetName/load(from:images:seed:)``.
    public static func svhn(from folder: URL? = nil) throws(DatasetError) -> TrainingData {
        try DatasetName.svhn.load(from: folder)
    }

    /// The digits that come with this package.
    public static func digits() throws(DatasetError) -> TrainingData {
        try DatasetName.digits.load()
    }
}
