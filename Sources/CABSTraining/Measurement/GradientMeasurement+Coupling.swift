import CABS

extension GradientMeasurement {
    /// A rate to apply CABS at, with its constants.
    struct Rule {
        let learningRate: Double
        var lossFloor = 0.0
        var factor = 1.0
        var epsilon = 0.0
    }
}

extension GradientMeasurement.Coupling {
    /// Applies CABS.
    ///
    /// - Throws: Where the loss cannot be told from its floor, or the rate is so large that numbers overflow.
    init(_ rule: GradientMeasurement.Rule, _ moments: GroupedMoments) throws(GradientMeasurement.Uncoupled) {
        // By what stands in a denominator, as for the noise scale; without each group, too, it must be above zero.
        guard moments.estimate({ $0.meanLoss - rule.lossFloor }).isClearlyPositive,
            moments.others.allSatisfy({ $0.meanLoss > rule.lossFloor })
        else { throw .lossAtFloor }
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
