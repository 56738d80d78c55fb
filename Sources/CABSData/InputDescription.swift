import CABSExamples

/// What must be known of a network's inputs to use it on others: what they are brought to, and how their numbers become values.
public struct InputDescription: Sendable, Hashable {
    /// The shape of an example before its preprocessing; pictures are brought to it.
    public let shape: ExampleShape
    /// Whether its numbers become bytes from 0 to 255, as those of pictures are, or stay what they are.
    public let hasBytes: Bool
    /// The largest number that examples have in their files, where 0 is the smallest: 255 of bytes, 1 of black and white. Nothing where
    /// numbers are of no such range, or an earlier version did not note it.
    public let highestValue: Double?
    /// How its numbers become values: bytes after they were brought to 0 to 255.
    public let normalization: Normalization
    /// The side of the square in an image's middle that alone goes to the network, standardised; the whole image where not given.
    public let cropSize: Int?
    /// The number of values in a target: the number of classes, where there are some.
    public let targetCount: Int
    /// Whether targets are values to be predicted, and not classes.
    public let predictsValues: Bool
    /// What the classes are called, where they have names.
    public let classNames: [String]?

    /// Creates a description.
    public init(
        shape: ExampleShape, hasBytes: Bool = true, highestValue: Double? = nil, normalization: Normalization,
        cropSize: Int? = nil, targetCount: Int, predictsValues: Bool = false, classNames: [String]? = nil
    ) {
        self.shape = shape
        self.hasBytes = hasBytes
        self.highestValue = highestValue ?? (hasBytes ? 255 : nil)
        self.normalization = normalization
        self.cropSize = cropSize
        self.targetCount = targetCount
        self.predictsValues = predictsValues
        self.classNames = classNames
    }

    /// The preprocessing of an image that nothing random happens to.
    public var preprocessing: any Preprocessing {
        if let cropSize { return CroppedAndStandardized(cropSize: cropSize, augments: false) }
        return ImagePreprocessing(normalization: normalization)
    }

    /// What a class is called: its number where it has no name.
    public func className(_ index: Int) -> String {
        guard let classNames, classNames.indices.contains(index) else { return "\(index)" }
        return classNames[index]
    }
}

extension InputDescription: Codable {
    private enum CodingKeys: String, CodingKey {
        case shape, normalization, maximum, means, deviations
        case hasBytes = "bytes"
        case highestValue = "highest_value"
        case cropSize = "crop_size"
        case targetCount = "target_count"
        case predictsValues = "predicts_values"
        case classNames = "classes"
    }

    /// Reads what ``encode(to:)`` writes.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let sizes = try container.decode([Int].self, forKey: .shape)
        let normalization: Normalization =
            switch try container.decode(NormalizationName.self, forKey: .normalization) {
            case .unit: .unit(maximum: try container.decode(Double.self, forKey: .maximum))
            case .image: .image
            case .channel:
                .channel(
                    means: try container.decode([Double].self, forKey: .means),
                    deviations: try container.decode([Double].self, forKey: .deviations))
            }
        let cropSize = try container.decodeIfPresent(Int.self, forKey: .cropSize)
        let targetCount = try container.decode(Int.self, forKey: .targetCount)
        let classNames = try container.decodeIfPresent([String].self, forKey: .classNames)
        let highestValue = try container.decodeIfPresent(Double.self, forKey: .highestValue)
        guard let shape = ExampleShape(sizes: sizes), normalization.fits(shape), shape.allows(cropSize: cropSize),
            (1...1 << 24).contains(targetCount), classNames.map({ $0.count == targetCount }) ?? true,
            highestValue.map({ $0 > 0 && $0.isFinite }) ?? true
        else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "shape, normalization and classes do not fit"))
        }
        self.init(
            shape: shape, hasBytes: try container.decode(Bool.self, forKey: .hasBytes), highestValue: highestValue,
            normalization: normalization, cropSize: cropSize, targetCount: targetCount,
            predictsValues: try container.decode(Bool.self, forKey: .predictsValues), classNames: classNames)
    }

    /// Writes the shape as [height, width, channels] or [count], and the normalisation with its numbers.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(shape.sizes, forKey: .shape)
        try container.encode(hasBytes, forKey: .hasBytes)
        try container.encodeIfPresent(highestValue, forKey: .highestValue)
        switch normalization {
        case .unit(let maximum):
            try container.encode(NormalizationName.unit, forKey: .normalization)
            try container.encode(maximum, forKey: .maximum)
        case .image: try container.encode(NormalizationName.image, forKey: .normalization)
        case .channel(let means, let deviations):
            try container.encode(NormalizationName.channel, forKey: .normalization)
            try container.encode(means, forKey: .means)
            try container.encode(deviations, forKey: .deviations)
        }
        try container.encodeIfPresent(cropSize, forKey: .cropSize)
        try container.encode(targetCount, forKey: .targetCount)
        try container.encode(predictsValues, forKey: .predictsValues)
        try container.encodeIfPresent(classNames, forKey: .classNames)
    }
}

extension Normalization {
    fileprivate func fits(_ shape: ExampleShape) -> Bool {
        switch self {
        case .unit(let maximum): maximum > 0 && maximum.isFinite
        case .image: true
        case .channel(let means, let deviations):
            means.count == shape.planeCount && deviations.count == means.count
                && deviations.allSatisfy { $0 > 0 && $0.isFinite } && means.allSatisfy(\.isFinite)
        }
    }
}

extension ExampleShape {
    /// [height, width, channels], or [count] of a vector.
    fileprivate var sizes: [Int] {
        switch self {
        case .vector(let count): [count]
        case .image(let height, let width, let channels): [height, width, channels]
        }
    }

    fileprivate init?(sizes: [Int]) {
        guard sizes.allSatisfy({ $0 >= 1 }), sizes.reduce(1.0, { $0 * Double($1) }) <= 0x1p31 else { return nil }
        switch sizes.count {
        case 1: self = .vector(sizes[0])
        case 3: self = .image(height: sizes[0], width: sizes[1], channels: sizes[2])
        default: return nil
        }
    }

    fileprivate func allows(cropSize: Int?) -> Bool {
        guard let cropSize else { return true }
        guard case .image(let height, let width, _) = self else { return false }
        return (1...min(height, width)).contains(cropSize)
    }

    /// The channels of an image; a vector has one.
    var planeCount: Int { if case .image(_, _, let channels) = self { channels } else { 1 } }
}

extension InputDescription {
    /// The shape of an example as the network sees it.
    public var networkShape: ExampleShape {
        guard let cropSize else { return shape }
        return .image(height: cropSize, width: cropSize, channels: shape.planeCount)
    }

    /// A picture as the network sees it: brought to the shape and to the range of its numbers, and normalised.
    ///
    /// - Throws: ``DatasetError/needsVectors(_:)``, ``DatasetError/needsOtherChannels(_:)``, ``DatasetError/needsAnotherRange(_:)`` where
    ///   the network takes no pictures.
    public func values(of picture: Picture) throws(DatasetError) -> [Float] {
        guard case .image(_, _, let channels) = shape else { throw .needsVectors(shape) }
        guard channels == 1 || channels == 3 else { throw .needsOtherChannels(shape) }
        let pixels = try PictureReading.pixels(of: picture, as: shape)
        if hasBytes { return values(ofPixels: pixels) }
        guard let highestValue else { throw .needsAnotherRange(shape) }
        return values(ofNumbers: pixels.map { Float(Double($0) * highestValue / 255) })
    }

    /// Numbers as a file has them, images channels first, as the network sees them where it takes no bytes.
    func values(ofNumbers numbers: [Float]) -> [Float] {
        var values = numbers
        normalization.apply(to: &values, channelCount: shape.planeCount)
        return values
    }

    /// Checks that numbers of a file may be of the range that the network was trained on.
    ///
    /// - Throws: ``DatasetError/notTheNetworksRange(source:low:high:network:)``.
    func checkRange(_ extent: NumPyArray.Extent, source: String) throws(DatasetError) {
        guard let highestValue else { return }
        // Values up to 1 are what dividing by the largest gives; of images that are black nothing can be told.
        let isOfUnits = highestValue > 1 && extent.high > 0 && extent.high <= 1
        guard extent.low >= 0, extent.high <= highestValue, !isOfUnits else {
            throw .notTheNetworksRange(source: source, low: extent.low, high: extent.high, network: highestValue)
        }
    }

    /// An image's bytes, channels first, as the network sees them.
    func values(ofPixels pixels: [UInt8]) -> [Float] {
        var values = [Float](repeating: 0, count: networkShape.count)
        // Nothing random is left in it.
        var random = RandomStream(seed: 0, purpose: .augmentation, index: 0)
        var span = values.mutableSpan
        preprocessing.apply(to: pixels[...], shape: shape, into: &span, using: &random)
        return values
    }
}
