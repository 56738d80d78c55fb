import CABSData
import CABSNetwork
import Foundation
import Yams

/// Files of options in YAML.
enum ConfigurationFile {
    /// Reads a file.
    ///
    /// - Throws: ``TrainingError`` naming the file and what is wrong with it.
    static func decode<Value: Decodable>(_ type: Value.Type, from file: URL) throws(TrainingError) -> Value {
        try decode(type, from: try text(in: file), named: file.path)
    }

    /// Reads a file's text.
    ///
    /// - Parameter name: What errors call the file.
    static func decode<Value: Decodable>(
        _ type: Value.Type, from text: String, named name: String
    ) throws(TrainingError) -> Value {
        do {
            // Kept as long as its nodes are in use, as Yams asks for.
            let parser = try Parser(yaml: text, resolver: Resolver.basic.appending(.merge))
            return try withExtendedLifetime(parser) {
                let node = YAMLNumbers.withoutAmbiguousNumbers(try parser.singleRoot() ?? [:])
                do {
                    return try YAMLDecoder().decode(type, from: node)
                } catch let error as DecodingError {
                    throw ConfigurationError(reason: explain(error, in: node))
                }
            }
        } catch {
            throw .invalidConfiguration(file: name, reason: "\((error as? YamlError).map(explain) ?? "\(error)")")
        }
    }

    private struct ConfigurationError: Error, CustomStringConvertible {
        let reason: String
        var description: String { reason }
    }

    /// The text of a file, which must be in UTF-8.
    static func text(in file: URL) throws(TrainingError) -> String {
        guard !file.isFolder else { throw .unreadable(path: file.path, reason: "it is a folder") }
        let data: Data
        do {
            // To the end and not by its length, which a pipe, such as a shell's <(...), does not have.
            let handle = try FileHandle(forReadingFrom: file)
            data = try handle.readToEnd() ?? Data()
        } catch {
            throw .unreadable(path: file.path, reason: error.systemReason)
        }
        if data.starts(with: [0xff, 0xfe]) || data.starts(with: [0xfe, 0xff]) || data.contains(0) {
            throw .invalidConfiguration(file: file.path, reason: "it is in UTF-16, or no text; save it in UTF-8")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw .invalidConfiguration(
                file: file.path, reason: "it is not in UTF-8 but in another encoding, such as Latin-1; save it in UTF-8"
            )
        }
        // The mark that some editors put at the beginning.
        return text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text
    }

    /// A value as the text of such a file.
    static func text(of value: some Encodable) throws -> String {
        let text = try YAMLEncoder().encode(value)
        guard let node = try Yams.compose(yaml: text) else { return text }
        return try Yams.serialize(node: YAMLNumbers.withPlainNumbers(node, JSONValue(encoding: value)))
    }

    /// A syntax error in one line, with the place in the file.
    private static func explain(_ error: YamlError) -> String {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): " + (context.map { "\($0.text) " } ?? "") + problem
        case .duplicatedKeysInMapping(let duplicates, let context):
            "the mapping at line \(context.mark.line) has twice: \(Set(duplicates).sorted().joined(separator: ", "))"
        default: "\(error)".replacing("\n", with: " ")
        }
    }

    /// A decoding error in one line, with the place in the file.
    private static func explain(_ error: DecodingError, in root: Node) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.map { $0.intValue.map { "item \($0 + 1)" } ?? $0.stringValue }.joined(separator: ", ")
        }
        switch error {
        case .keyNotFound(let key, let context):
            return "\(place(context.codingPath)): \(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            guard let scalar = node(at: context.codingPath, in: root)?.scalar else { fallthrough }
            return "\(place(context.codingPath)): \"\(scalar.string)\" will not do here"
                + (scalar.string.contains { $0.isNumber }
                    ? "; a number has digits and a point, no quotation marks, no leading zeros, and is whole where things are counted"
                    : "")
        case .dataCorrupted(let context):
            if let cause = context.underlyingError { return "\(place(context.codingPath)): \(cause)" }
            if let key = context.codingPath.last, let words = TrainingOptions.words(of: key.stringValue),
                let scalar = node(at: context.codingPath, in: root)?.scalar
            {
                return
                    "\(place(context.codingPath)): \"\(scalar.string)\" will not do here; it must be one of \(words.joined(separator: ", "))"
            }
            return context.codingPath.isEmpty
                ? context.debugDescription : "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            return "\(error)"
        }
    }

    private static func node(at path: [any CodingKey], in root: Node) -> Node? {
        path.reduce(root) { (node: Node?, key) in
            guard let node else { return nil }
            if let index = key.intValue, let sequence = node.sequence {
                return sequence.indices.contains(index) ? sequence[index] : nil
            }
            return node.mapping?.first { $0.key.string == key.stringValue }?.value
        }
    }
}

/// Options that are decoded only where all keys are known.
struct StrictOptions: Decodable {
    let options: TrainingOptions

    init(from decoder: any Decoder) throws {
        _ = try decoder.strictContainer(keyedBy: TrainingOptions.CodingKeys.self)
        options = try TrainingOptions(from: decoder)
    }
}
