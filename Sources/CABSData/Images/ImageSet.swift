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
    /// The network that is there already, if there is one, for data that are its own or like them.
    ///
    /// - Throws: ``DatasetError`` where the data are of another shape or range, or something else is asked for.
    func knownInput(for shape: ExampleShape, _ range: ValueRange?, source: String) throws(DatasetError)
        -> InputDescription?
    {
        guard let known else { return nil }
        guard known.shape == shape else { throw .notTheNetworksShape(shape, network: known.shape) }
        guard normalization == nil || normalization == known.normalization.name else {
            throw .notTheNetworksNormalization(asked: normalization!, network: known.normalization.name)
        }
        if let highest = known.highestValue, let range, range.highest != highest {
            throw .notTheNetworksRange(source: source, low: 0, high: range.highest, network: highest)
        }
        return known
    }
}

/// The images of a data set as its files have them.
struct ImageSet: ReadData {
    /// The images to train on; where only what is to be evaluated was read and nothing of it is set aside for testing, all images; where
    /// something is, nothing.
    let training: (any ImageSource)?
    /// The images for testing; nothing where none are set aside.
    let test: (any ImageSource)?
    /// How the set is normalised where nothing else is said.
    let usualNormalization: NormalizationName
    /// Where they come from.
    let source: String
    /// What the classes are called.
    let classNames: [String]
    /// The range that the images' numbers had in their files; in memory all are bytes.
    var range = ValueRange.bytes
    /// How many images there are for training that were not read, where that is known.
    var unreadCount: Int?
    /// What there is to say of the files.
    var notices: [String] = []

    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData {
        guard let training = try prepared(training, options), let test = try prepared(test, options) else {
            throw .noExamples(source)
        }
        let input = try input(options, of: training)
        let whenTraining: any Preprocessing =
            switch options.augmentation {
            case .paper, .paperCenter: CroppedAndStandardized(augments: options.augmentation == .paper)
            case .changes(let changes): ImagePreprocessing(normalization: input.normalization, changes: changes)
            }
        return try TrainingData(
            name: name, training: ImageDataset(training, preprocessing: whenTraining, seed: seed),
            test: ImageDataset(test, preprocessing: input.preprocessing, seed: seed), source: source,
            input: input, notices: notices)
    }

    func evaluation(name: String, _ options: ImageOptions) throws(DatasetError) -> EvaluationData {
        guard let images = try prepared(test ?? training, options) else { throw .noExamples(source) }
        let input = try input(options, of: images)
        return EvaluationData(
            name: name, examples: try ImageDataset(images, preprocessing: input.preprocessing),
            part: test == nil ? .all : .test(of: (training?.count ?? unreadCount).map { $0 + images.count }),
            source: source,
            input: input, notices: notices)
    }

    /// What a network must be given that is trained on these images, or that is there already.
    private func input(_ options: ImageOptions, of images: any ImageSource) throws(DatasetError) -> InputDescription {
        let known = try options.knownInput(for: images.shape, range, source: source)
        let (normalization, cropSize): (Normalization, Int?) =
            switch options.augmentation {
            case .paper, .paperCenter: (.image, CroppedAndStandardized(augments: false).cropSize)
            case .changes: (try normalization(options, known, of: images), nil)
            }
        return InputDescription(
            shape: images.shape, highestValue: range.highest, normalization: normalization, cropSize: cropSize,
            targetCount: images.classCount, classNames: known?.classNames ?? classNames)
    }

    /// Images of the size that is asked for, their classes numbered as the network has them that is there already.
    private func prepared(
        _ images: (any ImageSource)?, _ options: ImageOptions
    ) throws(DatasetError) -> (any ImageSource)? {
        guard var images else { return nil }
        if let known = options.known {
            if known.predictsValues { throw .notTheNetworksTargets(source: source, networkPredictsValues: true) }
            let labels = try ClassMatching(classNames, to: known).numbers(of: images.labels, source: source)
            images = images.relabeled(labels, classCount: known.targetCount)
        }
        // Pictures that are read anew each time are brought to the size then.
        guard let size = options.size, let images = images as? LabeledImages else { return images }
        return try images.resized(to: size)
    }

    private func normalization(
        _ options: ImageOptions, _ known: InputDescription?, of training: any ImageSource
    ) throws(DatasetError) -> Normalization {
        if let known { return known.normalization }
        return switch options.normalization ?? usualNormalization {
        case .unit: .unit()
        case .image: .image
        case .channel: Normalization(channels: try training.channelMoments())
        }
    }
}

extension ImageSource {
    /// What each channel has over all images, from exact sums.
    fileprivate func channelMoments() throws(DatasetError) -> [ChannelMoments] {
        let channelCount = shape.channelCount
        let plane = shape.count / channelCount
        var (sums, squares) = ([Int](repeating: 0, count: channelCount), [Int](repeating: 0, count: channelCount))
        for image in 0..<count {
            try pixels(at: image).withUnsafeBufferPointer { pixels in
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
