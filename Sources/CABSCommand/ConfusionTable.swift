import CABSTerminal
import CABSTraining

/// What a network takes for what, as text.
struct ConfusionTable {
    let confusion: Confusion

    /// Of more classes there is no matrix that anybody reads, but the most frequent mistakes.
    private static let largestMatrix = 12
    private static let listedCount = 10

    /// The lines.
    var lines: [String] {
        let names = confusion.classNames.map(\.printable)
        let width = min(max(names.map(\.count).max() ?? 0, 5), 40)
        func padded(_ text: String, _ width: Int) -> String {
            String(repeating: " ", count: max(0, width - text.count)) + text.prefix(width)
        }
        var lines = ["accuracy by class:"]
        lines += names.indices.map { label in
            "  " + padded(names[label], width) + "  "
                + (confusion.accuracy(of: label).map { decimal($0, 4) } ?? "no test examples")
                + "  of \(confusion.counts[label].reduce(0, +))"
        }
        if names.count <= Self.largestMatrix {
            lines.append("rows are classes, columns what they were taken for:")
            lines.append("  " + padded("", width) + names.map { padded($0, 6) }.joined())
            lines += names.indices.map { label in
                "  " + padded(names[label], width) + confusion.counts[label].map { padded("\($0)", 6) }.joined()
            }
        }
        let frequent = confusion.mostFrequent(Self.listedCount)
        if !frequent.isEmpty { lines.append("most frequent mistakes:") }
        lines += frequent.map { "  \($0.count) of \(names[$0.actual]) taken for \(names[$0.predicted])" }
        return lines
    }
}
