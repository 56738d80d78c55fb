import CABS
import CABSData
import CABSNetwork

/// The gradients of groups of examples, as far as the statistics need them.
struct GroupGradients {
    let groupCount: Int
    /// By example.
    private(set) var losses: [Double] = []
    private(set) var squaredNorms: [Double] = []
    /// By parameter, and by group.
    private var groups: [String: [GradientMoments]] = [:]
    private var products: [String: [Double]] = [:]
    private var sumSquaredNorms: [String: Double] = [:]

    /// Measures.
    ///
    /// The gradient of each group is computed twice, so that no more than two are in memory, however many groups there are: first for the sum of
    /// all, then for the product with it.
    ///
    /// - Throws: ``TrainingError/unmeasurable(_:)`` where losses or gradients are not finite, and what the network throws.
    init(
        of network: any TrainingEngine, on sample: MeasurementSample, groupCount: Int, _ onProgress: (Double) -> Void
    ) throws {
        self.groupCount = groupCount
        let batches = (0..<groupCount).map { sample.batch(sample.places(ofGroup: $0, of: groupCount)) }
        var sums: [String: [Double]] = [:]
        for (place, batch) in batches.enumerated() {
            onProgress(0.5 * Double(place) / Double(groupCount))
            let (report, gradient) = try network.gradient(of: batch)
            guard report.isSound else {
                let place = report.firstUnsoundParameter.map { "the gradient of \($0)" } ?? "the loss"
                throw TrainingError.unmeasurable("\(place) is not finite or too large at these parameters")
            }
            losses += report.exampleLosses
            squaredNorms += report.exampleSquaredNorms
            for (name, tensor) in gradient.elements {
                sums[name, default: [Double](repeating: 0, count: tensor.values.count)]
                    .add(tensor.values, times: Double(batch.count))
            }
            for parameter in report.parameters {
                let count = Double(batch.count)
                groups[parameter.name, default: []].append(
                    GradientMoments(
                        exampleCount: batch.count, lossSum: report.exampleLosses.reduce(0, +),
                        squaredNormSum: parameter.secondMoment * count,
                        sumSquaredNorm: parameter.gradientSquaredNorm * count * count))
            }
        }
        sumSquaredNorms = sums.mapValues { $0.reduce(0) { $0 + $1 * $1 } }
        for (place, batch) in batches.enumerated() {
            onProgress(0.5 + 0.5 * Double(place) / Double(groupCount))
            for (name, tensor) in try network.gradient(of: batch).gradient.elements {
                products[name, default: []].append(Double(batch.count) * sums[name]!.product(with: tensor.values))
            }
        }
    }

    /// The moments over some parameters.
    func moments(of parameters: [String]) -> GroupedMoments {
        let parts = (0..<groupCount).map { group in
            let parts = parameters.map { groups[$0]![group] }
            var sum = parts[0]
            sum.squaredNormSum = parts.reduce(0) { $0 + $1.squaredNormSum }
            sum.sumSquaredNorm = parts.reduce(0) { $0 + $1.sumSquaredNorm }
            return sum
        }
        return GroupedMoments(
            parts, sumSquaredNorm: parameters.reduce(0) { $0 + sumSquaredNorms[$1]! },
            products: (0..<groupCount).map { group in parameters.reduce(0) { $0 + products[$1]![group] } })
    }
}

extension [Double] {
    /// Adds a multiple of other values, in double precision.
    fileprivate mutating func add(_ values: [Float], times factor: Double) {
        for index in indices { self[index] += factor * Double(values[index]) }
    }

    /// The inner product, in double precision.
    fileprivate func product(with values: [Float]) -> Double {
        var sum = 0.0
        for index in indices { sum += self[index] * Double(values[index]) }
        return sum
    }
}
