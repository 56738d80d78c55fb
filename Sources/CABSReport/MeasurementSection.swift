import CABS
import CABSTraining
import Foundation

/// What was measured of a network's gradients, as a part of a page.
struct MeasurementSection {
    let measurement: GradientMeasurement

    var parts: [HTML] {
        let steps = measurement.stepCount.map { " after \(number(Double($0))) steps" } ?? ""
        var parts = [
            HTML("h3", "Noise in the gradients\(steps)"),
            HTML(
                "p", [("class", "muted")],
                "Of \(number(Double(measurement.exampleCount))) training examples, changed at random as training changes them. ± is one standard error, "
                    + "of the jackknife over \(measurement.groupCount) groups of examples; by class, of a mean."),
            whole, layers,
            histogram("Losses of examples", measurement.losses),
            histogram("Norms of examples' gradients", measurement.gradientNorms),
        ]
        if !measurement.classes.isEmpty { parts.append(classes) }
        parts += gallery("The largest gradients", measurement.largestGradients)
        parts += gallery("The largest losses", measurement.largestLosses)
        return parts
    }

    private var whole: HTML {
        .table(["all parameters", ""], measurement.summary.map { [$0.name, $0.text] })
    }

    private var layers: HTML {
        let hasCoupling = measurement.coupling != nil
        return .table(
            ["layer", "T", "‖g‖²", "noise scale"]
                + (hasCoupling ? ["its part of CABS's size", "of the Polyak steps"] : []),
            measurement.layers.map { layer in
                let coupling = layer.coupling.map { [$0.batchSize.text, $0.polyakSteps.text] }
                return [
                    layer.name, layer.noise.covarianceTrace.text, layer.noise.gradientSquaredNorm.text,
                    layer.noise.noiseScale?.text ?? "unknown",
                ] + (hasCoupling ? coupling ?? ["", ""] : [])
            })
    }

    /// Bars whose heights are parts of the highest.
    private func histogram(_ title: String, _ distribution: Distribution) -> HTML {
        guard distribution.maximum > 0 else { return HTML("p", "\(title): all 0.") }
        let most = Double(max(distribution.counts.max() ?? 0, 1))
        let bars = distribution.counts.enumerated().map { index, count in
            let range = distribution.edges[index...(index + 1)].map { number($0, digits: 3) }.joined(separator: " to ")
            return HTML(
                "span",
                [
                    ("style", "height: \(number(100 * Double(count) / most, digits: 3))%"),
                    ("title", "\(range): \(count)"),
                ],
                "")
        }
        let marks = [distribution.lowerQuartile, distribution.median, distribution.upperQuartile]
        let words =
            "\(number(distribution.edges[0], digits: 3)) to \(number(distribution.maximum, digits: 3)) in equal ratios, what is smaller in the "
            + "first bar. Quartiles \(marks.map { number($0, digits: 3) }.joined(separator: ", ")), mean "
            + "\(number(distribution.mean, digits: 3))."
        return HTML(
            "figure",
            [
                HTML("div", [("class", "histogram"), ("role", "img"), ("aria-label", "\(title). \(words)")], bars),
                HTML("figcaption", [HTML("strong", "\(title)."), HTML(markup: " " + HTML.escaped(words))]),
            ])
    }

    private var classes: HTML {
        .table(
            ["class", "examples", "loss", "squared norm of an example's gradient"],
            measurement.classes.map { part in
                [
                    part.name, number(Double(part.exampleCount)), part.loss?.text ?? "", part.secondMoment?.text ?? "",
                ]
            })
    }

    private func gallery(_ title: String, _ examples: [MeasuredExample]) -> [HTML] {
        [
            HTML("h3", title),
            .gallery(
                examples.map { ($0.picture, "training example \($0.example)", $0.caption) }),
        ]
    }
}

extension MeasuredExample {
    /// What there is to say of it, on a page.
    var caption: String {
        let taken = predicted.map { $0 == label ? "" : ", taken for \($0)" } ?? ""
        return [
            label.map { $0 + taken },
            "loss \(loss.map { number($0, digits: 3) } ?? "not finite")",
            "gradient \(gradientNorm.map { number($0, digits: 3) } ?? "not finite or not measured")",
            partOfSecondMoment.map { "\(number(100 * $0, digits: 2)) % of the second moment" },
        ].compactMap(\.self).joined(separator: ", ")
    }
}
