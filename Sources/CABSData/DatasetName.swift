import CABSExamples
import Foundation

/// What data are read for.
enum DataUse {
    /// To train on: both parts are needed.
    case training
    /// To evaluate a network that is there already: the test part, or all where nothing is set aside for testing.
    case evaluation

    /// Which parts are read of a set in files of its own for each.
    ///
    /// - Parameter hasTest: Whether there are files for testing.
    func parts(hasTest: Bool) -> (training: Bool, test: Bool) {
        self == .training ? (true, true) : (!hasTest, hasTest)
    }
}

/// Data as their files have them.
protocol ReadData {
    /// The data set, to train on.
    ///
    /// - Parameter seed: The seed of random changes.
    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData

    /// What there is to evaluate a network on that is known.
    func evaluation(name: String, _ options: ImageOptions) throws(DatasetError) -> EvaluationData
}

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

    /// Loads the data set, to train on.
    ///
    /// - Parameters:
    ///   - folder: Where to look first, before the usual places.
    ///   - images: How the images go to a network; ``usualImages`` where not given.
    ///   - seed: The seed of random changes.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    /// - Throws: ``DatasetError`` where the data set is not found or its files are not right.
    public func load(
        from folder: URL? = nil, images options: ImageOptions? = nil, seed: UInt64 = 0,
        onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws(DatasetError) -> TrainingData {
        let options = options ?? usualImages
        return try read(from: folder, for: .training, options, onProgress).data(name: rawValue, options, seed: seed)
    }

    /// Loads what there is to evaluate a network on: the test part, or all where nothing is set aside for testing.
    ///
    /// - Parameters:
    ///   - folder: Where to look first, before the usual places.
    ///   - network: What the network must be given. Classes are matched with the network's by their names.
    ///   - images: How the images go to the network; ``usualImages`` where not given.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    /// - Throws: ``DatasetError`` where the data set is not found, its files are not right, or they do not fit the network.
    public func evaluationData(
        from folder: URL? = nil, for network: InputDescription, images options: ImageOptions? = nil,
        onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws(DatasetError) -> EvaluationData {
        var options = options ?? usualImages
        options.known = network
        return try read(from: folder, for: .evaluation, options, onProgress).evaluation(name: rawValue, options)
    }

    private func read(
        from folder: URL?, for use: DataUse, _ options: ImageOptions, _ onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData {
        switch self {
        case .npz:
            guard let folder else { throw .placeMissing(dataset: rawValue, what: "the .npz file") }
            return try ArrayFile(folder, for: use)
        case .folder:
            guard let folder else {
                throw .placeMissing(dataset: rawValue, what: "a folder that has one for each class")
            }
            return try pictures(in: folder, for: use, options, onProgress)
        case .digits: return try Digits.load()
        case .mnist, .fashionMNIST, .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist:
            return try IDXDataset(name: self, folder: DatasetFolder(url: locate(in: folder, for: use))).load(for: use)
        case .cifar10: return try cifar(in: locate(in: folder, for: use), for: use, .cifar10)
        case .cifar100: return try cifar(in: locate(in: folder, for: use), for: use, .cifar100Fine)
        case .cifar100Coarse: return try cifar(in: locate(in: folder, for: use), for: use, .cifar100Coarse)
        case .svhn: return try svhn(in: locate(in: folder, for: use), for: use)
        }
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

    // MARK: Reading

    private func pictures(
        in url: URL, for use: DataUse, _ options: ImageOptions, _ onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> ImageSet {
        let folder = try PictureFolder(
            url, for: use, testFraction: options.testFraction, known: options.known?.classNames ?? [])
        let reading = PictureReading(
            size: options.size, channelCount: options.channelCount, memoryLimit: options.memoryLimit,
            onProgress: onProgress)
        let (training, test) = try reading.read(folder, from: url)
        return ImageSet(
            training: training, test: test, usualNormalization: .channel, source: url.path,
            classNames: folder.classNames, unreadCount: folder.unreadCount, notices: folder.notices)
    }

    private func cifar(
        in url: URL, for use: DataUse, _ kind: CIFARFile.Kind
    ) throws(DatasetError) -> ImageSet {
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
        let reads = use.parts(hasTest: folder.holds([testFile]))
        return ImageSet(
            training: reads.training ? try images(trainingFiles) : nil,
            test: reads.test ? try images([testFile]) : nil, usualNormalization: .image,
            source: url.path, classNames: (0..<kind.classCount).map(String.init))
    }

    private func svhn(in url: URL, for use: DataUse) throws(DatasetError) -> ImageSet {
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
        let reads = use.parts(hasTest: folder.holds([testFile]))
        return ImageSet(
            training: reads.training ? try images(trainingFiles[0]) : nil,
            test: reads.test ? try images(testFile) : nil, usualNormalization: .image,
            source: url.path, classNames: (0..<SVHNFile.classCount).map(String.init))
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
