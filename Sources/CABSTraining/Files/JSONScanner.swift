import Foundation

/// Reads JSON from bytes, value by value, where a decoder would build what nobody asked for: a run has as many lines as steps.
///
/// Numbers come out as the nearest that there are, as from any decoder. Each function that returns whether it read something leaves the scanner behind
/// that where it did; where it did not, the bytes are not what was asked for, and the scanner is of no more use.
struct JSONScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0

    /// Deeper than any value that is read.
    private static let largestDepth = 64

    /// - Parameter bytes: The bytes. One more can be read behind them, which belongs to no number.
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether nothing but spaces is left.
    var isAtEnd: Bool {
        mutating get {
            skipSpaces()
            return position == bytes.count
        }
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpaces() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A { position += 1 }
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func skip(_ text: StaticString) -> Bool {
        guard bytes.count - position >= text.utf8CodeUnitCount,
            memcmp(bytes.baseAddress! + position, text.utf8Start, text.utf8CodeUnitCount) == 0
        else { return false }
        position += text.utf8CodeUnitCount
        return true
    }

    mutating func skipNull() -> Bool { skip("null") }

    // MARK: Objects

    /// Reads an object.
    ///
    /// - Parameter readValue: Called with each key, as it is written, to read the value that follows.
    mutating func readObject(_ readValue: (UnsafeRawBufferPointer, inout JSONScanner) -> Bool) -> Bool {
        readList(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { scanner in
            guard let key = scanner.readText() else { return false }
            scanner.skipSpaces()
            guard scanner.skip(UInt8(ascii: ":")) else { return false }
            scanner.skipSpaces()
            return readValue(key, &scanner)
        }
    }

    private mutating func readList(
        from first: UInt8, to last: UInt8, _ readElement: (inout JSONScanner) -> Bool
    ) -> Bool {
        skipSpaces()
        guard skip(first), depth < Self.largestDepth else { return false }
        depth += 1
        skipSpaces()
        guard !skip(last) else {
            depth -= 1
            return true
        }
        repeat {
            skipSpaces()
            guard readElement(&self) else { return false }
            skipSpaces()
        } while skip(UInt8(ascii: ","))
        depth -= 1
        return skip(last)
    }

    /// What stands between quotation marks, as it is written.
    private mutating func readText() -> UnsafeRawBufferPointer? {
        guard skip(UInt8(ascii: "\"")) else { return nil }
        let start = position
        while let byte = next, byte >= 0x20 {
            if byte == UInt8(ascii: "\"") {
                position += 1
                return UnsafeRawBufferPointer(rebasing: bytes[start..<(position - 1)])
            }
            position += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    /// Passes over a value of whatever kind.
    mutating func skipValue() -> Bool {
        switch next {
        case UInt8(ascii: "\""): readText() != nil
        case UInt8(ascii: "{"): readObject { $1.skipValue() }
        case UInt8(ascii: "["): readList(from: UInt8(ascii: "["), to: UInt8(ascii: "]")) { $0.skipValue() }
        case UInt8(ascii: "t"): skip("true")
        case UInt8(ascii: "f"): skip("false")
        case UInt8(ascii: "n"): skipNull()
        default: scanNumber() != nil
        }
    }

    // MARK: Numbers

    /// A number as it is written: its digits up to nineteen, the power of ten that they are multiplied by, and whether there are more.
    private struct Digits {
        let start: Int
        var isNegative = false
        var value: UInt64 = 0
        var count = 0
        var exponent = 0
        var isInteger = true
    }

    private mutating func readDigits(_ found: inout Digits, isFraction: Bool) -> Bool {
        let start = position
        while let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
            position += 1
            if found.value > 0 || byte > UInt8(ascii: "0") { found.count += 1 }
            if found.count <= 19 { found.value = found.value &* 10 &+ UInt64(byte &- UInt8(ascii: "0")) }
            if isFraction { found.exponent -= 1 }
        }
        return position > start
    }

    private mutating func scanNumber() -> Digits? {
        var found = Digits(start: position)
        found.isNegative = skip(UInt8(ascii: "-"))
        let startsWithZero = next == UInt8(ascii: "0")
        let start = position
        guard readDigits(&found, isFraction: false), !startsWithZero || position == start + 1 else { return nil }
        if skip(UInt8(ascii: ".")) {
            found.isInteger = false
            guard readDigits(&found, isFraction: true) else { return nil }
        }
        if let byte = next, byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            found.isInteger = false
            let isNegative = skip(UInt8(ascii: "-"))
            if !isNegative { _ = skip(UInt8(ascii: "+")) }
            var exponent = Digits(start: position)
            guard readDigits(&exponent, isFraction: false) else { return nil }
            let value = Int(min(exponent.count > 9 ? 1_000_000 : exponent.value, 1_000_000))
            found.exponent += isNegative ? -value : value
        }
        return found
    }

    /// The powers of ten that are exact.
    private static let powers: [Double] = (0...22).map { Double("1e\($0)")! }

    /// Reads a number, or that there is none.
    mutating func readNumber(_ value: inout Double?) -> Bool {
        guard let found = scanNumber() else { return skipNull() }
        let number: Double
        if found.count <= 19, found.value < 1 << 53, abs(found.exponent) <= 22 {
            // One rounding of two exact numbers.
            let power = Self.powers[abs(found.exponent)]
            let magnitude =
                found.exponent < 0 ? Double(found.value) / power : Double(found.value) * power
            number = found.isNegative ? -magnitude : magnitude
        } else {
            number = strtod(bytes.baseAddress!.assumingMemoryBound(to: CChar.self) + found.start, nil)
        }
        value = number
        return number.isFinite
    }

    /// Reads an integer, or that there is none.
    mutating func readInteger(_ value: inout Int?) -> Bool {
        let start = position
        guard let found = scanNumber() else { return skipNull() }
        guard found.isInteger, found.count <= 18 else {
            // Such as 1e3.
            position = start
            var number: Double?
            guard readNumber(&number), let integer = number.flatMap(Int.init(exactly:)) else { return false }
            value = integer
            return true
        }
        value = found.isNegative ? -Int(found.value) : Int(found.value)
        return true
    }
}
