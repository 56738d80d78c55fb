/// Names as parts of files' names.
package enum FileName {
    private static let allowed = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-")

    /// The name with a hyphen in place of what not every system takes in a file's name.
    package static func part(_ name: String) -> String { String(name.map { allowed.contains($0) ? $0 : "-" }) }
}
