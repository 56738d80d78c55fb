import CABSExamples

/// Labelled images of one shape, one byte for each value.
public struct LabeledImages: Sendable {
    /// The shape of every image.
    public let shape: ExampleShape
    /// The number of classes.
    public let classCount: Int
    /// The images' bytes, one image after the other, channels first.
    public let pixels: [UInt8]
    /// The label of each image, from 0 up to ``classCount``.
    public let labels: [UInt16]

    /// The number of images.
    public var count: Int { labels.count }

    /// Creates a set of images.
    ///
    /// - Parameter source: What stands for the images in errors, such as a file's path.
    /// - Throws: ``DatasetError`` where the numbers do not fit, or a label lies outside the classes.
    public init(
        shape: ExampleShape, classCount: Int, pixels: [UInt8], labels: [UInt16], source: String
    ) throws(DatasetError) {
        guard pixels.count == labels.count * shape.count else {
            throw .arrayCounts(
                inputs: pixels.count, inputSize: shape.count, targets: labels.count, targetSize: 1)
        }
        if let index = labels.firstIndex(where: { Int($0) >= classCount }) {
            throw .labelOutsideClasses(
                Int(labels[index]), example: index, source: source, classCount: classCount)
        }
        self.shape = shape
        self.classCount = classCount
        self.pixels = pixels
        self.labels = labels
    }

    /// The images at `indices`.
    func subset(_ indices: [Int]) throws(DatasetError) -> LabeledImages {
        let size = shape.count
        return try LabeledImages(
            shape: shape, classCount: classCount,
            pixels: indices.flatMap { pixels[($0 * size)..<(($0 + 1) * size)] },
            labels: indices.map { labels[$0] }, source: "a subset")
    }
}

/// Images with the preprocessing that turns their bytes into a network's input.
public struct ImageDataset: Dataset {
    /// The images.
    public let images: LabeledImages
    /// What turns bytes into values.
    public let preprocessing: any Preprocessing
    /// The seed of random changes.
    public let seed: UInt64
    /// The shape that the preprocessing gives.
    public let inputShape: ExampleShape

    /// Creates a data set.
    ///
    /// - Throws: ``DatasetError`` where the preprocessing cannot take images of that shape.
    public init(
        _ images: LabeledImages, preprocessing: any Preprocessing, seed: UInt64 = 0
    ) throws(DatasetError) {
        inputShape = try preprocessing.outputShape(for: images.shape)
        self.images = images
        self.preprocessing = preprocessing
        self.seed = seed
    }

    /// The number of classes.
    public var targetCount: Int { images.classCount }
    /// The number of images.
    public var count: Int { images.count }
    /// The checksum of the images' bytes and labels.
    public var checksum: UInt {
        var checksum = CRC32()
        checksum.add(images.pixels)
        // A byte each, as long as that is enough: checkpoints of versions that had no more go on.
        checksum.add(images.labels.map { UInt8(truncatingIfNeeded: $0) })
        if images.classCount > 256 { checksum.add(images.labels.map { UInt8($0 >> 8) }) }
        return checksum.value
    }

    /// The image.
    public func picture(at index: Int) -> Picture? {
        let size = images.shape.count
        return Picture(shape: images.shape, pixels: Array(images.pixels[(index * size)..<((index + 1) * size)]))
    }

    /// Writes the preprocessed image, and one at the place of its class.
    public func copyExample(at index: Int, draw: UInt64, input: inout [Float], target: inout [Float]) {
        let size = images.shape.count
        var random = RandomStream(seed: seed, purpose: .augmentation, index: draw)
        preprocessing.apply(
            to: images.pixels[(index * size)..<((index + 1) * size)], shape: images.shape, into: &input,
            using: &random)
        for position in target.indices { target[position] = 0 }
        target[Int(images.labels[index])] = 1
    }
}
