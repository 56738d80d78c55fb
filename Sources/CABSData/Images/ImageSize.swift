/// The height and width that images are brought to.
public struct ImageSize: Sendable, Hashable, LosslessStringConvertible {
    /// The number of rows.
    public let height: Int
    /// The number of columns.
    public let width: Int

    /// The sizes of a side that are accepted.
    static let sides = 1...4096

    /// Creates a size; nothing where a side is not from 1 to 4096.
    public init?(height: Int, width: Int) {
        guard Self.sides.contains(height), Self.sides.contains(width) else { return nil }
        self.height = height
        self.width = width
    }

    /// Reads `HxW`, or one number for both.
    public init?(_ text: String) {
        let numbers = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard let height = numbers[0], let width = numbers[numbers.count - 1], numbers.count <= 2 else { return nil }
        self.init(height: height, width: width)
    }

    /// `HxW`.
    public var description: String { "\(height)x\(width)" }
}

extension ImageSize: Codable {
    /// Reads `HxW`, or one number for both.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try (try? container.decode(Int.self)).map(String.init) ?? container.decode(String.self)
        guard let size = Self(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription:
                    "\"\(text)\" is no size of images; give HEIGHTxWIDTH, such as 32x32, each from 1 to 4096")
        }
        self = size
    }

    /// Writes `HxW`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
