/// What the targets of a data set are, which a loss compares outputs with.
public enum TargetSpecification: Hashable, Sendable, CustomStringConvertible {
    /// Each example belongs to one of so many classes. A loss takes class k for K values that are 0 but for a 1 at k, each then
    /// smoothed: `(1 − ε) t + ε / K` (Szegedy et al. 2016, arXiv 1512.00567, section 7).
    case classes(_ count: Int, smoothing: Double = 0)
    /// Each example has so many values, to be predicted or probabilities of classes.
    case values(_ count: Int)

    /// The number of classes, or of values: as many outputs a network must have.
    public var count: Int {
        switch self {
        case .classes(let count, _), .values(let count): count
        }
    }

    /// Whether examples belong to classes.
    public var areClasses: Bool { if case .classes = self { true } else { false } }

    /// For example `10 classes` or `1 value`.
    public var description: String {
        switch self {
        case .classes(let count, _): "\(count) class\(count == 1 ? "" : "es")"
        case .values(let count): "\(count) value\(count == 1 ? "" : "s")"
        }
    }
}

/// What an example's output is compared with.
public enum Target: Hashable, Sendable {
    /// A class, from 0.
    case `class`(Int)
    /// Values.
    case values([Float])
}
