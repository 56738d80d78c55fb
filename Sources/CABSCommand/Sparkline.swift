/// A curve in a line of text: eight heights of blocks, over all that was seen so far.
struct Sparkline {
    private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private let columnCount: Int
    /// Means over stretches of equal length, and how many values each is of; the last one grows.
    private var means: [Double] = []
    private var stretch = 1
    private var lastCount = 0

    /// - Parameter columnCount: How wide the curve is at most.
    init(columnCount: Int = 8) {
        self.columnCount = columnCount
    }

    /// Takes a value in.
    mutating func add(_ value: Double) {
        guard value.isFinite else { return }
        if means.isEmpty || lastCount == stretch {
            if means.count == 2 * columnCount { halve() }
            means.append(value)
            lastCount = 1
        } else {
            lastCount += 1
            means[means.count - 1] += (value - means[means.count - 1]) / Double(lastCount)
        }
    }

    /// Puts two stretches together each, which then are as long as two.
    private mutating func halve() {
        means = Self.pairs(means)
        stretch *= 2
    }

    /// The curve, between the smallest and the largest value seen; empty before there are two.
    var text: String {
        let parts = means.count > columnCount ? Self.pairs(means) : means
        guard parts.count > 1, let low = parts.min(), let high = parts.max() else { return "" }
        return String(
            parts.map { value in
                let part = high > low ? (value - low) / (high - low) : 0
                return Self.blocks[min(Int(part * Double(Self.blocks.count)), Self.blocks.count - 1)]
            })
    }

    /// Numbers of things as bars of that height, a character each; none is a space.
    static func bars(_ counts: [Int]) -> String {
        let most = Double(max(counts.max() ?? 0, 1))
        return String(
            counts.map { count in
                count == 0 ? " " : blocks[min(Int(Double(count) / most * Double(blocks.count)), blocks.count - 1)]
            })
    }

    private static func pairs(_ values: [Double]) -> [Double] {
        stride(from: 0, to: values.count, by: 2).map { index in
            index + 1 < values.count ? (values[index] + values[index + 1]) / 2 : values[index]
        }
    }
}
