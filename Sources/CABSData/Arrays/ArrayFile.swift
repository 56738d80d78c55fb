import CABSExamples
import Foundation

/// A data set of a `.npz` file with the arrays `x_train`, `y_train`, `x_test` and `y_test`, as Keras has them.
///
/// Inputs are [n, height, width], [n, height, width, channels] or [n, values]; whole numbers as targets, [n] or [n, 1], are classes, others
/// are values to be predicted, [n] or [n, values].
struct ArrayFile {
    private let file: URL
    private let training: Part
    private let test: Part

    private struct Part {
        let inputs: NumPyArray
        let targets: NumPyArray
        let shape: ExampleShape
        var count: Int { inputs.shape[0] }
    }

    /// Reads the file.
    init(_ file: URL) throws(DatasetError) {
        let archive = try NumPyArchive(file)
        func part(_ name: String) throws(DatasetError) -> Part {
            let (inputs, targets) = (try archive.array("x_\(name)"), try archive.array("y_\(name)"))
            func wrong(_ array: String, _ expected: String, _ found: NumPyArray) -> DatasetError {
                .wrongFormat(
                    file: file.path, expected: "an archive whose \(array)_\(name) is of \(expected)",
                    found: "it is of \(found.shape)")
            }
            let sizes = inputs.shape
            guard let shape = inputs.header.exampleShape else {
                throw wrong("x", "[n, height, width], [n, height, width, channels] or [n, values]", inputs)
            }
            guard sizes.allSatisfy({ $0 > 0 }) else { throw .noExamples("x_\(name) of \(file.path)") }
            let isClass = !targets.header.type.isFloatingPoint
            guard (1...2).contains(targets.shape.count), targets.shape.allSatisfy({ $0 > 0 }),
                !isClass || targets.count == targets.shape[0]
            else {
                throw wrong("y", isClass ? "[n] or [n, 1], the number of each class" : "[n] or [n, values]", targets)
            }
            guard targets.shape[0] == sizes[0] else {
                throw .countsDiffer(
                    images: "x_\(name) of \(file.path)", imageCount: sizes[0], labels: "y_\(name)",
                    labelCount: targets.shape[0])
            }
            return Part(inputs: inputs, targets: targets, shape: shape)
        }
        (training, test) = (try part("train"), try part("test"))
        guard training.shape == test.shape else {
            throw .splitsDiffer(file.path, training: "\(training.shape)", test: "\(test.shape)")
        }
        guard training.targets.header.type.isFloatingPoint == test.targets.header.type.isFloatingPoint else {
            throw .splitsDiffer(
                file.path, training: "targets of \(training.targets.header.type.name)",
                test: "targets of \(test.targets.header.type.name)")
        }
        self.file = file
    }

    /// The shape of the examples in a file, and whether their targets are values to be predicted, from the headers alone; nothing where
    /// the file is not right, which shows when it is read.
    static func outline(of file: URL) -> (shape: ExampleShape, predictsValues: Bool)? {
        guard let archive = try? NumPyArchive(file), let shape = try? archive.header("x_train").exampleShape,
            let targets = try? archive.header("y_train")
        else { return nil }
        return (shape, targets.type.isFloatingPoint)
    }

    /// The data set.
    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData {
        guard !training.targets.header.type.isFloatingPoint else {
            return try values(name: name, options, classes: nil)
        }
        let classes = try ClassLabels(
            training: training.targets.map { $0 }, test: test.targets.map { $0 }, source: file.path)
        guard case .image = training.shape, let trainingBytes = training.inputs.byteValues,
            let testBytes = test.inputs.byteValues
        else { return try values(name: name, options, classes: classes) }
        func images(_ part: Part, _ bytes: [UInt8], _ labels: [UInt16]) throws(DatasetError) -> LabeledImages {
            try LabeledImages(
                shape: part.shape, classCount: classes.count, pixels: bytes.withChannelsFirst(part.shape),
                labels: labels, source: file.path)
        }
        return try ImageSet(
            training: images(training, trainingBytes, classes.training), test: images(test, testBytes, classes.test),
            usualNormalization: .channel, source: file.path
        ).data(name: name, options, seed: seed)
    }

    /// The data set as values that are normalised once: of vectors, of numbers that are no bytes, or to be predicted.
    private func values(
        name: String, _ options: ImageOptions, classes: ClassLabels?
    ) throws(DatasetError) -> TrainingData {
        guard options.size == nil, options.augmentation == .none else {
            throw .needsImagesOfBytes(file.path, found: "\(training.shape) of type \(training.inputs.header.type.name)")
        }
        func inputs(_ part: Part) throws(DatasetError) -> [Float] {
            let values = part.inputs.map { Float($0) }.withChannelsFirst(part.shape)
            guard values.allSatisfy(\.isFinite) else { throw .notFinite("the inputs of \(file.path)") }
            return values
        }
        var (trainingInputs, testInputs) = (try inputs(training), try inputs(test))
        let normalization = try normalization(options, of: trainingInputs)
        normalization.apply(toAll: &trainingInputs, training.shape)
        normalization.apply(toAll: &testInputs, test.shape)
        func dataset(_ part: Part, _ inputs: [Float], _ labels: [UInt16]?) throws(DatasetError) -> ArrayDataset {
            if let labels, let classes {
                return try ArrayDataset(
                    inputs: inputs, inputShape: part.shape, labels: labels.map { Int($0) }, classCount: classes.count)
            }
            let targets = part.targets.map { Float($0) }
            guard targets.allSatisfy(\.isFinite) else { throw .notFinite("the targets of \(file.path)") }
            return try ArrayDataset(
                inputs: inputs, inputShape: part.shape, targets: targets, targetCount: targets.count / part.count)
        }
        let trainingPart = try dataset(training, trainingInputs, classes?.training)
        return try TrainingData(
            name: name, training: trainingPart, test: dataset(test, testInputs, classes?.test), source: file.path,
            input: InputDescription(
                shape: training.shape, hasBytes: false, normalization: normalization,
                targetCount: trainingPart.targetCount,
                predictsValues: classes == nil))
    }

    private func normalization(_ options: ImageOptions, of inputs: [Float]) throws(DatasetError) -> Normalization {
        if let known = try options.knownNormalization(for: training.shape) { return known }
        switch options.normalization ?? .channel {
        case .image: return .image
        case .unit:
            let (low, high) = (inputs.min()!, inputs.max()!)
            guard low >= 0, high <= 255 else { throw .notInUnitRange(file: file.path, low: low, high: high) }
            return .unit(maximum: high <= 1 ? 1 : 255)
        case .channel:
            let (channelCount, size) = (training.shape.planeCount, training.shape.count)
            let plane = size / channelCount
            return Normalization(
                channels: (0..<channelCount).map { channel in
                    ChannelMoments(
                        (0..<training.count * plane).lazy.map { index in
                            inputs[index / plane * size + channel * plane + index % plane]
                        })
                })
        }
    }
}

extension NumPyHeader {
    /// The shape of one of so many examples; nothing where that is not a vector's or an image's.
    var exampleShape: ExampleShape? {
        switch shape.count {
        case 2: .vector(shape[1])
        case 3: .image(height: shape[1], width: shape[2], channels: 1)
        case 4: .image(height: shape[1], width: shape[2], channels: shape[3])
        default: nil
        }
    }
}

/// Labels that stand for classes: all whole numbers from 0 or from 1 on.
private struct ClassLabels {
    let count: Int
    let training: [UInt16]
    let test: [UInt16]

    init(training: [Double], test: [Double], source: String) throws(DatasetError) {
        let found = Set(training)
        guard let low = found.min(), let high = found.max(), low >= 0, high <= 65_535 else {
            throw .labelsNotClasses(source: source, label: found.min()! < 0 ? found.min()! : found.max()!)
        }
        let first = low == 0 ? 0.0 : 1.0
        if let missing = stride(from: first, through: high, by: 1).first(where: { !found.contains($0) }) {
            throw .labelMissing(source: source, label: Int(missing), highest: Int(high))
        }
        let classCount = Int(high - first) + 1
        guard classCount >= 2 else { throw .classCount(classCount, folder: source) }
        if let index = test.firstIndex(where: { $0 < first || $0 > high }) {
            throw .labelUnknown(
                label: test[index], example: index, source: "y_test of \(source)", known: Int(first)...Int(high))
        }
        count = classCount
        self.training = training.map { UInt16($0 - first) }
        self.test = test.map { UInt16($0 - first) }
    }
}

extension Array {
    /// Images of one shape whose channels are the last index, with their channels first.
    func withChannelsFirst(_ shape: ExampleShape) -> [Element] {
        let (channelCount, size) = (shape.planeCount, shape.count)
        guard channelCount > 1 else { return self }
        let plane = size / channelCount
        return indices.map { index in
            let (image, rest) = index.quotientAndRemainder(dividingBy: size)
            let (channel, pixel) = rest.quotientAndRemainder(dividingBy: plane)
            return self[image * size + pixel * channelCount + channel]
        }
    }
}

extension Normalization {
    /// Normalises example after example.
    fileprivate func apply(toAll inputs: inout [Float], _ shape: ExampleShape) {
        for first in stride(from: 0, to: inputs.count, by: shape.count) {
            var example = Array(inputs[first..<first + shape.count])
            apply(to: &example, channelCount: shape.planeCount)
            inputs.replaceSubrange(first..<first + shape.count, with: example)
        }
    }
}
