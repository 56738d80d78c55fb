import Foundation

/// How positive numbers are distributed: quantiles, and a histogram.
public struct Distribution: Sendable, Hashable, Codable {
    /// The mean.
    public let mean: Double
    /// The smallest value.
    public let minimum: Double
    /// A quarter of the values is not above it.
    public let lowerQuartile: Double
    /// Half of the values is not above it.
    public let median: Double
    /// Three quarters of the values are not above it.
    public let upperQuartile: Double
    /// The largest value.
    public let maximum: Double
    /// The bounds of the histogram's bins, one more than bins, in equal ratios; the first bin has all that is below it, too.
    public let edges: [Double]
    /// The number of values in each bin.
    public let counts: [Int]

    private static let binCount = 24
    /// The lowest bound is that of so small a part of the values, or this much of the largest value, whichever is more.
    private static let lowestPart = 0.005
    private static let lowestRatio = 1e-6

    /// - Parameter values: One value at least, all finite and not negative.
    init(of values: [Double]) {
        let sorted = values.sorted()
        func quantile(_ part: Double) -> Double { sorted[Int((part * Double(sorted.count - 1)).rounded())] }
        mean = values.reduce(0, +) / Double(values.count)
        (minimum, maximum) = (sorted[0], sorted[sorted.count - 1])
        (lowerQuartile, median, upperQuartile) = (quantile(0.25), quantile(0.5), quantile(0.75))
        let top = maximum > 0 ? maximum : 1
        let bottom = min(max(quantile(Self.lowestPart), Self.lowestRatio * top), top / 2)
        let ratio = top / bottom
        func edge(_ index: Int) -> Double { bottom * pow(ratio, Double(index) / Double(Self.binCount)) }
        edges = (0..<Self.binCount).map(edge) + [top]
        var counts = [Int](repeating: 0, count: Self.binCount)
        var bin = 0
        for value in sorted {
            while bin < Self.binCount - 1, value > edges[bin + 1] { bin += 1 }
            counts[bin] += 1
        }
        self.counts = counts
    }
}
