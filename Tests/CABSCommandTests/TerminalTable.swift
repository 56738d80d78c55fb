import Foundation
import Testing

/// A table of a command's output: columns with two spaces or more between, below their headings.
struct TerminalTable {
    let head: [String]
    let rows: [[String: String]]

    /// The rows below the first line that begins with these headings, up to one that has not as many cells.
    init(_ output: String, beginning headings: String...) throws {
        let lines = output.split(separator: "\n", omittingEmptySubsequences: false).map { Self.cells($0) }
        let first = try #require(lines.firstIndex { Array($0.prefix(headings.count)) == headings }, "\(output)")
        let head = lines[first]
        self.head = head
        rows = lines[(first + 1)...].prefix { $0.count == head.count }
            .map { Dictionary(uniqueKeysWithValues: zip(head, $0)) }
    }

    static func cells(_ line: some StringProtocol) -> [String] {
        String(line).split(separator: /\s{2,}/).map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The numbers in a cell, such as a value and its standard error.
    static func numbers(_ text: String?) -> [Double] {
        (text ?? "").matches(of: /-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?/).compactMap { Double($0.output.0) }
    }

    /// Whether a cell has an estimate of a file, to the places that it is written with.
    static func isWritten(_ text: String?, _ estimate: Any?) -> Bool {
        guard let text, let estimate = estimate as? [String: Double], let error = estimate["standard_error"] else {
            return false
        }
        let found = numbers(text)
        return found.count == 2 && abs(found[0] - estimate["value"]!) <= 0.06 * error
            && abs(found[1] - error) <= 0.06 * error
    }
}
