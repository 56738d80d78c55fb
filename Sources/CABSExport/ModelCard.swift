import CABSTraining
import Foundation

/// What people read of a network: what it is, how it was trained, what it is worth, and how to repeat that.
struct ModelCard {
    let text: String

    /// - Parameter isAverage: Whether the parameters are the average that the run kept.
    init(_ trained: TrainedNetwork, _ model: Model, _ input: InputDescription, isAverage: Bool) {
        let (configuration, options) = (trained.configuration, trained.configuration.options)
        let summary = trained.summary
        let accuracy = isAverage ? summary?.averageTestAccuracy : summary?.testAccuracy
        let loss = isAverage ? summary?.averageTestLoss : summary?.testLoss
        var results = ["| | |", "| --- | --- |"]
        func add(_ name: String, _ value: String?) { if let value { results.append("| \(name) | \(value) |") } }
        add("test accuracy", accuracy.map { String(format: "%.4f", $0) })
        add("test loss", loss.map { String(format: "%.4f", $0) })
        add("training loss, over the last tenth", summary?.trainingLoss.map { String(format: "%.4f", $0) })
        add("examples drawn", summary.map { "\($0.examples)" })
        add("steps", summary.map { "\($0.steps)" })
        add(
            "batch size, first and last",
            summary.flatMap { summary in
                summary.firstBatchSize.flatMap { first in summary.nextBatchSize.map { "\(first), \($0)" } }
            })
        let rate = "\(options.learningRate!)"
        let tag =
            input.predictsValues
            ? "tabular-regression" : model.inputShape.isImage ? "image-classification" : "tabular-classification"
        let name = configuration.dataset.rawValue
        let index = accuracy.map { accuracy in
            """
            model-index:
            - name: \(configuration.model.name)
              results:
              - task: {type: \(tag)}
                dataset: {name: \(name), type: \(name)}
                metrics:
                - {type: accuracy, value: \(accuracy)}

            """
        }
        let resultsSection = summary == nil ? "" : "## Results\n\n" + results.joined(separator: "\n") + "\n\n"
        text = """
            ---
            library_name: pytorch
            pipeline_tag: \(tag)
            tags: [swift-cabs, adaptive-batch-size]
            \(index ?? "")---

            # \(configuration.model.name) on \(configuration.dataset.rawValue)

            A network of \(model.parameterCount) parameters, trained by swift-cabs with the batch-size rule `\(options.batchSize!)`, the optimiser
            `\(options.optimizer!)`, learning rate \(rate) (\(options.learningRateSchedule!)), weight decay \(options.weightDecay!) and seed \(options.seed!). These are
            \(isAverage ? "the average of its parameters" : "its parameters") \(trained.state.isEmpty ? "of a file" : trained.state).

            \(resultsSection)## Use

            ```python
            from model import load

            network = load()
            scores = network.scores(images)  # \(input.inputText)
            ```

            ## To repeat it

            ```
            cabs train --config config.yaml
            ```

            The file `config.yaml` has every option\(configuration.dataset.isOwn ? "; the data are the author's own" : "").

            """
    }
}

extension ExampleShape {
    fileprivate var isImage: Bool { if case .image = self { true } else { false } }
}
