import CABSExamples

/// Examples that a network can be trained or evaluated on.
///
/// Workers ask for examples from their own threads, several at a time.
public protocol Dataset: Sendable {
    /// The shape of one example as the network sees it.
    var inputShape: ExampleShape { get }
    /// The number of values in a target: the number of classes.
    var targetCount: Int { get }
    /// The number of examples.
    var count: Int { get }

    /// Writes one example, into arrays that keep their counts.
    ///
    /// - Parameters:
    ///   - index: Which one, from 0 up to ``count``.
    ///   - draw: The number of examples drawn before since the run began: what random changes to an example follow
    ///     from, so that they differ each time it is drawn and a run can be repeated.
    ///   - input: Receives the input's values; it has as many as ``inputShape``.
    ///   - target: Receives the target's values; it has ``targetCount``.
    func copyExample(at index: Int, draw: UInt64, input: inout [Float], target: inout [Float])
    /// A checksum over every example, by which a run that goes on tells its data from others. What is not given is computed from the
    /// values that a first draw has.
    var checksum: UInt { get }
    /// An example as a picture, before its preprocessing; nothing where it is none.
    func picture(at index: Int) -> Picture?
    /// Why an example could not be given as it was, where it is read anew each time; nothing as long as all could. A run stops where there
    /// is something.
    var failure: DatasetError? { get }
}

extension Dataset {
    /// None.
    public func picture(at index: Int) -> Picture? { nil }
    /// None.
    public var failure: DatasetError? { nil }

    /// The checksum of the values of all examples' inputs and targets.
    public var checksum: UInt {
        var checksum = CRC32()
        var input = [Float](repeating: 0, count: inputShape.count)
        var target = [Float](repeating: 0, count: targetCount)
        for index in 0..<count {
            copyExample(at: index, draw: 0, input: &input, target: &target)
            checksum.add(input)
            checksum.add(target)
        }
        return checksum.value
    }
}

/// A data set's two parts.
public struct TrainingData: Sendable {
    /// The data set's name.
    public let name: String
    /// The examples to train on.
    public let training: any Dataset
    /// The examples to evaluate on.
    public let test: any Dataset
    /// Examples held back from training, to choose by; nothing where none are.
    public let validation: (any Dataset)?
    /// Where they come from, such as the path of a folder.
    public let source: String?
    /// What a network that is trained on them must be given; nothing where that is not known.
    public let input: InputDescription?
    /// Whether targets are values to be predicted, and not classes: then there is no accuracy.
    public var predictsValues: Bool { input?.predictsValues ?? false }
    /// What there is to say of the files, for people to read.
    public let notices: [String]

    /// Puts two parts together.
    ///
    /// - Throws: ``DatasetError`` where one is empty or their shapes differ.
    public init(
        name: String, training: any Dataset, test: any Dataset, validation: (any Dataset)? = nil,
        source: String? = nil, input: InputDescription? = nil, notices: [String] = []
    ) throws(DatasetError) {
        guard training.count > 0, test.count > 0 else { throw .noExamples(name) }
        guard training.inputShape == test.inputShape, training.targetCount == test.targetCount else {
            throw .splitsDiffer(
                name, training: "\(training.inputShape), \(training.targetCount) targets",
                test: "\(test.inputShape), \(test.targetCount) targets")
        }
        self.name = name
        self.training = training
        self.test = test
        self.validation = validation
        self.source = source
        self.input = input
        self.notices = notices
    }

    /// The same data with other examples in a part.
    func with(
        training: (any Dataset)? = nil, validation: (any Dataset)? = nil
    ) throws(DatasetError) -> TrainingData {
        try TrainingData(
            name: name, training: training ?? self.training, test: test, validation: validation ?? self.validation,
            source: source, input: input, notices: notices)
    }
}

/// Examples held in memory as floats.
public struct ArrayDataset: Dataset {
    /// The shape of one example.
    public let inputShape: ExampleShape
    /// The number of values in a target.
    public let targetCount: Int
    /// The number of examples.
    public let count: Int
    private let inputs: [Float]
    private let targets: [Float]

    /// Creates a data set from inputs and targets, one example after the other.
    ///
    /// - Parameters:
    ///   - inputs: The inputs' values, images channels first.
    ///   - inputShape: The shape of one.
    ///   - targets: The targets' values: `targetCount` for each example.
    ///   - targetCount: The number of values in a target.
    /// - Throws: ``DatasetError`` where the numbers of values do not fit the shapes.
    public init(
        inputs: [Float], inputShape: ExampleShape, targets: [Float], targetCount: Int
    ) throws(DatasetError) {
        let size = inputShape.count
        guard size > 0, targetCount > 0, inputs.count % size == 0,
            targets.count == inputs.count / size * targetCount
        else {
            throw .arrayCounts(
                inputs: inputs.count, inputSize: size, targets: targets.count, targetSize: targetCount)
        }
        self.inputs = inputs
        self.inputShape = inputShape
        self.targets = targets
        self.targetCount = targetCount
        count = inputs.count / size
    }

    /// Creates a data set of classes from inputs and labels, one example after the other.
    ///
    /// - Parameters:
    ///   - inputs: The inputs' values, images channels first.
    ///   - inputShape: The shape of one.
    ///   - labels: The class of each example, from 0 up to `classCount`.
    ///   - classCount: The number of classes.
    /// - Throws: ``DatasetError`` where the numbers of values do not fit, or a label lies outside the classes.
    public init(
        inputs: [Float], inputShape: ExampleShape, labels: [Int], classCount: Int
    ) throws(DatasetError) {
        var targets = [Float](repeating: 0, count: labels.count * max(classCount, 0))
        for (index, label) in labels.enumerated() {
            guard label >= 0, label < classCount else {
                throw .labelOutsideClasses(label, example: index, source: "labels", classCount: classCount)
            }
            targets[index * classCount + label] = 1
        }
        try self.init(inputs: inputs, inputShape: inputShape, targets: targets, targetCount: classCount)
    }

    /// Copies the example's values.
    public func copyExample(at index: Int, draw: UInt64, input: inout [Float], target: inout [Float]) {
        let first = index * input.count
        for offset in input.indices { input[offset] = inputs[first + offset] }
        let firstTarget = index * targetCount
        for offset in target.indices { target[offset] = targets[firstTarget + offset] }
    }
}

/// Some of a data set's examples, for one step.
public struct DatasetBatch: ExampleBatch {
    /// Where the examples come from.
    public let dataset: any Dataset
    /// Which examples, in order.
    public let indices: [Int]
    /// The number of examples drawn before since the run began.
    public let firstDraw: UInt64

    /// Creates a batch.
    ///
    /// - Parameters:
    ///   - dataset: Where the examples come from.
    ///   - indices: Which examples, in order.
    ///   - firstDraw: The number of examples drawn before since the run began.
    public init(_ dataset: any Dataset, indices: [Int], firstDraw: UInt64 = 0) {
        self.dataset = dataset
        self.indices = indices
        self.firstDraw = firstDraw
    }

    /// Creates a batch of all examples in their order.
    public init(all dataset: any Dataset) {
        self.init(dataset, indices: Array(0..<dataset.count))
    }

    /// The number of examples.
    public var count: Int { indices.count }

    /// Writes the example that stands at `position` in the batch.
    public func copyExample(at position: Int, input: inout [Float], target: inout [Float]) {
        dataset.copyExample(
            at: indices[position], draw: firstDraw + UInt64(position), input: &input, target: &target)
    }
}
