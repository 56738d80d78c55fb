import CABS

extension GradientMeasurement {
    /// What was measured over all parameters, a row each, for people to read.
    package var summary: [(name: String, text: String)] {
        [
            ("loss F", loss.text), ("trace T of the gradients' covariance", noise.covarianceTrace.text),
            ("squared norm ‖g‖² of the full gradient", noise.gradientSquaredNorm.text),
            ("noise scale T/‖g‖²", noise.noiseScaleText),
        ] + (coupling?.summary ?? []) + (uncoupled.map { [("CABS's batch size", "none: \($0.reason)")] } ?? [])
    }
}

extension GradientNoise {
    /// The noise scale, for people to read, or that it is unknown.
    package var noiseScaleText: String { noiseScale?.text ?? "unknown: ‖g‖² cannot be told from 0" }
}

extension GradientMeasurement.Coupling {
    fileprivate var summary: [(name: String, text: String)] {
        [
            ("CABS's batch size at rate α = \(learningRate.text(digits: 6))", batchSize.text),
            ("α‖g‖²/\(lossFloor == nil ? "F" : "(F − F*)"), the rate in Polyak steps", polyakSteps.text),
        ] + (constants.map { [("where", $0)] } ?? [])
    }

    /// The constants that are not those of the paper's rule, for people to read; nothing where all are.
    var constants: String? {
        let all = [("F*", lossFloor), ("c", factor), ("ε", epsilon)]
        let given = all.compactMap { name, value in value.map { "\(name) = \($0.text())" } }
        return given.isEmpty ? nil : given.joined(separator: ", ")
    }
}
