import CABSExamples
import Foundation

/// The inputs of a `.npz` file, without targets: its array `x`, `x_test` or, alone, of any name.
public struct ArrayInputs {
    private let array: NumPyArray
    private let source: String

    private static let names = ["x", "x_test"]

    /// Reads the file.
    ///
    /// - Throws: ``DatasetError`` where it is no such file, or does not say which array is meant.
    public init(contentsOf file: URL) throws(DatasetError) {
        let archive = try NumPyArchive(file)
        let found = archive.names
        guard let name = Self.names.first(where: found.contains) ?? (found.count == 1 ? found[0] : nil) else {
            throw .wrongFormat(
                file: file.path, expected: "an archive with an array x or x_test",
                found: "it has \(found.isEmpty ? "none" : found.prefix(6).joined(separator: ", "))")
        }
        array = try archive.array(name)
        source = "\(name) of \(file.path)"
    }

    /// Each input as a network sees it.
    ///
    /// - Throws: ``DatasetError`` where the inputs are of another shape.
    public func inputs(for description: InputDescription) throws(DatasetError) -> [[Float]] {
        let shape = description.shape
        guard array.header.exampleShape == shape else {
            throw .wrongFormat(
                file: source, expected: "inputs for this network, each \(shape.withArticle)",
                found: "it is of \(array.shape)")
        }
        let size = shape.count
        try description.checkRange(array.extent, source: source)
        if case .image = shape, description.hasBytes, let bytes = array.byteValues {
            let pixels = ValueRange(highest: description.highestValue ?? 255).scaledToBytes(bytes)
                .withChannelsFirst(shape)
            return stride(from: 0, to: pixels.count, by: size).map {
                description.values(ofPixels: Array(pixels[$0..<$0 + size]))
            }
        }
        // Fractions between bytes: as exported networks take them, but for a crop.
        guard description.cropSize == nil else { throw .needsImagesOfBytes(source, found: array.header.type.name) }
        let scale = description.hasBytes ? 255 / (description.highestValue ?? 255) : 1
        let values = array.map { Float($0 * scale) }.withChannelsFirst(shape)
        guard values.allSatisfy(\.isFinite) else { throw .notFinite(source) }
        return stride(from: 0, to: values.count, by: size).map { first in
            description.values(ofNumbers: Array(values[first..<first + size]))
        }
    }
}
