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
        try descriptor.format.read(try place(folder, for: use), for: use, options, onProgress: onProgress)
    }

    private func place(_ given: URL?, for use: DataUse) throws(DatasetError) -> URL {
        guard let what = descriptor.format.ownPlace else { return try locate(in: given, for: use) }
        guard let given else { throw .placeMissing(dataset: rawValue, what: what) }
        return given
    }

    /// Whether these are the user's own data, of which nothing is known beforehand.
    public var isOwn: Bool { descriptor.format.ownPlace != nil }

    /// What a look at own data tells; nothing of other data, and of a file that is not right.
    public func outline(of place: URL?) -> DataOutline? { place.flatMap { descriptor.format.outline(of: $0) } }

    /// How the set's images usually go to a network: CIFAR's by the paper's recipe, the others as they are.
    public var usualImages: ImageOptions { descriptor.usualImages }
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
