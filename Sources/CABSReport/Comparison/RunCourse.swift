import CABSTraining

/// What a comparison needs of a run's course: means over parts of its examples, and when it came to a loss or an accuracy.
struct RunCourse: Sendable {
    private let points: [RunCurve.Point]

    init(_ points: [RunCurve.Point]) { self.points = points }

    /// The number of examples that the run drew; none where its course is not known.
    var exampleCount: Int { points.last?.examples ?? 0 }

    /// The mean loss of the examples of a stretch, each before the update that it had a part in; nothing where the run ended before, or a loss
    /// was no number.
    ///
    /// - Parameters:
    ///   - start: The number of examples before the stretch.
    ///   - end: The number of examples at its end.
    func meanLoss(after start: Int, to end: Int) -> Double? {
        mean(after: start, to: end) { $0.loss }
    }

    /// The mean batch size of a stretch, its examples by its steps; nothing where the run ended before.
    func meanBatchSize(after start: Int, to end: Int) -> Double? {
        mean(after: start, to: end) { 1 / $0.batchSize }.map { 1 / $0 }
    }

    /// The mean over the examples of a stretch. A part of the run that lies in it with some of its examples counts by these.
    private func mean(after start: Int, to end: Int, of value: (RunCurve.Point) -> Double?) -> Double? {
        // A budget of examples may end a few before another's.
        guard end > start, end <= exampleCount + exampleCount / 100 else { return nil }
        var (sum, count, before) = (0.0, 0, 0)
        for point in points {
            let inside = min(point.examples, end) - max(before, start)
            before = point.examples
            guard inside > 0 else { continue }
            guard let value = value(point) else { return nil }
            sum += Double(inside) * value
            count += inside
        }
        return count > 0 ? sum / Double(count) : nil
    }

    /// What a run had spent when it came to something.
    struct Cost: Sendable, Hashable {
        let examples: Int
        let seconds: Double
    }

    /// Whether a run came to something.
    enum Arrival: Sendable, Hashable {
        /// By the end of the part of the run in which it did.
        case reached(Cost)
        case notReached
        /// What would tell was not measured, or not kept.
        case unknown
    }

    /// When an evaluation first had an accuracy.
    ///
    /// - Parameters:
    ///   - accuracy: The accuracy.
    ///   - last: That after the last step, which the course need not have.
    func arrival(atAccuracy accuracy: Double, last: Double?) -> Arrival {
        guard let end = points.last, last != nil || points.contains(where: { $0.testAccuracy != nil }) else {
            return .unknown
        }
        let point = points.first { $0.testAccuracy.map { $0 >= accuracy } ?? false }
        return (point ?? (last.map { $0 >= accuracy } ?? false ? end : nil)).map(Self.reached) ?? .notReached
    }

    /// When the mean loss over so many examples was first as low.
    func arrival(atLoss loss: Double, over width: Int) -> Arrival {
        guard points.contains(where: { $0.loss != nil }) else { return .unknown }
        let point = points.first { point in
            point.examples >= width
                && meanLoss(after: point.examples - width, to: point.examples).map { $0 <= loss } ?? false
        }
        return point.map(Self.reached) ?? .notReached
    }

    private static func reached(_ point: RunCurve.Point) -> Arrival {
        .reached(Cost(examples: point.examples, seconds: point.trainingSeconds))
    }
}
