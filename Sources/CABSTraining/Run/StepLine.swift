import Foundation

/// A line of `metrics.jsonl`: what ``MetricsLine`` wrote. Each value is nothing where the line does not have it.
package struct StepLine: Sendable {
    /// By the keys' order; what is not there is not a number.
    private var numbers = [Double](repeating: .nan, count: StepKey.allCases.count)
    /// What the rules that watch would have chosen for the next step, by name.
    package private(set) var shadow: [String: Int]?

    /// One of the numbers.
    package subscript(key: StepKey) -> Double? {
        let number = numbers[key.rawValue]
        return number.isNaN ? nil : number
    }

    private func integer(_ key: StepKey) -> Int? { self[key].map { Int($0) } }

    package var step: Int? { integer(.step) }
    package var batchSize: Int? { integer(.batchSize) }
    package var nextBatchSize: Int? { integer(.nextBatchSize) }
    package var examples: Int? { integer(.examples) }

    /// The names that are known, by their length, each with its first bytes: what a line has is nearly always one of them, and reading lines
    /// is most of a report's time.
    private static let byLength: [[(beginning: UInt64, key: StepKey)]] = {
        let longest = StepKey.allCases.map(\.name.utf8.count).max()!
        return (0...longest).map { length in
            StepKey.allCases.filter { $0.name.utf8.count == length }.map { key in
                (Array(key.name.utf8).withUnsafeBytes(beginning), key)
            }
        }
    }()

    private static let names = StepKey.allCases.map { Array($0.name.utf8) }

    private static func beginning(_ name: UnsafeRawBufferPointer) -> UInt64 {
        if name.count >= 8 { return name.loadUnaligned(as: UInt64.self) }
        return name.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static let shadowName = Array("shadow".utf8)

    /// Reads a line; nothing where it is no object of JSON, or one of the values is none of its kind. Values that are not known are passed
    /// over.
    ///
    /// - Parameters:
    ///   - line: The bytes. One more can be read behind them.
    ///   - readsAll: Whether numbers are read too that no report needs: most of the time goes into their digits.
    package init?(_ line: UnsafeRawBufferPointer, readsAll: Bool = false) {
        var scanner = JSONScanner(line)
        let isWhole = scanner.readObject { (name, scanner) in
            if name.elementsEqual(Self.shadowName) { return readShadow(from: &scanner) }
            guard name.count < Self.byLength.count else { return scanner.skipValue() }
            let beginning = Self.beginning(name)
            let known = Self.byLength[name.count].first {
                $0.beginning == beginning && memcmp(name.baseAddress!, Self.names[$0.key.rawValue], name.count) == 0
            }
            guard let key = known?.key, readsAll || key.isReported else { return scanner.skipValue() }
            guard key.isInteger else {
                var number: Double?
                guard scanner.readNumber(&number) else { return false }
                numbers[key.rawValue] = number ?? .nan
                return true
            }
            var integer: Int?
            guard scanner.readInteger(&integer) else { return false }
            numbers[key.rawValue] = integer.map(Double.init) ?? .nan
            return true
        }
        guard isWhole, scanner.isAtEnd else { return nil }
    }

    private mutating func readShadow(from scanner: inout JSONScanner) -> Bool {
        if scanner.skipNull() { return true }
        var sizes: [String: Int] = [:]
        let isWhole = scanner.readObject { (name, scanner) in
            var size: Int?
            guard scanner.readInteger(&size), let size else { return false }
            sizes[String(decoding: name, as: UTF8.self)] = size
            return true
        }
        shadow = sizes
        return isWhole
    }
}
