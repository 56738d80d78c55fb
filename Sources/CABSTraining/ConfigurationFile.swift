import CABSNetwork
import Foundation
import Yams

/// Files of options in YAML.
enum ConfigurationFile {
    /// Reads a file.
    ///
    /// - Throws: ``TrainingError`` naming the file and what is wrong with it.
    static func decode<Value: Decodable>(_ type: Value.Type, from file: URL) throws(TrainingError) -> Value {
        let text: String
        do {
            text = try String(contentsOf: file, encoding: .utf8)
        } catch {
            throw .unreadable(path: file.path, reason: error.localizedDescription)
        }
        do {
            return try YAMLDecoder().decode(type, from: text)
        } catch {
            throw .invalidConfiguration(file: file.path, reason: explain(error))
        }
    }

    /// A value as the text of such a file.
    static func text(of value: some Encodable) throws -> String { try YAMLEncoder().encode(value) }

    /// A syntax error in one line, with the place in the file.
    private static func explain(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        default: "\(error)".replacing("\n", with: " ")
        }
    }

    /// A decoding error in one line, with the place in the file.
    private static func explain(_ error: any Error) -> String {
        if let error = error as? YamlError { return explain(error) }
        guard let error = error as? DecodingError else { return "\(error)" }
        func place(_ path: [any CodingKey]) -> String {
            path.map { $0.intValue.map { "item \($0 + 1)" } ?? $0.stringValue }.joined(separator: ", ")
        }
        switch error {
        case .keyNotFound(let key, let context):
            return "\(place(context.codingPath)): \(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            if let cause = context.underlyingError as? YamlError { return explain(cause) }
            if let cause = context.underlyingError { return "\(place(context.codingPath)): \(cause)" }
            return context.codingPath.isEmpty
                ? context.debugDescription : "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            return "\(error)"
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
