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
        [
            HTML(
                "p", [("class", "muted")],
                "The batch of \(number(Double(divergence.batchSize))) examples whose step was not made, by parameter, and the examples "
                    + "that dominate its gradient."),
            .table(
                ["parameter", "second moment", "squared gradient norm"],
                batch.parameters.map { [$0.name, Self.text($0.secondMoment), Self.text($0.gradientSquaredNorm)] }),
            .gallery(
                batch.dominating.map { found in
                    let largest = found.parameters.max {
                        ($0.gradientSquaredNorm ?? .infinity) < ($1.gradientSquaredNorm ?? .infinity)
                    }
                    let most = largest.map { ", most of it in \($0.name)" } ?? ""
                    return (
                        found.example.picture, "training example \(found.example.example)", found.example.caption + most
                    )
                }),
        ]
    }
}
