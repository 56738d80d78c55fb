import CABSTraining
import Foundation

/// Where a run's numbers went wrong, as a part of a page.
struct DivergenceSection {
    let divergence: Divergence

    var parts: [HTML] {
        var parts = [HTML("h3", "Where it broke: step \(number(Double(divergence.step)))")]
        if let steps = divergence.recentSteps, !steps.isEmpty { parts += recent(steps) }
        if let batch = divergence.batch { parts += self.batch(batch) }
        return parts.count > 1 ? parts : []
    }

    private static func text(_ value: Double?) -> String { value.map { number($0) } ?? "not finite" }

    /// Where most of an example's gradient is; nothing where several parameters' parts are not finite, of which none is the largest.
    private static func place(_ parameters: [Divergence.Parameter]) -> String {
        let broken = parameters.filter { $0.gradientSquaredNorm == nil }
        let largest =
            broken.count == 1
            ? broken[0] : parameters.max { ($0.gradientSquaredNorm ?? 0) < ($1.gradientSquaredNorm ?? 0) }
        return broken.count > 1 ? "" : largest.map { ", most of it in \($0.name)" } ?? ""
    }

    private func recent(_ steps: [Divergence.Step]) -> [HTML] {
        [
            HTML("p", [("class", "muted")], "The last steps that were made."),
            .table(
                ["step", "batch size", "learning rate", "loss", "second moment", "squared gradient norm"],
                steps.map { step in
                    [
                        number(Double(step.step)), number(Double(step.batchSize)), number(step.learningRate),
                        number(step.loss), step.secondMoment.map { number($0) } ?? "",
                        Self.text(step.gradientSquaredNorm),
                    ]
                }),
        ]
    }

    private func batch(_ batch: Divergence.Batch) -> [HTML] {
        let isMeasured = !batch.gradientNorms.isEmpty
        return [
            HTML(
                "p", [("class", "muted")],
                "The batch of \(number(Double(divergence.batchSize))) examples whose step was not made, by parameter, and the examples "
                    + "that dominate its gradient."),
            .table(
                ["parameter"] + (isMeasured ? ["second moment"] : []) + ["squared gradient norm"],
                batch.parameters.map { parameter in
                    [parameter.name] + (isMeasured ? [Self.text(parameter.secondMoment)] : [])
                        + [Self.text(parameter.gradientSquaredNorm)]
                }),
            .gallery(
                batch.dominating.map { found in
                    (
                        found.example.picture, "training example \(found.example.example)",
                        found.example.caption + Self.place(found.parameters)
                    )
                }),
        ]
    }
}
