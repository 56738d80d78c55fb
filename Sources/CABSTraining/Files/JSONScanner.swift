import Foundation

/// Reads JSON from bytes, value by value, where a decoder would build what nobody asked for: a run has as many lines as steps.
///
/// Numbers come out as the nearest that there are, as from any decoder. Each function that returns whether it read something leaves the scanner behind
/// that where it did; where it did not, the bytes are not what was asked for, and the scanner is of no more use.
struct JSONScanner {
    // Bytes by pointers, and the one behind them in place of comparisons with the end: most of the time that a report on a long run takes is spent here.
    private var position: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private var depth = 0

    /// Deeper than any value that is read.
    private static let largestDepth = 64

    /// - Parameter bytes: The bytes. One more can be read behind them, which is a zero or the end of a line.
    init(_ bytes: UnsafeRawBufferPointer) {
        position = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        end = position + bytes.count
    }

    /// Whether nothing but spaces is left.
    var isAtEnd: Bool {
        mutating get {
            skipSpaces()
            return position == end
        }
    }

    private mutating func skipSpaces() {
        while position < end, position.pointee == 0x20 || position.pointee == 0x09 || position.pointee == 0x0D {
            position += 1
        }
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard position.pointee == byte, position < end else { return false }
        position += 1
        return true
    }

    private mutating func skip(_ text: StaticString) -> Bool {
        guard end - position >= text.utf8CodeUnitCount,
            memcmp(position, text.utf8Start, text.utf8CodeUnitCount) == 0
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
        // Ends at the byte behind all others at the latest.
        while position.pointee >= 0x20 {
            if position.pointee == UInt8(ascii: "\"") {
                position += 1
                return UnsafeRawBufferPointer(start: start, count: position - start - 1)
            }
            if position.pointee == UInt8(ascii: "\\") { position += 1 }
            guard position.pointee >= 0x20 else { return nil }
            position += 1
        }
        return nil
    }

    /// Passes over a value of whatever kind.
    mutating func skipValue() -> Bool {
        switch position.pointee {
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

    /// A number as it is written: its digits as far as they fit, how many there are after leading zeros, and the power of ten that they are multiplied by.
    private struct Digits {
        let start: UnsafePointer<UInt8>
        var isNegative = false
        var value: UInt64 = 0
        var count = 0
        var exponent = 0
        var isInteger = true
    }

    private mutating func readDigits(_ found: inout Digits) -> Bool {
        let start = position
        if found.value == 0 { while position.pointee == UInt8(ascii: "0") { position += 1 } }
        let first = position
        var value = found.value
        while true {
            let digit = position.pointee &- UInt8(ascii: "0")
            guard digit < 10 else { break }
            value = value &* 10 &+ UInt64(digit)
            position += 1
        }
        found.value = value
        found.count &+= position - first
        return position > start
    }

    private mutating func scanNumber() -> Digits? {
        var found = Digits(start: position)
        found.isNegative = skip(UInt8(ascii: "-"))
        let startsWithZero = position.pointee == UInt8(ascii: "0")
        let start = position
        guard readDigits(&found), !startsWithZero || position == start + 1 else { return nil }
        if skip(UInt8(ascii: ".")) {
            found.isInteger = false
            let start = position
            guard readDigits(&found) else { return nil }
            found.exponent = start - position
        }
        if position.pointee | 0x20 == UInt8(ascii: "e") {
            position += 1
            found.isInteger = false
            let isNegative = skip(UInt8(ascii: "-"))
            if !isNegative { _ = skip(UInt8(ascii: "+")) }
            var exponent = Digits(start: position)
            guard readDigits(&exponent) else { return nil }
            let value = exponent.count > 6 ? 1_000_000 : Int(exponent.value)
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
            number = strtod(UnsafeRawPointer(found.start).assumingMemoryBound(to: CChar.self), nil)
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
