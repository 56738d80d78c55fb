/// What the header of an array in NumPy's format says.
struct NumPyHeader {
    /// The size of each dimension.
    let shape: [Int]
    /// What the values are.
    let type: ElementType
    /// Whether the first index runs fastest.
    let isColumnMajor: Bool

    /// The type of the values, by NumPy's letter and size, such as `u1`.
    struct ElementType: Equatable {
        let kind: Character
        let size: Int
        let isBigEndian: Bool

        fileprivate static let known: [Character: [Int]] = [
            "b": [1], "u": [1, 2, 4, 8], "i": [1, 2, 4, 8], "f": [2, 4, 8],
        ]

        var isFloatingPoint: Bool { kind == "f" }
        var name: String { "\(kind)\(size)" }
    }

    var count: Int { shape.reduce(1, *) }
    var byteCount: Int { count * type.size }

    private static let longestText = 1 << 20
    private static let largestByteCount = 1 << 40

    /// Reads the header, asking for as many bytes as it has.
    init(source: String, read: (Int) throws(DatasetError) -> [UInt8]) throws(DatasetError) {
        func wrong(_ found: String) -> DatasetError {
            .wrongFormat(file: source, expected: "an array of numbers (.npy)", found: found)
        }
        let beginning = try read(8)
        guard beginning.count == 8, beginning.starts(with: [0x93] + Array("NUMPY".utf8)) else {
            throw wrong(FileContent.descriptionOrBytes(beginning))
        }
        guard (1...3).contains(beginning[6]) else { throw wrong("it is of version \(beginning[6]) of the format") }
        let length = try read(beginning[6] == 1 ? 2 : 4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= Self.longestText else { throw wrong("its header has \(length) bytes") }
        try self.init(String(decoding: read(length), as: UTF8.self), wrong)
    }

    /// Reads a dictionary as Python writes it.
    private init(_ text: String, _ wrong: (String) -> DatasetError) throws(DatasetError) {
        func member(_ key: String, _ pattern: String) throws(DatasetError) -> Substring {
            guard let regex = try? Regex("['\"]\(key)['\"]\\s*:\\s*\(pattern)", as: (Substring, Substring).self),
                let match = text.firstMatch(of: regex)
            else { throw wrong("its header has no \(key) that is understood: \(text.prefix(80))") }
            return match.output.1
        }
        if text.contains(/['"]descr['"]\s*:\s*\[/) { throw wrong("its values are records of several fields") }
        type = try Self.type(String(member("descr", "['\"]([^'\"]+)['\"]")), wrong)
        isColumnMajor = try member("fortran_order", "(True|False)") == "True"
        let sizes = try member("shape", "\\(([0-9,\\sL]*)\\)").split(separator: ",")
            .map { $0.filter { !$0.isWhitespace && $0 != "L" } }.filter { !$0.isEmpty }
        shape = sizes.compactMap { Int($0) }
        // As if no size were zero, so that no product of some of them overflows.
        let byteCount = shape.reduce(Double(type.size)) { $0 * Double(max($1, 1)) }
        guard shape.count == sizes.count, byteCount <= Double(Self.largestByteCount) else {
            throw wrong("its header says that it is of (\(sizes.joined(separator: ", ")))")
        }
    }

    private static func type(
        _ descriptor: String, _ wrong: (String) -> DatasetError
    ) throws(DatasetError) -> ElementType {
        let body = descriptor.drop { "<>=|".contains($0) }
        if body.hasPrefix("O") {
            throw wrong("its values are Python's objects (pickles), which are never run; save numbers")
        }
        guard let kind = body.first, let size = Int(body.dropFirst()), ElementType.known[kind]?.contains(size) == true
        else {
            throw wrong("its values are of the type \(descriptor); give whole or floating-point numbers")
        }
        return ElementType(kind: kind, size: size, isBigEndian: descriptor.hasPrefix(">"))
    }
}
