import CABSData
import CABSNetwork

extension TrainedNetwork {
    /// Measures the noise in the network's gradients on its training examples.
    ///
    /// - Parameters:
    ///   - exampleCount: How many training examples to take; all where there are fewer.
    ///   - seed: What the choice of examples follows from, and, with the seeds of data and model, their random changes and dropout.
    ///   - learningRate: The learning rate to apply CABS at; where not given that of the schedule for the next step, as CABS reads it: before
    ///     it follows the batch size.
    ///   - onProgress: Told now and then which part is done.
    /// - Throws: ``TrainingError`` where it cannot be measured, or the data are not those of the run; and what loading the data and the
    ///   network throw.
    public func measurement(
        exampleCount: Int = 8192, seed: UInt64 = 0, learningRate: Double? = nil,
        onProgress: (Double) -> Void = { _ in }
    ) throws -> GradientMeasurement {
        guard learningRate == nil || configuration.optimizer.update.followsGradient else {
            throw TrainingError.contradiction(
                "learning-rate is for CABS's batch size, which assumes a step along the gradient; Adam does not make one"
            )
        }
        let data = try configuration.loadData(for: storedInput)
        try directory?.origin()?.data.check(data)
        let network = try network(for: configuration.makeModel(for: data), estimator: .exact)
        return try GradientMeasurement(
            of: network, on: data, exampleCount: exampleCount, seed: seed, stepCount: stage?.progress.stepCount,
            rule: rule(at: learningRate, data), onProgress: onProgress)
    }

    /// CABS at a learning rate, with the run's own constants where it was trained by it.
    private func rule(
        at given: Double?, _ data: TrainingData
    ) -> Result<GradientMeasurement.Rule, GradientMeasurement.Uncoupled> {
        let optimizer = configuration.optimizer
        guard optimizer.update.followsGradient else { return .failure(.optimizer) }
        guard let rate = given ?? stage?.learningRate(of: optimizer) else { return .failure(.unknownLearningRate) }
        guard rate > 0 else { return .failure(.zeroLearningRate) }
        return .success(
            GradientMeasurement.Rule(
                learningRate: optimizer.effectiveLearningRate(rate),
                lossFloor: configuration.options.lossFloor ?? data.lossFloor,
                factor: configuration.options.factor ?? 1, epsilon: configuration.options.epsilon ?? 0))
    }
}
