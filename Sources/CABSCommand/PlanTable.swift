import CABSTraining
import Foundation

/// How a network would compute each of its layers here: what `cabs bench --plan` prints.
struct PlanTable {
    let name: String
    let model: Model
    let estimator: GradientEstimator

    /// For people: a heading, and a line for each computation.
    func text() throws -> String {
        var lines = [
            "\(name) on \(model.inputShape.withArticle), estimator \(estimator.rawValue), \(InstructionSet.effective.rawValue), "
                + "oneDNN \(OneDNN.version)"
        ]
        for layer in try plan() {
            if layer.computations.isEmpty { lines.append(line(layer.name, "", "each value by itself", [])) }
            for computation in layer.computations {
                lines.append(
                    line(layer.name, computation.purpose.rawValue, computation.way, computation.implementations))
            }
        }
        let rows = try Network.largestBatchExchangedAsRows(of: model)
        lines.append(
            line(
                "ranks", "exchange",
                rows > 0 ? "rows of dense layers up to batches of \(rows), else gradients" : "gradients", []))
        return lines.joined(separator: "\n")
    }

    /// For programs: one JSON object on one line.
    func json() throws -> String {
        struct Computation: Encodable {
            let layer: String
            let computation: String
            let way: String
            let implementations: [String]
        }
        struct Plan: Encodable {
            let model: String
            let estimator: String
            let instruction_set: String
            let onednn: String
            let plan: [Computation]
            let largest_batch_exchanged_as_rows: Int
        }
        let computations = try plan().flatMap { layer in
            layer.computations.map {
                Computation(
                    layer: layer.name, computation: $0.purpose.rawValue, way: $0.way,
                    implementations: $0.implementations)
            }
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let plan = Plan(
            model: name, estimator: estimator.rawValue, instruction_set: InstructionSet.effective.rawValue,
            onednn: OneDNN.version, plan: computations,
            largest_batch_exchanged_as_rows: try Network.largestBatchExchangedAsRows(of: model))
        return String(decoding: try encoder.encode(plan), as: UTF8.self)
    }

    private func plan() throws -> [PlannedLayer] { try Network.plan(of: model, estimator: estimator) }

    private func line(_ layer: String, _ computation: String, _ way: String, _ implementations: [String]) -> String {
        let columns = [
            "  " + layer.padding(toLength: 13, withPad: " ", startingAt: 0),
            computation.padding(toLength: 16, withPad: " ", startingAt: 0),
            way.padding(toLength: 37, withPad: " ", startingAt: 0),
            implementations.joined(separator: " "),
        ]
        return columns.joined(separator: " ").replacing(/\s+$/, with: "")
    }
}
