/// Words of commands that are printed for people to paste.
public enum ShellWord {
    /// A text as a shell takes it for one word, in quotation marks only where it needs them.
    public static func quoted(_ text: String) -> String {
        // A word that begins with a hyphen would be an option.
        let text = text.hasPrefix("-") ? "./\(text)" : text
        let isPlain = !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || "/._-+=,@%:".contains($0) }
        return isPlain ? text : "'\(text.replacing("'", with: "'\\''"))'"
    }
}
