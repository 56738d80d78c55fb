import CABSExamples
import Foundation

/// A data set of a `.npz` file with the arrays `x_train`, `y_train`, `x_test` and `y_test`, as Keras has them.
///
/// Inputs are [n, height, width], [n, height, width, channels] or [n, values]; whole numbers as targets, [n] or [n, 1], are classes, each
/// under its own number, others are values to be predicted, [n] or [n, values].
struct ArrayFile: ReadData {
    private let file: URL
    /// Nothing where only a test part was read.
    private let training: ArrayPart?
    /// Nothing where no part is for testing.
    private let test: ArrayPart?

    /// How many training examples there are that were not read; nothing where there are none, or all were.
    private let unreadCount: Int?

    private var parts: [ArrayPart] { [training, test].compactMap(\.self) }
    /// What all parts have in common.
    private var first: ArrayPart { training ?? test! }

    /// Reads the file.
    ///
    /// - Parameter use: What for; to evaluate, a test part alone will do, or a training part, or arrays `x` and `y`, where there is no other.
    init(_ file: URL, for use: DataUse) throws(DatasetError) {
        self.file = file
        let archive = try NumPyArchive(file)
        if use == .evaluation {
            let names = Set(archive.names)
            let whole = ["_train", ""].first { names.isSuperset(of: ["x\($0)", "y\($0)"]) }
            if let whole, !names.contains("x_test") {
                (training, test, unreadCount) = (try ArrayPart(archive, whole, in: file), nil, nil)
            } else {
                (training, test) = (nil, try ArrayPart(archive, "_test", in: file))
                unreadCount = names.contains("x_train") ? try archive.header("x_train").shape.first : nil
            }
            return
        }
        let (training, test) = (try ArrayPart(archive, "_train", in: file), try ArrayPart(archive, "_test", in: file))
        guard training.shape == test.shape else {
            throw .splitsDiffer(file.path, training: "\(training.shape)", test: "\(test.shape)")
        }
        guard training.predictsValues == test.predictsValues else {
            throw .splitsDiffer(
                file.path, training: "targets of \(training.targets.header.type.name)",
                test: "targets of \(test.targets.header.type.name)")
        }
        (self.training, self.test, unreadCount) = (training, test, nil)
    }

    /// The shape of the examples in a file, and whether their targets are values to be predicted, from the headers alone; nothing where
    /// the file is not right, which shows when it is read.
    static func outline(of file: URL) -> (shape: ExampleShape, predictsValues: Bool)? {
        guard let archive = try? NumPyArchive(file), let shape = try? archive.header("x_train").exampleShape,
            let targets = try? archive.header("y_train")
        else { return nil }
        return (shape, targets.type.isFloatingPoint)
    }

    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData {
        let classes = try classes(known: options.known)
        if let images = try images(classes, options) { return try images.data(name: name, options, seed: seed) }
        let values = try ArrayValues(parts, classes: classes, options, source: file.path)
        return try TrainingData(
            name: name, training: values.datasets[0], test: values.datasets[1], source: file.path, input: values.input,
            notices: notices(range: nil))
    }

    func evaluation(name: String, _ options: ImageOptions) throws(DatasetError) -> EvaluationData {
        let known = options.known!
        guard known.predictsValues == first.predictsValues else {
            throw .notTheNetworksTargets(source: file.path, networkPredictsValues: known.predictsValues)
        }
        let classes = try classes(known: known)
        if let images = try images(classes, options) { return try images.evaluation(name: name, options) }
        let values = try ArrayValues(parts, classes: classes, options, source: file.path)
        return EvaluationData(
            name: name, examples: values.datasets[0],
            part: test == nil ? .all : .test(of: unreadCount.map { $0 + first.count }), source: file.path,
            input: values.input, notices: notices(range: nil))
    }

    /// The classes that the labels stand for; nothing where values are predicted.
    private func classes(known: InputDescription?) throws(DatasetError) -> ClassLabels? {
        guard !first.predictsValues else { return nil }
        let labels = parts.map { part in part.targets.map { $0 } }
        return known == nil
            ? try ClassLabels(training: labels[0], others: Array(labels.dropFirst()), source: file.path)
            : try ClassLabels(all: labels, source: file.path)
    }

    /// The set as images of bytes; nothing where it is none.
    private func images(_ classes: ClassLabels?, _ options: ImageOptions) throws(DatasetError) -> ImageSet? {
        guard let classes, case .image = first.shape, options.known?.hasBytes ?? true else { return nil }
        var bytes: [[UInt8]] = []
        for part in parts {
            guard let values = part.inputs.byteValues else { return nil }
            bytes.append(values)
        }
        let range = ValueRange(of: bytes.map { $0.max() ?? 0 })
        let images = try parts.indices.map { index throws(DatasetError) in
            try LabeledImages(
                shape: first.shape, classCount: classes.names.count,
                pixels: range.scaledToBytes(bytes[index].withChannelsFirst(first.shape)), labels: classes.labels[index],
                source: file.path)
        }
        return ImageSet(
            training: training == nil ? nil : images[0], test: test == nil ? nil : images.last,
            usualNormalization: .channel, source: file.path, classNames: classes.names, range: range,
            unreadCount: unreadCount, notices: notices(range: range))
    }

    /// What there is to say of the arrays.
    private func notices(range: ValueRange?) -> [String] {
        [range?.notice(file.path), unequalScales, training?.channelsFirstNotice, training?.targetNotice]
            .compactMap(\.self)
    }

    /// That one part seems to be scaled to 1 and the other not.
    private var unequalScales: String? {
        guard let training, let test else { return nil }
        let (high, testHigh) = (training.extent.high, test.extent.high)
        guard min(high, testHigh) > 0, min(high, testHigh) <= 1, max(high, testHigh) >= 15 else { return nil }
        return "the inputs of \(file.path) go up to \(high.shortest) in x_train and to \(testHigh.shortest) in x_test; "
            + "bring both to the same scale"
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
