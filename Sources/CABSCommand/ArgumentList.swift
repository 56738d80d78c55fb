/// What the shell hands over.
enum ArgumentList {
    /// With `--tolerance -1` as `--tolerance=-1`: the library takes whatever begins with a hyphen for an option, and would say that the value
    /// is missing instead of what it may be.
    static func joined(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        return arguments[..<end].reduce(into: [String]()) { joined, argument in
            if let option = joined.last, option.hasPrefix("--"), !option.contains("="),
                argument.wholeMatch(of: /-[0-9.].*/) != nil
            {
                joined[joined.count - 1] = "\(option)=\(argument)"
            } else {
                joined.append(argument)
            }
        } + arguments[end...]
    }
}
