import Foundation
import Testing

/// A table as readers of a page or of Markdown meet it: headings, and below them cells.
struct ShownTable: Sendable {
    let head: [String]
    let rows: [[Cell]]

    struct Cell: Sendable {
        let text: String
        /// Whether it is marked as the best of its column.
        let isBest: Bool

        /// All numbers in it, in their order.
        var numbers: [Double] {
            text.replacing("−", with: "-").matches(of: /-?[0-9][0-9,]*(\.[0-9]+)?(e[+-][0-9]+)?/).compactMap {
                Double($0.output.0.replacing(",", with: ""))
            }
        }

        /// How far a number that is written like the first in it may be off: half of its last place, and a little for halves.
        var slack: Double {
            guard let found = text.firstMatch(of: /[0-9][0-9,]*(?:\.([0-9]+))?(?:e([+-][0-9]+))?/) else { return 0 }
            let places = Double(found.output.1?.count ?? 0) - (found.output.2.flatMap { Double($0) } ?? 0)
            return 0.50001 * pow(10, -places)
        }
    }

    /// The tables of a page, in their order.
    static func all(on html: String) -> [ShownTable] {
        between("<table>", "</table>", html).map { table in
            let rows = between("<tr>", "</tr>", table).map { row in
                between("<t", "</t", row.replacing("<th", with: "<td").replacing("</th", with: "</td")).map { cell in
                    let start = cell.firstIndex(of: ">")!
                    return Cell(
                        text: plain(cell[cell.index(after: start)...]), isBest: cell[..<start].contains("\"best\""))
                }
            }
            return ShownTable(head: rows[0].map(\.text), rows: Array(rows.dropFirst()))
        }
    }

    /// The table in a file of Markdown.
    init(markdown: String) {
        let lines = markdown.split(separator: "\n").filter { $0.hasPrefix("| ") }.map { line in
            line.dropFirst(2).dropLast(2).components(separatedBy: " | ").map {
                Cell(text: $0.replacing("\\", with: ""), isBest: false)
            }
        }
        self.init(head: lines[0].map(\.text), rows: Array(lines.dropFirst(2)))
    }

    init(head: [String], rows: [[Cell]]) { (self.head, self.rows) = (head, rows) }

    /// The cells below a heading.
    func column(_ heading: String) throws -> [Cell] {
        let place = try #require(head.firstIndex(of: heading), "\(heading) is not among \(head)")
        #expect(rows.allSatisfy { $0.count == head.count })
        return rows.map { $0[place] }
    }

    /// The row whose first cells are these.
    func row(_ names: String...) throws -> Row {
        let found = rows.filter { Array($0.prefix(names.count)).map(\.text) == names }
        try #require(found.count == 1, "\(found.count) rows of \(names)")
        return Row(table: self, cells: found[0])
    }

    struct Row {
        let table: ShownTable
        let cells: [Cell]

        subscript(heading: String) -> Cell {
            get throws {
                let place = try #require(table.head.firstIndex(of: heading), "\(heading) is not among \(table.head)")
                return cells[place]
            }
        }
    }

    private static func between(_ start: String, _ end: String, _ text: String) -> [String] {
        text.components(separatedBy: start).dropFirst().map { $0.components(separatedBy: end)[0] }
    }

    /// What stands between tags, with what is escaped read back.
    private static func plain(_ markup: Substring) -> String {
        String(markup).replacing(/<[^>]*>/, with: "").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
            .replacing("&quot;", with: "\"").replacing("&#39;", with: "'").replacing("&amp;", with: "&")
    }
}

extension ShownTable.Cell {
    /// Whether its numbers are these, each to so many significant digits; whole numbers and those from a thousand on to the last one before
    /// the point.
    func shows(_ values: Double..., digits: Int = 4) -> Bool {
        numbers.count == values.count
            && zip(numbers, values).allSatisfy { shown, value in
                let exponent = value == 0 ? 0 : Int(log10(abs(value)).rounded(.down))
                let isWhole = abs(value) >= 1000 && abs(value) < 1e9
                return abs(shown - value) <= (isWhole ? 0.501 : 0.50001 * pow(10, Double(exponent - digits + 1)))
            }
    }

    /// Whether its numbers are these, to the places that they are written with.
    func isWritten(_ values: Double...) -> Bool {
        numbers.count == values.count && zip(numbers, values).allSatisfy { abs($0 - $1) <= slack }
    }
}

/// A file of comma-separated values without quotation marks: a dictionary for each line.
func table(ofCSV file: URL) throws -> [[String: String]] {
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    return lines.dropFirst().map { Dictionary(uniqueKeysWithValues: zip(lines[0], $0)) }
}

/// What a file of JSON holds.
func object(_ file: URL) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
}

/// The objects of a file with one on each line.
func objects(_ file: URL) throws -> [[String: Any]] {
    try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
        try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
}
