import CABSData
import CABSNetwork
import Foundation

/// Parameter files in the safetensors format: the length of a JSON header (8 bytes, little-endian), the header with the type,
/// shape and place of each tensor, and the values.
///
/// The header's metadata hold a CRC-32 of all the rest, which is verified where a file has one.
public enum Safetensors {
    /// A file's tensors, and what else it holds.
    struct Contents {
        let parameters: ParameterSet
        /// By key, the checksum not among them.
        let metadata: [String: String]
        /// What was done to values that are no 32-bit floats in the file, in words; nothing where all are.
        let conversion: String?
    }

    /// Reads all tensors of a file, of whatever type of floats: those of 16 bits become wider, those of 64 are rounded.
    ///
    /// - Throws: ``TrainingError/invalidParameterFile(file:reason:)`` where anything about the file is not right.
    public static func read(_ file: URL) throws(TrainingError) -> ParameterSet {
        try contents(of: file).parameters
    }

    /// Reads all of a file.
    ///
    /// - Throws: ``TrainingError/invalidParameterFile(file:reason:)`` where anything about the file is not right.
    static func contents(of file: URL) throws(TrainingError) -> Contents {
        let data: Data
        do {
            data = try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw .unreadable(path: file.path, reason: error.systemReason)
        }
        return try contents(of: data, named: file.path)
    }

    /// Reads all that a file's bytes say.
    ///
    /// - Parameter name: What errors call the file.
    /// - Throws: ``TrainingError/invalidParameterFile(file:reason:)`` where anything about them is not right.
    static func contents(of data: Data, named name: String) throws(TrainingError) -> Contents {
        do {
            return try parse(data)
        } catch {
            throw .invalidParameterFile(file: name, reason: error.reason)
        }
    }

    /// Reads a model's parameters from a file; what an optimiser keeps in a checkpoint is passed over.
    ///
    /// - Parameters:
    ///   - file: The file.
    ///   - model: The model.
    ///   - onConversion: Told what was done to values that are no 32-bit floats in the file.
    /// - Throws: ``TrainingError/invalidParameterFile(file:reason:)`` where anything about the file is not right, or its
    ///   tensors are not the model's parameters.
    public static func read(
        _ file: URL, for model: Model, onConversion: (String) -> Void = { _ in }
    ) throws(TrainingError) -> ParameterSet {
        let contents = try contents(of: file)
        let parameters = CheckpointTensors(of: contents.parameters).parameters
        do {
            try parameters.check(against: model)
        } catch {
            throw .invalidParameterFile(file: file.path, reason: error.description)
        }
        if let conversion = contents.conversion { onConversion("\(file.path): \(conversion)") }
        return parameters
    }

    /// Writes tensors, replacing the file in one step.
    ///
    /// - Parameters:
    ///   - parameters: The tensors.
    ///   - metadata: What else the file is to hold, by key.
    ///   - file: The file.
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    public static func write(
        _ parameters: ParameterSet, metadata: [String: String] = [:], to file: URL
    ) throws(TrainingError) {
        try DurableFile.write(try data(of: parameters, metadata, named: file.path), to: file)
    }

    /// The bytes of a file with tensors.
    ///
    /// - Parameter name: What errors call the file.
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    static func data(
        of parameters: ParameterSet, _ metadata: [String: String], named name: String
    ) throws(TrainingError) -> Data {
        do {
            return try encode(parameters, metadata)
        } catch {
            throw .unwritable(path: name, reason: "\(error)")
        }
    }

    private struct FormatError: Error {
        let reason: String
    }

    private struct Entry: Codable {
        let dtype: String
        let shape: [Int]
        let dataOffsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case dataOffsets = "data_offsets"
        }
    }

    private enum HeaderValue: Encodable {
        case tensor(Entry)
        case metadata([String: String])

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .tensor(let entry): try entry.encode(to: encoder)
            case .metadata(let texts): try texts.encode(to: encoder)
            }
        }
    }

    /// The header's key that holds no tensor.
    private static let metadataKey = "__metadata__"
    private static let checksumKey = "crc32"

    private static func parse(_ data: Data) throws(FormatError) -> Contents {
        let announced = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard data.count >= 8, announced <= UInt64(data.count - 8) else { throw notSafetensors(data) }
        let headerEnd = data.startIndex + 8 + Int(announced)
        let header = data[(data.startIndex + 8)..<headerEnd]
        guard let object = try? JSONSerialization.jsonObject(with: header) as? [String: Any] else {
            throw notSafetensors(data)
        }
        var known: Set<String> = []
        for name in SafetensorsHeader.names(in: header) where !known.insert(name).inserted {
            throw FormatError(reason: "\(name) comes twice in its header")
        }
        let values = data[headerEnd...]
        var elements: [(entry: Entry, name: String, tensor: Tensor)] = []
        for (name, value) in object where name != metadataKey {
            guard let encoded = try? JSONSerialization.data(withJSONObject: value, options: .fragmentsAllowed),
                let entry = try? JSONDecoder().decode(Entry.self, from: encoded)
            else { throw FormatError(reason: "the header's entry for \(name) is malformed") }
            elements.append((entry, name, try tensor(entry, name, in: values)))
        }
        // Where each begins, and of those that begin at one place the empty ones first.
        elements.sort {
            ($0.entry.dataOffsets[0], $0.entry.dataOffsets[1], $0.name)
                < ($1.entry.dataOffsets[0], $1.entry.dataOffsets[1], $1.name)
        }
        var end = 0
        for (entry, name, _) in elements {
            guard entry.dataOffsets[0] == end else {
                throw FormatError(
                    reason:
                        "\(name) begins at byte \(entry.dataOffsets[0]) of the values, but the tensor before it ends at \(end)"
                )
            }
            end = entry.dataOffsets[1]
        }
        guard end == values.count else {
            throw FormatError(reason: "its last \(values.count - end) bytes belong to no tensor")
        }
        let parameters = ParameterSet(elements.map { ($0.name, $0.tensor) })
        var metadata: [String: String] = [:]
        if let found = object[metadataKey] {
            guard let texts = found as? [String: String] else {
                throw FormatError(reason: "its metadata are not texts")
            }
            metadata = texts
        }
        let expected = metadata.removeValue(forKey: checksumKey)
        guard expected == nil || expected == checksum(parameters, metadata) else {
            throw FormatError(reason: "its checksum is not that of its contents; it was damaged after it was written")
        }
        let types = Set(elements.map(\.entry.dtype)).subtracting(["F32"]).sorted()
        return Contents(
            parameters: parameters, metadata: metadata,
            conversion: types.isEmpty
                ? nil : "values of \(types.joined(separator: " and ")) were taken as 32-bit floats")
    }

    /// What to say of a file that is not of this format at all.
    private static func notSafetensors(_ data: Data) -> FormatError {
        let beginning = Array(data.prefix(FileContent.prefixCount))
        let found = FileContent.description(ofBytes: beginning).map { "it is \($0)" } ?? "it is damaged or cut short"
        return FormatError(reason: "this is no safetensors file, or not a whole one: \(found)")
    }

    /// The CRC-32 of everything but itself: metadata, names, shapes and values.
    static func checksum(
        _ parameters: ParameterSet, _ metadata: [String: String] = [:]
    ) -> String {
        var checksum = CRC32()
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { checksum.add(Data("\(key)\0\(value)\0".utf8)) }
        for (name, tensor) in parameters.elements {
            checksum.add(Data("\(name)\0\(tensor.shape)\0".utf8))
            checksum.add(tensor.values)
        }
        return checksum.text
    }

    private static func tensor(_ entry: Entry, _ name: String, in values: Data) throws(FormatError) -> Tensor {
        guard let type = FloatFormat(rawValue: entry.dtype) else {
            throw FormatError(
                reason: "\(name) has type \(entry.dtype), but only floats are read (F16, BF16, F32, F64); leave it out")
        }
        var byteCount = type.byteCount
        for size in entry.shape {
            let (product, overflows) = byteCount.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflows else {
                throw FormatError(reason: "\(name) has the impossible shape \(entry.shape)")
            }
            byteCount = product
        }
        guard entry.dataOffsets.count == 2, let start = entry.dataOffsets.first, let end = entry.dataOffsets.last,
            start >= 0, end >= start, end <= values.count, end - start == byteCount
        else {
            throw FormatError(
                reason: "\(name) of shape \(entry.shape) claims the bytes \(entry.dataOffsets) of \(values.count)")
        }
        let bytes = values[(values.startIndex + start)..<(values.startIndex + end)]
        guard let floats = type.floats(bytes) else {
            throw FormatError(reason: "\(name) has values that are too large for 32-bit floats")
        }
        return Tensor(shape: entry.shape, values: floats)
    }

    private static func encode(_ parameters: ParameterSet, _ metadata: [String: String]) throws -> Data {
        var header: [String: HeaderValue] = [
            metadataKey: .metadata(metadata.merging([checksumKey: checksum(parameters, metadata)]) { $1 })
        ]
        var offset = 0
        for (name, tensor) in parameters.elements {
            let end = offset + tensor.values.count * MemoryLayout<Float>.size
            header[name] = .tensor(Entry(dtype: "F32", shape: tensor.shape, dataOffsets: [offset, end]))
            offset = end
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var headerBytes = try encoder.encode(header)
        // The format asks for values that begin at a multiple of 8.
        headerBytes.append(Data(repeating: UInt8(ascii: " "), count: -headerBytes.count & 7))
        var data = Data(capacity: MemoryLayout<UInt64>.size + headerBytes.count + offset)
        withUnsafeBytes(of: UInt64(headerBytes.count).littleEndian) { data.append(contentsOf: $0) }
        data.append(headerBytes)
        for (_, tensor) in parameters.elements {
            tensor.values.withLittleEndianBytes { data.append($0.assumingMemoryBound(to: UInt8.self)) }
        }
        return data
    }
}
