import CABSExamples
import Foundation

/// The arrays of one part of a `.npz` file: inputs and their targets.
struct ArrayPart {
    let inputs: NumPyArray
    let targets: NumPyArray
    /// The shape of one input.
    let shape: ExampleShape

    var count: Int { inputs.shape[0] }
    /// Whether targets are values to be predicted, and not classes.
    var predictsValues: Bool { targets.header.type.isFloatingPoint }
    /// How far the inputs' numbers reach.
    let extent: NumPyArray.Extent

    /// Reads the arrays `x` and `y` with an ending.
    init(_ archive: NumPyArchive, _ ending: String, in file: URL) throws(DatasetError) {
        (inputs, targets) = (try archive.array("x\(ending)"), try archive.array("y\(ending)"))
        func wrong(_ array: String, _ expected: String, _ found: NumPyArray) -> DatasetError {
            .wrongFormat(
                file: file.path, expected: "an archive whose \(array)\(ending) is of \(expected)",
                found: "it is of \(found.shape)")
        }
        guard let shape = inputs.header.exampleShape else {
            throw wrong("x", "[n, height, width], [n, height, width, channels] or [n, values]", inputs)
        }
        guard inputs.shape.allSatisfy({ $0 > 0 }) else { throw .noExamples("x\(ending) of \(file.path)") }
        let isClass = !targets.header.type.isFloatingPoint
        guard (1...2).contains(targets.shape.count), targets.shape.allSatisfy({ $0 > 0 }),
            !isClass || targets.count == targets.shape[0]
        else {
            throw wrong("y", isClass ? "[n] or [n, 1], the number of each class" : "[n] or [n, values]", targets)
        }
        guard targets.shape[0] == inputs.shape[0] else {
            throw .countsDiffer(
                images: "x\(ending) of \(file.path)", imageCount: inputs.shape[0], labels: "y\(ending)",
                labelCount: targets.shape[0])
        }
        self.shape = shape
        extent = inputs.extent
    }

    /// That images seem to have their channels first, where they are taken to have them last; nothing where they do not.
    var channelsFirstNotice: String? {
        guard case .image(let height, let width, let channels) = shape, inputs.shape.count == 4,
            [1, 3, 4].contains(height), channels > 4
        else { return nil }
        return
            "the inputs are read as images of \(height) rows, \(width) columns and \(channels) channels; if their channels come first, "
            + "save x.transpose(0, 2, 3, 1)"
    }

    /// That targets in floating point look like classes; nothing where they do not.
    var targetNotice: String? {
        guard predictsValues else { return nil }
        let values = targets.map { $0 }
        let width = targets.count / count
        let isOneHot =
            width > 1 && values.allSatisfy { $0 == 0 || $0 == 1 }
            && stride(from: 0, to: values.count, by: width).allSatisfy { values[$0..<$0 + width].reduce(0, +) == 1 }
        if isOneHot {
            return
                "the targets are rows of 0 and 1 in floating point and are predicted as values; for classes save y.argmax(1)"
        }
        guard width == 1, values.allSatisfy({ $0 == $0.rounded() && (0...65_535).contains($0) }),
            Set(values).count <= 1000
        else { return nil }
        return
            "the targets are whole numbers in floating point and are predicted as values; for classes save y.astype(int)"
    }
}

/// Labels that stand for classes, each under its own number.
struct ClassLabels {
    /// What the classes are called: the numbers of the labels.
    let names: [String]
    /// The labels of each part, counted from 0 in the order of ``names``.
    let labels: [[UInt16]]

    /// Labels to train on: all whole numbers from 0 or from 1 on.
    ///
    /// - Parameter others: Those of further parts, which have no other classes.
    init(training: [Double], others: [[Double]], source: String) throws(DatasetError) {
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
        for test in others {
            if let index = test.firstIndex(where: { $0 < first || $0 > high }) {
                throw .labelUnknown(
                    label: test[index], example: index, source: "y_test of \(source)", known: Int(first)...Int(high))
            }
        }
        names = (Int(first)...Int(high)).map(String.init)
        labels = ([training] + others).map { $0.map { UInt16($0 - first) } }
    }

    /// Labels to evaluate a network on, which says what classes there are.
    init(all: [[Double]], source: String) throws(DatasetError) {
        let found = Set(all.joined())
        if let label = found.first(where: { $0 < 0 || $0 > 65_535 }) {
            throw .labelsNotClasses(source: source, label: label)
        }
        let numbers = found.sorted()
        names = numbers.map { "\(Int($0))" }
        let places = Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($1, UInt16($0)) })
        labels = all.map { part in part.map { places[$0]! } }
    }
}
