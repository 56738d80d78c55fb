/// A table of text, on a page and in a file of its own.
struct TextTable: Sendable {
    /// What it tells of.
    enum Kind: String, CaseIterable, Sendable {
        case differences, sensitivity, costs, course, results
        case differencesAtEqualRates = "differences-at-equal-rates"
        case equalExamples = "equal-examples"
    }

    let kind: Kind
    let title: String
    /// What its numbers are, in sentences.
    let caption: String
    let head: [String]
    /// The lines, the first cell of each its name.
    let rows: [[String]]

    /// Its caption and lines in Markdown.
    var markdown: String {
        let lines = [head.map(Self.escaped), head.map { _ in "---" }] + rows.map { $0.map(Self.escaped) }
        return "\(Self.escaped(caption))\n\n" + lines.map { "| \($0.joined(separator: " | ")) |\n" }.joined()
    }

    /// Its caption and lines on a page.
    var parts: [HTML] { [HTML("p", [("class", "muted")], caption), .table(head, rows)] }

    /// Text in one line, with what has a meaning in Markdown behind a backslash.
    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            if "\\`*_<>|[]&#".contains(character) { result.append("\\") }
            result.append(character.isNewline ? " " : character)
        }
    }
}
