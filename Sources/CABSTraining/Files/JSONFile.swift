import Foundation

/// The form of the files of JSON in a run's folder, and of what commands print for programs: sorted keys in snake case, indented.
package enum JSONFile {
    /// The text of a value, with its line's end.
    package static func data(of value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return try encoder.encode(value) + Data("\n".utf8)
    }

    /// Reads a value whose keys are named as its properties are, but for the case, or otherwise as `keys` says.
    static func decode<Value: Decodable>(
        _ type: Value.Type, from data: Data, keys: JSONDecoder.KeyDecodingStrategy = .convertFromSnakeCase
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = keys
        return try decoder.decode(type, from: data)
    }
}
