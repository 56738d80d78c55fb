extension Double {
    /// The shortest text that stands for the number, without a fraction where there is none: `1` and `0.05`.
    package var shortest: String { self == rounded() && abs(self) < 1e15 ? "\(Int(self))" : "\(self)" }
}
