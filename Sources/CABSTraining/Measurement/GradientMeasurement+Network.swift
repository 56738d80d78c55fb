import CABS
import CABSData
import CABSNetwork

extension GradientMeasurement {
    /// A rate to apply CABS at, with its constants.
    struct Rule {
        let learningRate: Double
        var lossFloor = 0.0
        var factor = 1.0
        var epsilon = 0.0
    }

    /// Checks that standard errors can be told of so many examples.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)`` for too few; ``TrainingError/unmeasurable(_:)`` where the data have too
    ///   few.
    static func check(_ exampleCount: Int, named option: String, of data: TrainingData) throws(TrainingError) {
        guard exampleCount >= fewestExamples else {
            throw .invalidOption(
                option: option, value: "\(exampleCount)",
                allowed: "\(fewestExamples) or more: of fewer no standard error can be told")
        }
        guard data.training.count >= fewestExamples else {
            throw .unmeasurable(
                "\(data.name) has \(data.training.count) training examples; of fewer than \(fewestExamples) no standard error can be told"
            )
        }
    }

    /// Measures.
    ///
    /// The gradient of each group is computed twice, so that no more than two are in memory, however many groups there are: first for the sum of
    /// all, then for the product with it.
    ///
    /// - Parameters:
    ///   - network: The network, which measures exactly; nothing in it changes.
    ///   - data: The data.
    ///   - exampleCount: How many training examples to take; all where there are fewer.
    ///   - seed: What the choice of examples, their random changes and dropout follow from.
    ///   - stepCount: The number of updates that the network had.
    ///   - rule: CABS at a learning rate, or why there is none; nothing where its batch size is not asked for.
    ///   - onProgress: Told now and then which part is done.
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)`` for too few examples; ``TrainingError/unmeasurable(_:)`` where the data
    ///   have too few, or losses or gradients are not finite; and what the network throws.
    init(
        of network: Network, on data: TrainingData, exampleCount: Int, seed: UInt64, stepCount: Int?,
        rule: Result<Rule, Uncoupled>?, onProgress: (Double) -> Void = { _ in }
    ) throws {
        try Self.check(exampleCount, named: "the number of examples measured", of: data)
        var order = try ExampleOrder(.shuffled(seed: seed), exampleCount: data.training.count)
        let examples = order.next(min(exampleCount, data.training.count))
        let found = try GroupGradients(
            network, data, examples, groupCount: min(Self.groupCount, examples.count), onProgress)
        let whole = found.moments(of: network.model.parameters.map(\.name))
        self.stepCount = stepCount
        self.exampleCount = examples.count
        groupCount = found.groupCount
        self.seed = seed
        loss = whole.estimate(\.meanLoss)
        noise = GradientNoise(whole)
        let coupled = rule.map { rule in
            Result { () throws(Uncoupled) in try Coupling(rule.get(), whole) }
        }
        coupling = try? coupled?.get()
        uncoupled = if case .failure(let reason)? = coupled { reason } else { nil }
        layers = network.model.parameters.map(\.name).layers.map { name, parameters in
            let moments = found.moments(of: parameters)
            return Layer(
                name: name, noise: GradientNoise(moments), coupling: rule.flatMap { try? Coupling($0.get(), moments) })
        }
        losses = Distribution(of: found.losses)
        gradientNorms = Distribution(of: found.squaredNorms.map { $0.squareRoot() })
        let labels = data.trainingLabels(of: examples)
        classes =
            labels.map { labels in
                (0..<data.training.targetCount).map { label in
                    let places = labels.indices.filter { labels[$0] == label }
                    return ClassPart(
                        name: data.className(label), exampleCount: places.count,
                        loss: Estimate(meanOf: places.map { found.losses[$0] }),
                        secondMoment: Estimate(meanOf: places.map { found.squaredNorms[$0] }))
                }
            } ?? []
        let examined = ExaminedExamples(
            examples: examples, losses: found.losses, squaredNorms: found.squaredNorms, labels: labels, firstDraw: 0)
        (largestLosses, largestGradients) = (
            try examined.measured(examined.largest(Self.listedCount, by: \.losses), in: data, of: network),
            try examined.measured(examined.largest(Self.listedCount, by: \.squaredNorms), in: data, of: network)
        )
        if let failure = data.training.failure { throw failure }
    }
}

extension GradientMeasurement.Coupling {
    /// - Throws: Where the loss is at its floor, or so near that its error reaches it, or the rate so large that numbers overflow.
    init(_ rule: GradientMeasurement.Rule, _ moments: GroupedMoments) throws(GradientMeasurement.Uncoupled) {
        guard (moments.others + [moments.all]).allSatisfy({ $0.meanLoss > rule.lossFloor }) else { throw .lossAtFloor }
        learningRate = rule.learningRate
        lossFloor = rule.lossFloor == 0 ? nil : rule.lossFloor
        factor = rule.factor == 1 ? nil : rule.factor
        epsilon = rule.epsilon == 0 ? nil : rule.epsilon
        batchSize = moments.estimate {
            CoupledAdaptiveBatchSize.rawBatchSize(
                learningRate: rule.learningRate, variance: $0.covarianceTrace, excessLoss: $0.meanLoss - rule.lossFloor,
                factor: rule.factor, epsilon: rule.epsilon)
        }
        polyakSteps = moments.estimate {
            rule.learningRate * $0.gradientSquaredNorm / ($0.meanLoss - rule.lossFloor)
        }
        guard [batchSize, polyakSteps].allSatisfy({ $0.value.isFinite && $0.standardError.isFinite }) else {
            throw .overflow
        }
    }
}

/// The gradients of groups of examples, as far as the statistics need them.
private struct GroupGradients {
    let groupCount: Int
    /// By example.
    private(set) var losses: [Double] = []
    private(set) var squaredNorms: [Double] = []
    /// By parameter, and by group.
    private var groups: [String: [GradientMoments]] = [:]
    private var products: [String: [Double]] = [:]
    private var sumSquaredNorms: [String: Double] = [:]

    init(
        _ network: Network, _ data: TrainingData, _ examples: [Int], groupCount: Int, _ onProgress: (Double) -> Void
    ) throws {
        self.groupCount = groupCount
        let batches = (0..<groupCount).map { group in
            let first = group * examples.count / groupCount
            let end = (group + 1) * examples.count / groupCount
            return DatasetBatch(data.training, indices: Array(examples[first..<end]), firstDraw: UInt64(first))
        }
        var sums: [String: [Double]] = [:]
        for (place, batch) in batches.enumerated() {
            onProgress(0.5 * Double(place) / Double(groupCount))
            let (report, gradient) = try network.gradient(of: batch)
            guard report.isSound else {
                let place = report.firstUnsoundParameter.map { "the gradient of \($0)" } ?? "the loss"
                throw TrainingError.unmeasurable("\(place) is not finite at these parameters")
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

extension [String] {
    /// Parameters by the layers that they belong to, in order: `conv1` has `conv1.weight` and `conv1.bias`.
    fileprivate var layers: [(name: String, parameters: [String])] {
        var layers: [(name: String, parameters: [String])] = []
        for parameter in self {
            let layer = parameter[..<(parameter.lastIndex(of: ".") ?? parameter.endIndex)]
            if layers.last?.name != String(layer) { layers.append((String(layer), [])) }
            layers[layers.count - 1].parameters.append(parameter)
        }
        return layers
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
