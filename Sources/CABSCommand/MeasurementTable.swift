import CABSTerminal
import CABSTraining

/// What was measured of a network's gradients, as text.
struct MeasurementTable {
    let title: String
    let measurement: GradientMeasurement

    /// How many of the largest losses and gradients are shown; the file has more.
    private static let listedCount = 10
    /// Of more classes those with the largest gradients are shown.
    private static let largestClassCount = 12

    /// The lines.
    var lines: [String] {
        var lines = [
            title,
            "\(measurement.exampleCount) training examples, \(measurement.groupCount) groups, seed \(measurement.seed); ± is one standard error",
            "",
        ]
        lines += whole + [""] + layers + [""]
        lines += distribution("losses", measurement.losses) + distribution("gradient norms", measurement.gradientNorms)
        if !measurement.classes.isEmpty { lines += [""] + classes }
        lines += examples("largest gradients", measurement.largestGradients)
        lines += examples("largest losses", measurement.largestLosses)
        return lines
    }

    private var whole: [String] {
        TextColumns.lines(measurement.summary.map { [$0.name, $0.text] })
            + (measurement.uncoupled.flatMap(Self.remedy).map { ["  \($0)"] } ?? [])
    }

    private static func remedy(_ flaw: GradientMeasurement.Uncoupled) -> String? {
        switch flaw {
        case .zeroLearningRate, .unknownLearningRate: "add --learning-rate"
        case .optimizer, .lossAtFloor, .overflow: nil
        }
    }

    private var layers: [String] {
        let hasCoupling = measurement.coupling != nil
        return table(
            ["layer", "T", "‖g‖²", "noise scale"] + (hasCoupling ? ["part of CABS's"] : []),
            measurement.layers.map { layer in
                [
                    layer.name, layer.noise.covarianceTrace.text, layer.noise.gradientSquaredNorm.text,
                    layer.noise.noiseScale?.text ?? "unknown",
                ] + (hasCoupling ? [layer.coupling?.batchSize.text ?? ""] : [])
            })
    }

    private func distribution(_ name: String, _ distribution: Distribution) -> [String] {
        guard distribution.maximum > 0 else { return ["\(name): all 0"] }
        let marks = [distribution.minimum, distribution.lowerQuartile, distribution.median, distribution.upperQuartile]
        return [
            "\(name): \(Sparkline.bars(distribution.counts)) from \(distribution.edges[0].text()) to \(distribution.maximum.text()), "
                + "in equal ratios",
            "  smallest \(marks[0].text()), quartiles \(marks[1...].map { $0.text() }.joined(separator: ", ")), mean \(distribution.mean.text())",
        ]
    }

    private var classes: [String] {
        let shown = measurement.classes.sorted { ($0.secondMoment?.value ?? 0) > ($1.secondMoment?.value ?? 0) }
            .prefix(Self.largestClassCount)
        let note = shown.count < measurement.classes.count ? " (of \(measurement.classes.count))" : ""
        return table(
            ["class\(note)", "examples", "loss", "squared norm"],
            shown.map { part in
                [
                    part.name.printable, "\(part.exampleCount)", part.loss?.text ?? "",
                    part.secondMoment?.text ?? "",
                ]
            })
    }

    private func examples(_ name: String, _ examples: [MeasuredExample]) -> [String] {
        let rows = examples.prefix(Self.listedCount).map { example -> [String] in
            [
                "\(example.example)", example.loss?.text() ?? "", example.gradientNorm?.text() ?? "",
                example.partOfSecondMoment.map { "\((100 * $0).text()) %" } ?? "", example.label?.printable ?? "",
                example.predicted?.printable ?? "",
            ]
        }
        return ["", "\(name):"]
            + table(["example", "loss", "norm", "of the second moment", "class", "taken for"], Array(rows))
    }

    /// Columns without those that nothing stands in.
    private func table(_ head: [String], _ rows: [[String]]) -> [String] {
        let columns = head.indices.filter { column in !rows.allSatisfy { $0[column].isEmpty } }
        return TextColumns.lines(([head] + rows).map { row in columns.map { row[$0] } })
    }
}
