import Yams

/// Numbers in YAML files: each means what it says to everyone, or is no number.
///
/// YAML 1.1 reads `0010` as 8, `1:30` as 90 and `1e-2` as a text, YAML 1.2 does not; people mean ten, nothing and a hundredth. So numbers
/// are read in their plain decimal form alone, and written as all readers understand them.
enum YAMLNumbers {
    /// Whether a text is of the form that is read as a number.
    private static func isPlain(_ text: String) -> Bool {
        text.wholeMatch(of: /[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?/) != nil
    }

    /// A tree in which whatever is no plain decimal number is a text, so that only what asks for texts takes it.
    static func withoutAmbiguousNumbers(_ node: Node) -> Node {
        switch node {
        case .scalar(var scalar):
            guard scalar.style == .plain || scalar.style == .any, looksLikeNumber(scalar.string),
                !isPlain(scalar.string)
            else { return node }
            scalar.style = .singleQuoted
            return .scalar(scalar)
        case .mapping(var mapping):
            for (key, value) in mapping { mapping[key] = withoutAmbiguousNumbers(value) }
            return .mapping(mapping)
        case .sequence(var sequence):
            for index in sequence.indices { sequence[index] = withoutAmbiguousNumbers(sequence[index]) }
            return .sequence(sequence)
        case .alias:
            return node
        }
    }

    private static func looksLikeNumber(_ text: String) -> Bool {
        text.drop { "-+.".contains($0) }.first?.isNumber ?? false
    }

    /// A tree with fractions as people and all readers write them, `0.01` and not `1e-2`, and to the last bit, where Yams rounds.
    ///
    /// - Parameter value: What the tree stands for.
    static func withPlainNumbers(_ node: Node, _ value: JSONValue?) -> Node {
        switch node {
        case .scalar(var scalar):
            guard scalar.style == .plain || scalar.style == .any, looksLikeNumber(scalar.string) else { return node }
            switch value {
            case .number(let number): scalar.string = text(number)
            // A double that is whole, which Yams writes as 1e+0.
            case .integer(let number): scalar.string = "\(number)"
            default: break
            }
            return .scalar(scalar)
        case .mapping(var mapping):
            guard case .object(let members) = value else { return node }
            for (key, member) in mapping {
                mapping[key] = withPlainNumbers(member, key.string.flatMap { members[$0] })
            }
            return .mapping(mapping)
        case .sequence(var sequence):
            guard case .list(let items) = value else { return node }
            for (item, index) in zip(items, sequence.indices) {
                sequence[index] = withPlainNumbers(sequence[index], item)
            }
            return .sequence(sequence)
        case .alias:
            return node
        }
    }

    /// The shortest text that stands for the value. In exponential form it has a point, without which YAML 1.1 takes it for a text.
    static func text(_ value: Double) -> String {
        let text = value.shortest
        guard let exponent = text.firstIndex(of: "e"), !text[..<exponent].contains(".") else { return text }
        return text[..<exponent] + ".0" + text[exponent...]
    }
}
