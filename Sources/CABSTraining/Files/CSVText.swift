/// Text with values between commas, quoted where they need it (RFC 4180).
enum CSVText {
    /// A value as it stands in a line, in quotation marks where it needs them.
    static func quoted(_ value: String) -> String {
        guard value.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline }) else { return value }
        return "\"\(value.replacing("\"", with: "\"\""))\""
    }

    /// The values by line. Empty lines are left out.
    static func lines(_ text: String) -> [[String]] {
        var lines: [[String]] = []
        var (line, value) = ([String](), "")
        var isQuoted = false
        var rest = text[...]
        func endLine() {
            line.append(value)
            if line != [""] { lines.append(line) }
            (line, value) = ([], "")
        }
        while let character = rest.popFirst() {
            switch character {
            case "\"" where isQuoted && rest.first == "\"": value.append(rest.removeFirst())
            case "\"": isQuoted.toggle()
            case "," where !isQuoted:
                line.append(value)
                value = ""
            case _ where character.isNewline && !isQuoted: endLine()
            default: value.append(character)
            }
        }
        endLine()
        return lines
    }
}
