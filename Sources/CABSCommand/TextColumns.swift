/// Rows of text as lines: columns as wide as what stands in them, two spaces between.
enum TextColumns {
    /// The lines.
    ///
    /// - Parameters:
    ///   - rows: The rows, the head first; what a row has beyond the head's columns stands behind them as it is.
    ///   - leadingCount: How many columns stand to the left, as words do; the others, of numbers, to the right.
    static func lines(_ rows: [[String]], leadingCount: Int = .max) -> [String] {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column < leadingCount ? cell.0 + space : space + cell.0
            }
            return (cells + row.dropFirst(widths.count)).joined(separator: "  ").replacing(/\s+$/, with: "")
        }
    }
}
