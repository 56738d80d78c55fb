import CABSExamples

/// Examples that a network can be trained or evaluated on.
///
/// Workers ask for examples from their own threads, several at a time.
public protocol Dataset: Sendable {
    /// The shape of one example as the network sees it.
    var inputShape: ExampleShape { get }
    /// What the examples' targets are.
    var target: TargetSpecification { get }
    /// The number of examples.
    var count: Int { get }

    /// Writes one example into its place.
    ///
    /// - Parameters:
    ///   - index: Which one, from 0 up to ``count``.
    ///   - draw: The number of examples drawn before since the run began: what random changes to an example follow
    ///     from, so that they differ each time it is drawn and a run can be repeated.
    ///   - slot: Receives the input, as many values as ``inputShape`` has, and the target.
    /// - Throws: Why the example cannot be had. A step or an evaluation ends with the first such error.
    func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws
    /// A checksum over every example, by which a run that goes on tells its data from others. What is not given is computed from the
    /// values that a first draw has.
    ///
    /// - Throws: Why an example cannot be had.
    var checksum: UInt { get throws(DatasetError) }
    /// An example as a picture, before its preprocessing; nothing where it is none, or cannot be had.
    func picture(at index: Int) -> Picture?
}

extension Dataset {
    /// None.
    public func picture(at index: Int) -> Picture? { nil }

    /// An example as a network gets it.
    ///
    /// - Throws: Why it cannot be had.
    public func example(at index: Int, draw: UInt64 = 0) throws -> (input: [Float], target: Target) {
        try ExampleMemory(inputCount: inputShape.count, target: target).read { try write(index, draw: draw, into: &$0) }
    }

    /// The classes of some examples; nothing where targets are values.
    ///
    /// - Throws: Why an example cannot be had.
    public func classes(of indices: some Sequence<Int>) throws -> [Int]? {
        guard target.areClasses else { return nil }
        let memory = ExampleMemory(inputCount: inputShape.count, target: target)
        return try indices.map { index in
            guard case .class(let label) = try memory.read({ try write(index, draw: 0, into: &$0) }).target else {
                preconditionFailure("a class was announced")
            }
            return label
        }
    }

    /// The checksum of the values of all examples' inputs and targets, a class as a one among zeros.
    public var checksum: UInt {
        get throws(DatasetError) {
            var checksum = CRC32()
            let memory = ExampleMemory(inputCount: inputShape.count, target: target)
            for index in 0..<count {
                let (input, target) = try DatasetError.naming(index) {
                    try memory.read { try write(index, draw: 0, into: &$0) }
                }
                checksum.add(input)
                switch target {
                case .class(let label):
                    checksum.add((0..<self.target.count).map { $0 == label ? 1 : 0 as Float })
                case .values(let values): checksum.add(values)
                }
            }
            return checksum.value
        }
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
        guard training.inputShape == test.inputShape, training.target.isLike(test.target) else {
            throw .splitsDiffer(
                name, training: "\(training.inputShape), \(training.target)",
                test: "\(test.inputShape), \(test.target)")
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
    /// What the targets are.
    public let target: TargetSpecification
    /// The number of examples.
    public let count: Int
    private let inputs: [Float]
    private let targets: Targets

    private enum Targets {
        case labels([Int])
        /// One example's after the other's.
        case values([Float])
    }

    /// Creates a data set from inputs and values to be predicted, one example after the other.
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
        try self.init(
            inputs, inputShape, .values(targets), .values(targetCount), targetValues: targets.count,
            valuesPerTarget: targetCount)
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
        for (index, label) in labels.enumerated() {
            guard label >= 0, label < classCount else {
                throw .labelOutsideClasses(label, example: index, source: "labels", classCount: classCount)
            }
        }
        try self.init(
            inputs, inputShape, .labels(labels), .classes(classCount), targetValues: labels.count, valuesPerTarget: 1)
    }

    private init(
        _ inputs: [Float], _ inputShape: ExampleShape, _ targets: Targets, _ target: TargetSpecification,
        targetValues: Int, valuesPerTarget: Int
    ) throws(DatasetError) {
        let size = inputShape.count
        guard size > 0, target.count > 0, inputs.count % size == 0,
            targetValues == inputs.count / size * valuesPerTarget
        else {
            throw .arrayCounts(
                inputs: inputs.count, inputSize: size, targets: targetValues, targetSize: valuesPerTarget)
        }
        self.inputs = inputs
        self.inputShape = inputShape
        self.targets = targets
        self.target = target
        count = inputs.count / size
    }

    /// Copies the example's values.
    public func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws {
        let size = inputShape.count
        try slot.setInput(inputs[(index * size)..<((index + 1) * size)])
        switch targets {
        case .labels(let labels): try slot.setClass(labels[index])
        case .values(let values): try slot.setValues(values[(index * target.count)..<((index + 1) * target.count)])
        }
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

    /// What the targets are.
    public var target: TargetSpecification { dataset.target }

    /// Writes the example that stands at `position` in the batch.
    ///
    /// - Throws: ``DatasetError``; of errors of others ``DatasetError/unusableExample(_:reason:)``.
    public func write(_ position: Int, into slot: inout ExampleSlot) throws {
        try DatasetError.naming(indices[position]) {
            try dataset.write(indices[position], draw: firstDraw + UInt64(position), into: &slot)
            try slot.check()
        }
    }
}

extension DatasetError {
    /// Reads an example; errors of others get its place in the data set.
    fileprivate static func naming<Value>(
        _ index: Int, _ read: () throws -> Value
    ) throws(DatasetError) -> Value {
        do {
            return try read()
        } catch let error as DatasetError {
            throw error
        } catch {
            throw .unusableExample(index, reason: "\(error)")
        }
    }
}

extension TargetSpecification {
    /// Whether examples of both can be evaluated by one network: their classes are smoothed, or not, for training alone.
    func isLike(_ other: TargetSpecification) -> Bool { areClasses == other.areClasses && count == other.count }
}
