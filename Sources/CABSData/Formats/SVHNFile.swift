import CABSExamples
import Foundation

/// A file of the Street View House Numbers (Netzer et al. 2011), cropped digits: MATLAB 5 with images `X` of
/// [32, 32, 3, n] bytes and labels `y` of [n, 1] or [1, n], where 10 stands for the digit 0; in any numeric class.
public struct SVHNFile: Sendable, Hashable {
    /// The shape of every image.
    public static let shape = ExampleShape.image(height: 32, width: 32, channels: 3)
    /// The number of classes: one for each digit.
    public static let classCount = 10

    /// The images' bytes, channels first.
    public let pixels: [UInt8]
    /// The digit of each image.
    public let labels: [UInt8]

    /// Reads a file.
    ///
    /// - Throws: ``DatasetError`` where the file cannot be read or is damaged, its arrays are of other types or sizes, or
    ///   a label is not from 1 to 10.
    public init(contentsOf file: URL) throws(DatasetError) {
        let variables = try MATFile(contentsOf: file, names: ["X", "y"])
        func wrongFormat(_ found: String) -> DatasetError {
            .wrongFormat(file: file.path, expected: "a file of SVHN (X of [32, 32, 3, n], y of [n, 1])", found: found)
        }
        guard let images = variables["X"], let labels = variables["y"] else {
            throw wrongFormat("it has no \(variables["X"] == nil ? "X" : "y")")
        }
        // MATLAB drops a last size of one.
        guard images.sizes.starts(with: [32, 32, 3]), images.sizes.count <= 4 else {
            throw wrongFormat("X is of \(images.sizes)")
        }
        let count = images.values.count / Self.shape.count
        guard count > 0 else { throw .noExamples(file.path) }
        // A vector may stand as a column or, as SciPy writes it, as a row.
        guard labels.values.count == count, labels.sizes.filter({ $0 != 1 }).count <= 1 else {
            throw wrongFormat("X is of \(images.sizes), y of \(labels.sizes)")
        }
        if let index = labels.values.firstIndex(where: { !(1...10).contains($0) }) {
            throw .wrongFormat(
                file: file.path, expected: "a file of SVHN, where labels are from 1 to 10",
                found: "example \(index) has the label \(labels.values[index])")
        }
        pixels = Self.rowMajor(images.values)
        self.labels = labels.values.map { $0 % 10 }
    }

    /// Turns planes of columns into planes of rows.
    private static func rowMajor(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count) { result, resultCount in
            bytes.withUnsafeBufferPointer { bytes in
                for plane in stride(from: 0, to: bytes.count, by: 32 * 32) {
                    for row in 0..<32 {
                        for column in 0..<32 {
                            result[plane + 32 * row + column] = bytes[plane + 32 * column + row]
                        }
                    }
                }
            }
            resultCount = bytes.count
        }
    }
}
