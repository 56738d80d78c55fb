import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// Grids of which only results and curves are kept, written for a test.
enum KeptGrid {
    /// A run of a grid that is written down.
    struct Run {
        let rule: String
        let rate: Double
        let seed: Int
        var accuracy: Double? = nil
        var average: Double? = nil
        var testLoss = 0.5
        var averageLoss: Double? = nil
        var trainingLoss = 0.25
        var status = "finished"
        var curve: [(examples: Int, seconds: Double, loss: Double?, batchSize: Double, accuracy: Double?)] = [
            (500, 1, 0.4, 10, 0.6), (1000, 2, 0.2, 20, 0.7),
        ]
    }

    /// Writes what is kept of a grid, and reads it as a report does.
    static func groups(_ runs: [Run], in folder: TemporaryFolder, as grid: String = "grid") throws -> [RunGroup] {
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
        var lines = [
            "dataset,model,rule,learning_rate,seed,status,steps,examples,training_loss,test_loss,test_accuracy,average_test_accuracy,"
                + "average_test_loss,rewinds,training_seconds"
        ]
        for run in runs {
            let examples = run.curve.last?.examples ?? 1000
            lines.append(
                "digits,mlp,\(run.rule),\(run.rate),\(run.seed),\(run.status),\(examples / 10),\(examples),\(run.trainingLoss),\(run.testLoss),"
                    + "\(text(run.accuracy)),\(text(run.average)),\(text(run.averageLoss)),0,2")
            let curve = run.curve.map {
                "\($0.examples),\($0.seconds),\(text($0.loss)),\($0.batchSize),,\(text($0.accuracy)),"
            }
            let head = "examples,training_seconds,loss,batch_size,test_loss,test_accuracy,average_test_accuracy"
            let name = run.rule.replacing(":", with: "-")
            let rate = "\(run.rate)".replacing(".0", with: "")
            _ = try folder.write(
                ([head] + curve).joined(separator: "\n") + "\n",
                as: "\(grid)/curves/digits_mlp_\(name)_\(rate)_\(run.seed).csv")
        }
        _ = try folder.write(lines.joined(separator: "\n") + "\n", as: "\(grid)/results.csv")
        return RunGroup.groups(of: try RunCollection([folder.url.appending(path: grid).path]).runs)
    }

    static func table(
        _ name: String, _ runs: [Run], _ options: ComparisonOptions = ComparisonOptions()
    ) throws -> TextTable? {
        let groups = try groups(runs, in: TemporaryFolder())
        return try #require(RuleComparison(groups[0], options)).tables.first { $0.kind.rawValue == name }
    }
}
