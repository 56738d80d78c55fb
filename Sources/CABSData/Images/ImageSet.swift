import CABSExamples

/// How a data set's images go to a network.
public struct ImageOptions: Sendable, Hashable {
    /// The size that they are brought to: resized so that they cover it, then cut off around the middle; as they are where not given.
    public var size: ImageSize?
    /// What becomes of them then.
    public var augmentation: Augmentation

    /// Creates options.
    public init(size: ImageSize? = nil, augmentation: Augmentation = .none) {
        self.size = size
        self.augmentation = augmentation
    }
}

/// The images of a data set as its files have them.
struct ImageSet {
    let training: LabeledImages
    let test: LabeledImages
    let normalization: Normalization
    /// Where they come from.
    let source: String

    /// The data set.
    ///
    /// - Parameter seed: The seed of random changes.
    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData {
        func part(
            _ images: LabeledImages, _ preprocessing: any Preprocessing
        ) throws(DatasetError) -> ImageDataset {
            let images = try options.size.map { size throws(DatasetError) in try images.resized(to: size) } ?? images
            return try ImageDataset(images, preprocessing: preprocessing, seed: seed)
        }
        let (whenTraining, otherwise): (any Preprocessing, any Preprocessing) =
            switch options.augmentation {
            case .paper: (CroppedAndStandardized(augments: true), CroppedAndStandardized(augments: false))
            case .paperCenter: (CroppedAndStandardized(augments: false), CroppedAndStandardized(augments: false))
            case .changes(let changes):
                (
                    ImagePreprocessing(normalization: normalization, changes: changes),
                    ImagePreprocessing(normalization: normalization)
                )
            }
        return try TrainingData(
            name: name, training: part(training, whenTraining), test: part(test, otherwise), source: source)
    }
}
