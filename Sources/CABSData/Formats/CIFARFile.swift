import CABSExamples
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

        var labelCount: Int { classCounts.count }
        /// The number of classes of each of a record's labels.
        var classCounts: [Int] { self == .cifar10 ? [10] : [20, 100] }
        var labelPosition: Int { self == .cifar100Fine ? 1 : 0 }

        /// The number of classes.
        public var classCount: Int { classCounts[labelPosition] }
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
                try Self.checkContent(of: file, record, isFirst: labels.isEmpty)
                let whole = labels.count * recordCount
                throw .truncated(
                    file: file.path, expectedBytes: whole + recordCount, foundBytes: whole + record.count)
            }
            for (label, classCount) in zip(record, kind.classCounts) where Int(label) >= classCount {
                try Self.checkContent(of: file, record, isFirst: labels.isEmpty)
                throw .labelOutsideClasses(
                    Int(label), example: labels.count, source: file.path, classCount: classCount)
            }
            labels.append(record[kind.labelPosition])
            pixels += record[kind.labelCount...]
        }
        guard !labels.isEmpty else { throw .noExamples(file.path) }
    }

    /// Refuses a file that is known to be something else, where its first record is none.
    private static func checkContent(of file: URL, _ record: [UInt8], isFirst: Bool) throws(DatasetError) {
        guard isFirst, let found = FileContent.description(ofBytes: Array(record.prefix(FileContent.prefixCount)))
        else { return }
        throw .wrongFormat(
            file: file.path, expected: "a file of CIFAR's binary version", found: "it is \(found)")
    }
}
