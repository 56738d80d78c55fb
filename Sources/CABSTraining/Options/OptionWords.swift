extension TrainingOptions {
    /// What an option may be, where it is one of some words.
    ///
    /// - Parameter name: The option's name in files.
    static func words(of name: String) -> [String]? {
        let property = Mirror(reflecting: Self()).children.first { $0.label?.withHyphens == name }
        return property.flatMap { (type(of: $0.value) as? any OneOfWords.Type)?.words }
    }
}

/// A value that is one of some words, or is not given.
private protocol OneOfWords {
    static var words: [String] { get }
}

extension Optional: OneOfWords where Wrapped: CaseIterable & RawRepresentable, Wrapped.RawValue == String {
    static var words: [String] { Wrapped.allCases.map(\.rawValue) }
}
