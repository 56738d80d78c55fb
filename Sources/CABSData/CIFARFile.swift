import CABSNetwork
import Foundation

/// A file in the binary format of CIFAR-10 or CIFAR-100: records of a class label (CIFAR-100: two, coarse and fine) and
/// the red, green and blue planes of a 32x32 image.
public struct CIFARFile: Sendable, Hashable {
    /// What the records' labels are.
    public enum Kind: Sendable, Hashable {
        /// One of 10 classes.
        case cifar10
        /// The finer of CIFAR-100's two labels: 100 classes.
        case cifar100Fine
        /// The coarser: 20 classes.
        case cifar100Coarse

        var labelCount: Int { self == .cifar10 ? 1 : 2 }
        var labelPosition: Int { self == .cifar100Fine ? 1 : 0 }

        /// The number of classes.
        public var classCount: Int {
            switch self {
            case .cifar10: 10
            case .cifar100Fine: 100
            case .cifar100Coarse: 20
            }
        }
    }

    /// The shape of every image.
    public static let shape = ExampleShape.image(height: 32, width: 32, channels: 3)

    /// The images' bytes, planes first.
    public private(set) var pixels: [UInt8] = []
    /// The label of each image.
    public private(set) var labels: [UInt8] = []

    /// Reads a file.
    ///
    /// - Throws: ``DatasetError`` where the file cannot be read, is not a whole number of records, or a label lies outside
    ///   the classes.
    public init(contentsOf file: URL, kind: Kind) throws(DatasetError) {
        var source = try ByteSource(file: file)
        let recordCount = kind.labelCount + Self.shape.count
        while true {
            let record = try source.read(upTo: recordCount)
            if record.isEmpty { break }
            guard record.count == recordCount else {
                let whole = labels.count * recordCount
                throw .truncated(
                    file: file.path, expectedBytes: whole + recordCount, foundBytes: whole + record.count)
            }
            let label = record[kind.labelPosition]
            guard Int(label) < kind.classCount else {
                throw .labelOutsideClasses(
                    Int(label), example: labels.count, source: file.path, classCount: kind.classCount)
            }
            labels.append(label)
            pixels += record[kind.labelCount...]
        }
        guard !labels.isEmpty else { throw .noExamples(file.path) }
    }
}
