import CABSExamples

/// Labelled images of one shape, wherever their bytes are.
public protocol ImageSource: Sendable {
    /// The shape of every image.
    var shape: ExampleShape { get }
    /// The number of classes.
    var classCount: Int { get }
    /// The label of each image, from 0 up to ``classCount``.
    var labels: [UInt16] { get }
    /// A checksum of all images and labels.
    var checksum: UInt { get }
    /// The bytes of an image, channels first.
    ///
    /// - Throws: Why they cannot be had.
    func pixels(at index: Int) throws(DatasetError) -> ArraySlice<UInt8>
    /// The same images with other labels.
    func relabeled(_ labels: [UInt16], classCount: Int) -> Self
}

extension ImageSource {
    /// The number of images.
    public var count: Int { labels.count }
}

/// Labelled images of one shape, one byte for each value.
public struct LabeledImages: ImageSource {
    /// The shape of every image.
    public let shape: ExampleShape
    /// The number of classes.
    public let classCount: Int
    /// The images' bytes, one image after the other, channels first.
    public let pixels: [UInt8]
    /// The label of each image, from 0 up to ``classCount``.
    public let labels: [UInt16]

    /// The checksum of the images' bytes and labels.
    public var checksum: UInt {
        var checksum = CRC32()
        checksum.add(pixels)
        checksum.add(labels: labels, classCount: classCount)
        return checksum.value
    }

    /// The bytes of an image, channels first.
    public func pixels(at index: Int) -> ArraySlice<UInt8> {
        pixels[(index * shape.count)..<((index + 1) * shape.count)]
    }

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

    /// The same images with other labels, as many as before and within the classes.
    public func relabeled(_ labels: [UInt16], classCount: Int) -> LabeledImages {
        LabeledImages(shape: shape, classCount: classCount, pixels: pixels, labels: labels)
    }

    private init(shape: ExampleShape, classCount: Int, pixels: [UInt8], labels: [UInt16]) {
        (self.shape, self.classCount, self.pixels, self.labels) = (shape, classCount, pixels, labels)
    }

    /// The images at `indices`.
    func subset(_ indices: [Int]) throws(DatasetError) -> LabeledImages {
        try LabeledImages(
            shape: shape, classCount: classCount, pixels: indices.flatMap { pixels(at: $0) },
            labels: indices.map { labels[$0] }, source: "a subset")
    }
}

/// Images with the preprocessing that turns their bytes into a network's input.
public struct ImageDataset: Dataset {
    /// The images.
    public let images: any ImageSource
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
        _ images: any ImageSource, preprocessing: any Preprocessing, seed: UInt64 = 0
    ) throws(DatasetError) {
        inputShape = try preprocessing.outputShape(for: images.shape)
        self.images = images
        self.preprocessing = preprocessing
        self.seed = seed
    }

    /// The images' classes.
    public var target: TargetSpecification { .classes(images.classCount) }
    /// The number of images.
    public var count: Int { images.count }
    /// The checksum of the images and labels.
    public var checksum: UInt { images.checksum }

    /// The image, as nothing has been done to it.
    public func picture(at index: Int) -> Picture? {
        (try? images.pixels(at: index)).flatMap { Picture(shape: images.shape, pixels: Array($0)) }
    }

    /// Writes the preprocessed image, and its class.
    public func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws {
        var random = RandomStream(seed: seed, purpose: .augmentation, index: draw)
        let pixels = try images.pixels(at: index)
        slot.writeInput { values in
            preprocessing.apply(to: pixels, shape: images.shape, into: &values, using: &random)
        }
        try slot.setClass(Int(images.labels[index]))
    }
}

extension CRC32 {
    /// A byte each, as long as that is enough: checkpoints of versions that had no more go on.
    mutating func add(labels: [UInt16], classCount: Int) {
        add(labels.map { UInt8(truncatingIfNeeded: $0) })
        if classCount > 256 { add(labels.map { UInt8($0 >> 8) }) }
    }
}
