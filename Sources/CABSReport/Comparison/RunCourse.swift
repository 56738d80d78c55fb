import CABSTraining

/// What a comparison needs of a run's course: means over parts of its examples, and when it came to a loss or an accuracy.
struct RunCourse: Sendable {
    private let points: [RunCurve.Point]

    init(_ points: [RunCurve.Point]) { self.points = points }

    /// The number of examples that the run drew.
    var exampleCount: Int { points.last?.examples ?? 0 }

    /// The mean loss of the run's examples, each before the update that it had a part in: the area under the loss curve by examples. Nothing
    /// where a loss was no number.
    var meanLoss: Double? { meanLoss(after: 0, to: exampleCount) }

    /// The mean loss of the examples of a stretch; nothing where the run ended before, or a loss was no number.
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
        guard end > start, end <= exampleCount else { return nil }
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

    /// What was spent when an evaluation first had this accuracy, by the end of the part of the run that it lies in.
    func cost(ofAccuracy accuracy: Double) -> Cost? { cost { $0.testAccuracy.map { $0 >= accuracy } ?? false } }

    /// What was spent when the mean loss over a part of the run was first as low.
    func cost(ofLoss loss: Double) -> Cost? { cost { $0.loss.map { $0 <= loss } ?? false } }

    private func cost(of isReached: (RunCurve.Point) -> Bool) -> Cost? {
        points.first(where: isReached).map { Cost(examples: $0.examples, seconds: $0.trainingSeconds) }
    }
}
