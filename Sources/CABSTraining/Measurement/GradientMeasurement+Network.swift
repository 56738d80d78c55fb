import CABS
import CABSData
import CABSNetwork

extension GradientMeasurement {
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
    /// - Parameters:
    ///   - network: The network, which measures exactly; nothing in it changes.
    ///   - data: The data.
    ///   - exampleCount: How many training examples to take; all where there are fewer.
    ///   - seed: What the choice of examples follows from, and, with the seeds of data and model, their random changes and dropout.
    ///   - stepCount: The number of updates that the network had.
    ///   - rule: CABS at a learning rate, or why there is none; nothing where its batch size is not asked for.
    ///   - onProgress: Told now and then which part is done.
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)`` for too few examples; ``TrainingError/unmeasurable(_:)`` where the data
    ///   have too few, or losses or gradients are not finite; and what the network throws.
    init(
        of network: any TrainingEngine, on data: TrainingData, exampleCount: Int, seed: UInt64, stepCount: Int?,
        rule: Result<Rule, Uncoupled>?, onProgress: (Double) -> Void = { _ in }
    ) throws {
        try Self.check(exampleCount, named: "the number of examples measured", of: data)
        let sample = try MeasurementSample(exampleCount, of: data.training, seed: seed)
        let found = try GroupGradients(
            of: network, on: sample, groupCount: min(Self.groupCount, sample.examples.count), onProgress)
        let whole = found.moments(of: network.model.parameters.map(\.name))
        self.stepCount = stepCount
        self.exampleCount = sample.examples.count
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
        let examined = ExaminedExamples(
            examples: sample.examples, losses: found.losses, squaredNorms: found.squaredNorms,
            labels: try data.trainingLabels(of: sample.examples), firstDraw: sample.firstDraw)
        classes = examined.classes(of: data)
        (largestLosses, largestGradients) = (
            try examined.measured(examined.largest(Self.listedCount, by: \.losses), in: data, of: network),
            try examined.measured(examined.largest(Self.listedCount, by: \.squaredNorms), in: data, of: network)
        )
    }
}

extension ExaminedExamples {
    /// What there is to say of each class; nothing where values are predicted.
    fileprivate func classes(of data: TrainingData) -> [GradientMeasurement.ClassPart] {
        guard let labels else { return [] }
        return (0..<data.training.target.count).map { label in
            let places = labels.indices.filter { labels[$0] == label }
            return GradientMeasurement.ClassPart(
                name: data.className(label), exampleCount: places.count,
                loss: Estimate(meanOf: places.map { losses[$0] }),
                secondMoment: Estimate(meanOf: places.map { squaredNorms[$0] }))
        }
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
