import Foundation

/// The names in a safetensors header as they stand there: readers of JSON keep one of several that are the same, without a word.
enum SafetensorsHeader {
    /// The keys of a JSON object, in their order, those that come twice as well.
    ///
    /// - Parameter header: A text that is known to be a JSON object.
    static func names(in header: Data) -> [String] {
        var names: [String] = []
        var depth = 0
        var textStart: Data.Index?
        var isEscaped = false
        var lastText = header.prefix(0)
        for (index, byte) in zip(header.indices, header) {
            if let start = textStart {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    lastText = header[start...index]
                    textStart = nil
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): textStart = index
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":") where depth == 1:
                if let name = try? JSONDecoder().decode(String.self, from: lastText) { names.append(name) }
            default: break
            }
        }
        return names
    }
}
