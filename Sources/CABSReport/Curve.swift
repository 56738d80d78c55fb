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
    ///   - value: The value of a part from the averages over it; nothing where there is none.
    init(
        averaging runs: [[Sample]], pointCount: Int = largestPointCount,
        of value: (Averages.Part) -> Double? = { $0.first }
    ) {
        let averages = runs.filter { !$0.isEmpty }.map { samples in
            var extent = Averages.Extent()
            for sample in samples { extent.add(sample) }
            return (samples, extent)
        }
        let count = min(averages.map(\.1.sampleCount).min() ?? 0, pointCount)
        self.init(
            joining: averages.map { samples, extent in
                var averages = Averages(over: extent, partCount: count)
                for sample in samples { averages.add(sample) }
                return averages.parts.map { Bin(x: $0.x, y: value($0)) }
            })
    }

    /// What was measured over a part of a run.
    struct Sample {
        /// How much of the run it covers, such as the number of examples; its weight in averages.
        let extent: Double
        /// Where it lies on the horizontal axis.
        let x: Double
        /// The values; the second is 0 where there is one.
        let first: Double
        var second = 0.0
    }

    /// A part of one run.
    struct Bin: Sendable, Hashable {
        let x: Double
        let y: Double?
    }

    /// A run in parts of equal extent, with the averages over each. A sample that reaches over several parts counts in each by the extent that lies
    /// there.
    struct Averages {
        /// How much of a run there are samples of.
        struct Extent {
            private(set) var sampleCount = 0
            private(set) var total = 0.0

            mutating func add(_ sample: Sample) {
                sampleCount += 1
                total += sample.extent
            }
        }

        /// The averages over a part.
        struct Part: Hashable {
            let x: Double
            let first: Double
            let second: Double
        }

        private let width: Double
        private var sums: [(weight: Double, x: Double, first: Double, second: Double)]
        private var start = 0.0

        /// - Parameter extent: That of all samples that will be added.
        init(over extent: Extent, partCount: Int) {
            let partCount = extent.total > 0 ? partCount : 0
            width = extent.total / Double(partCount)
            sums = Array(repeating: (0, 0, 0, 0), count: partCount)
        }

        /// Takes the next sample in.
        mutating func add(_ sample: Sample) {
            guard !sums.isEmpty else { return }
            let end = start + sample.extent
            let last = sums.count - 1
            for part in min(Int(start / width), last)...min(Int(end / width), last) {
                let weight = min(end, Double(part + 1) * width) - max(start, Double(part) * width)
                guard weight > 0 else { continue }
                sums[part].weight += weight
                sums[part].x += weight * sample.x
                sums[part].first += weight * sample.first
                sums[part].second += weight * sample.second
            }
            start = end
        }

        /// The parts that have samples.
        var parts: [Part] {
            sums.filter { $0.weight > 0 }.map {
                Part(x: $0.x / $0.weight, first: $0.first / $0.weight, second: $0.second / $0.weight)
            }
        }
    }
}
