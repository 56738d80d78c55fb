import CABSExamples

/// How a data set's images go to a network.
public struct ImageOptions: Sendable, Hashable {
    /// The size that they are brought to: resized so that they cover it, then cut off around the middle; as they are where not given.
    public var size: ImageSize?
    /// What becomes of them then.
    public var augmentation: Augmentation
    /// How their bytes become values; as is usual for the set where not given.
    public var normalization: NormalizationName?
    /// What a network that is there already must be given; then data are normalised as its own were.
    public var known: InputDescription?
    /// Of own pictures: the number of channels, 1 or 3; what they have where not given.
    public var channelCount: Int?
    /// Of own pictures that no folder divides: the part that is for testing.
    public var testFraction: Double
    /// Of own pictures: how many bytes of memory they may take.
    public var memoryLimit: Int

    /// The part for testing where nothing else is said.
    public static let usualTestFraction = 0.2

    /// Creates options.
    public init(
        size: ImageSize? = nil, augmentation: Augmentation = .none, normalization: NormalizationName? = nil,
        channelCount: Int? = nil, testFraction: Double = Self.usualTestFraction, memoryLimit: Int = .max
    ) {
        self.size = size
        self.augmentation = augmentation
        self.normalization = normalization
        self.channelCount = channelCount
        self.testFraction = testFraction
        self.memoryLimit = memoryLimit
    }
}

extension ImageOptions {
    /// The normalisation of the network that is there already, if there is one.
    ///
    /// - Throws: ``DatasetError`` where the data are of another shape, or something else is asked for.
    func knownNormalization(for shape: ExampleShape) throws(DatasetError) -> Normalization? {
        guard let known else { return nil }
        guard known.shape == shape else { throw .notTheNetworksShape(shape, network: known.shape) }
        guard normalization == nil || normalization == known.normalization.name else {
            throw .notTheNetworksNormalization(asked: normalization!, network: known.normalization.name)
        }
        return known.normalization
    }
}

/// The images of a data set as its files have them.
struct ImageSet {
    let training: any ImageSource
    let test: any ImageSource
    /// How the set is normalised where nothing else is said.
    let usualNormalization: NormalizationName
    /// Where they come from.
    let source: String
    /// What the classes are called, where they have names.
    var classNames: [String]?
    /// What there is to say of the files.
    var notices: [String] = []

    /// The data set.
    ///
    /// - Parameter seed: The seed of random changes.
    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData {
        let (training, test) = (try resized(training, options), try resized(test, options))
        let input: InputDescription
        let whenTraining: any Preprocessing
        switch options.augmentation {
        case .paper, .paperCenter:
            let paper = CroppedAndStandardized(augments: options.augmentation == .paper)
            input = InputDescription(
                shape: training.shape, normalization: .image, cropSize: paper.cropSize,
                targetCount: training.classCount, classNames: classNames)
            whenTraining = paper
        case .changes(let changes):
            let normalization = try normalization(options, of: training)
            if let failure = training.failure { throw failure }
            input = InputDescription(
                shape: training.shape, normalization: normalization, targetCount: training.classCount,
                classNames: classNames)
            whenTraining = ImagePreprocessing(normalization: normalization, changes: changes)
        }
        return try TrainingData(
            name: name, training: ImageDataset(training, preprocessing: whenTraining, seed: seed),
            test: ImageDataset(test, preprocessing: input.preprocessing, seed: seed), source: source,
            input: input,
            notices: notices)
    }

    private func resized(
        _ images: any ImageSource, _ options: ImageOptions
    ) throws(DatasetError) -> any ImageSource {
        // Pictures that are read anew each time are brought to the size then.
        guard let size = options.size, let images = images as? LabeledImages else { return images }
        return try images.resized(to: size)
    }

    private func normalization(
        _ options: ImageOptions, of training: any ImageSource
    ) throws(DatasetError) -> Normalization {
        if let known = try options.knownNormalization(for: training.shape) { return known }
        return switch options.normalization ?? usualNormalization {
        case .unit: .unit()
        case .image: .image
        case .channel: Normalization(channels: training.channelMoments)
        }
    }
}

extension ImageSource {
    /// What each channel has over all images, from exact sums.
    fileprivate var channelMoments: [ChannelMoments] {
        let channelCount = shape.channelCount
        let plane = shape.count / channelCount
        var (sums, squares) = ([Int](repeating: 0, count: channelCount), [Int](repeating: 0, count: channelCount))
        for image in 0..<count {
            pixels(at: image).withUnsafeBufferPointer { pixels in
                for channel in 0..<channelCount {
                    for index in channel * plane..<(channel + 1) * plane {
                        let value = Int(pixels[index])
                        sums[channel] &+= value
                        squares[channel] &+= value &* value
                    }
                }
            }
        }
        return (0..<channelCount).map {
            ChannelMoments(sum: sums[$0], squares: squares[$0], count: count * plane)
        }
    }
}
