import CABSExamples

/// Some examples of a data set, as one of their own.
public struct DatasetSubset: Dataset {
    /// Where the examples come from.
    public let base: any Dataset
    /// Which examples, in order.
    public let indices: [Int]

    /// Creates a part of a data set.
    ///
    /// - Parameter indices: Which examples, each within `base`.
    init(_ base: any Dataset, indices: [Int]) {
        self.base = base
        self.indices = indices
    }

    /// The shape of one example.
    public var inputShape: ExampleShape { base.inputShape }
    /// What the targets are.
    public var target: TargetSpecification { base.target }
    /// The number of examples.
    public var count: Int { indices.count }

    /// Writes the example.
    public func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws {
        try base.write(indices[index], draw: draw, into: &slot)
    }

    /// The example as a picture.
    public func picture(at index: Int) -> Picture? { base.picture(at: indices[index]) }

    /// The checksum of the whole and of what was taken of it.
    public var checksum: UInt {
        get throws(DatasetError) {
            var checksum = CRC32()
            for number in [try base.checksum] + indices.map(UInt.init(bitPattern:)) {
                checksum.add(withUnsafeBytes(of: number.littleEndian, Array.init))
            }
            return checksum.value
        }
    }
}

extension TrainingData {
    /// The same data with some training examples held back, to choose by: evenly spread over the set, the same ones whatever the seed.
    ///
    /// They are not changed at random, where training examples are.
    ///
    /// - Parameter count: How many, at least one, and fewer than there are.
    /// - Throws: ``DatasetError/cannotHoldBack(_:of:)``.
    public func holdingBack(_ count: Int) throws(DatasetError) -> TrainingData {
        let all = training.count
        guard count >= 1, count < all else { throw .cannotHoldBack(count, of: all) }
        let held = (0..<count).map { $0 * all / count }
        let isHeld = Set(held)
        var unchanged: any Dataset = training
        if let images = training as? ImageDataset, let test = test as? ImageDataset {
            unchanged = try ImageDataset(
                images.images, preprocessing: test.preprocessing, seed: images.seed)
        }
        return try with(
            training: DatasetSubset(training, indices: (0..<all).filter { !isHeld.contains($0) }),
            validation: DatasetSubset(unchanged, indices: held))
    }
}
