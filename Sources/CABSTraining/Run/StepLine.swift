import Foundation

/// A line of `metrics.jsonl`: what ``MetricsLine`` wrote. Each value is nothing where the line does not have it.
package struct StepLine: Sendable, Hashable {
    /// By the keys' order; what is not there is not a number.
    private var numbers = [Double](repeating: .nan, count: StepKey.allCases.count)
    /// What the rules that watch would have chosen for the next step, by name.
    package private(set) var shadow: [String: Int]?

    /// One of the numbers.
    package subscript(key: StepKey) -> Double? {
        let number = numbers[Self.places[key]!]
        return number.isNaN ? nil : number
    }

    private func integer(_ key: StepKey) -> Int? { self[key].map { Int($0) } }

    package var step: Int? { integer(.step) }
    package var batchSize: Int? { integer(.batchSize) }
    package var nextBatchSize: Int? { integer(.nextBatchSize) }
    package var examples: Int? { integer(.examples) }

    private static let places = Dictionary(
        uniqueKeysWithValues: StepKey.allCases.enumerated().map { ($1, $0) })

    /// The numbers that are known, by the length of their names.
    private static let byLength: [[(name: [UInt8], place: Int, isInteger: Bool)]] = {
        let longest = StepKey.allCases.map(\.rawValue.utf8.count).max()!
        return (0...longest).map { length in
            StepKey.allCases.enumerated().filter { $1.rawValue.utf8.count == length }
                .map { (Array($1.rawValue.utf8), $0, $1.isInteger) }
        }
    }()

    private static let shadowName = Array("shadow".utf8)

    /// Reads a line; nothing where it is no object of JSON, or one of the values is none of its kind. Values that are not known are passed
    /// over.
    ///
    /// - Parameter line: The bytes. One more can be read behind them.
    package init?(_ line: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(line)
        let isWhole = scanner.readObject { (name, scanner) in
            if name.elementsEqual(Self.shadowName) { return readShadow(from: &scanner) }
            guard name.count < Self.byLength.count,
                let known = Self.byLength[name.count].first(where: {
                    memcmp(name.baseAddress!, $0.name, name.count) == 0
                })
            else { return scanner.skipValue() }
            guard known.isInteger else {
                var number: Double?
                guard scanner.readNumber(&number) else { return false }
                numbers[known.place] = number ?? .nan
                return true
            }
            var integer: Int?
            guard scanner.readInteger(&integer) else { return false }
            numbers[known.place] = integer.map(Double.init) ?? .nan
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
