/// A line of a figure: the mean over runs, with the smallest and largest value at each place.
struct Curve: Sendable, Hashable {
    /// One place.
    struct Point: Sendable, Hashable {
        var x: Double
        var y: Spread
    }

    var points: [Point]

    /// The most points that a curve has.
    static let largestPointCount = 150

    init(_ points: [Point]) { self.points = points }

    /// Joins the curves of several runs point by point, as far as all go: the first with the first, and so on.
    init(joining runs: [[Bin]]) {
        let count = runs.map(\.count).min() ?? 0
        points = (0..<count).compactMap { index in
            let bins = runs.map { $0[index] }
            guard let y = Spread(bins.compactMap(\.y)) else { return nil }
            return Point(x: bins.map(\.x).reduce(0, +) / Double(bins.count), y: y)
        }
    }

    /// Splits each run into equally long parts, as many for all, and joins the averages over them.
    ///
    /// - Parameters:
    ///   - runs: The samples of each run, in order.
    ///   - pointCount: The most points; fewer where a run has fewer samples.
    ///   - value: The value of a bin from the averages over it; nothing where there is none.
    init(
        averaging runs: [[Sample]], pointCount: Int = largestPointCount, of value: ([Double]) -> Double? = { $0[0] }
    ) {
        let runs = runs.filter { !$0.isEmpty }
        let count = min(runs.map(\.count).min() ?? 0, pointCount)
        self.init(
            joining: runs.map { samples in
                Self.averages(of: samples, binCount: count).map { Bin(x: $0.x, y: value($0.values)) }
            })
    }

    /// What was measured over a part of a run.
    struct Sample {
        /// How much of the run it covers, such as the number of examples; its weight in averages.
        let extent: Double
        /// Where it lies on the horizontal axis.
        let x: Double
        /// The values.
        let values: [Double]
    }

    /// A part of one run.
    struct Bin: Sendable, Hashable {
        let x: Double
        let y: Double?
    }

    /// Splits a run into parts of equal extent and averages over each. A sample that reaches over several parts counts in each by the
    /// extent that lies there.
    static func averages(of samples: [Sample], binCount: Int) -> [(x: Double, values: [Double])] {
        let total = samples.reduce(0) { $0 + $1.extent }
        guard let first = samples.first, binCount > 0, total > 0 else { return [] }
        let width = total / Double(binCount)
        var weights = [Double](repeating: 0, count: binCount)
        var sums = [(x: Double, values: [Double])](
            repeating: (0, [Double](repeating: 0, count: first.values.count)), count: binCount)
        var start = 0.0
        for sample in samples {
            let end = start + sample.extent
            let bins = min(Int(start / width), binCount - 1)...min(Int(end / width), binCount - 1)
            for bin in bins {
                let weight = min(end, Double(bin + 1) * width) - max(start, Double(bin) * width)
                guard weight > 0 else { continue }
                weights[bin] += weight
                sums[bin].x += weight * sample.x
                for index in sample.values.indices { sums[bin].values[index] += weight * sample.values[index] }
            }
            start = end
        }
        return zip(sums, weights).filter { $0.1 > 0 }.map { sum, weight in
            (sum.x / weight, sum.values.map { $0 / weight })
        }
    }
}
