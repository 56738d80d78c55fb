/// What stands before a variable's values in a file of MATLAB's format 5: flags, sizes and name, each an element of its own
/// with its type and size before it.
///
/// matio allocates what these sizes promise, and reads on within cells and structures; so they are checked before it sees them.
enum MATVariableHeader {
    /// The most bytes that a header takes which passes the check.
    static let maximumByteCount = parts.reduce(0) { $0 + tagByteCount + $1.maximumByteCount }

    private static let tagByteCount = 8
    /// The parts in their order, with the numbers by which the format calls their types. Names of MATLAB have 63 bytes at the most.
    private static let parts: [(name: String, kind: UInt32, maximumByteCount: Int)] = [
        ("flags", 6, 8), ("sizes", 5, 4 * 32), ("name", 1, 64),
    ]
    /// Characters and numbers of all types, but no cells, structures, objects and sparse matrices.
    private static let plainClasses: Set<UInt8> = Set([4]).union(6...15)

    /// What is wrong with a header; nothing where all is right.
    ///
    /// - Parameter bytes: The variable from its beginning, as far as ``maximumByteCount`` or its end.
    static func flaw(in bytes: [UInt8]) -> String? {
        var position = 0
        for part in parts {
            guard position + tagByteCount <= bytes.count else { return "a variable ends before its \(part.name)" }
            let (first, second) = (bytes.littleEndianWord(at: position), bytes.littleEndianWord(at: position + 4))
            // Up to four bytes may stand in the tag, whose first half then has their number as well.
            let isShort = first >> 16 != 0
            let size = Int(isShort ? first >> 16 : second)
            guard first & 0xffff == part.kind, size <= (isShort ? 4 : part.maximumByteCount) else {
                return "a variable's header has \(size) bytes of type \(first & 0xffff) for its \(part.name)"
            }
            position += tagByteCount + (isShort ? 0 : (size + 7) / 8 * 8)
        }
        guard position <= bytes.count else { return "a variable ends within its header" }
        guard plainClasses.contains(bytes[tagByteCount]) else { return "a variable is of class \(bytes[tagByteCount])" }
        return nil
    }
}

extension RandomAccessCollection<UInt8> where Index == Int {
    /// The four bytes from a position on as a number, the lowest first.
    func littleEndianWord(at position: Int) -> UInt32 {
        self[position..<(position + 4)].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
