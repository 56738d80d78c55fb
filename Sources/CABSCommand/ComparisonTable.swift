import CABSTraining
import Foundation

/// The results of a grid as a table for people: each rule's runs at each learning rate, the mean over seeds.
struct ComparisonTable {
    private var lines = [
        "data set          rule                     rate  runs  mean batch  training loss  test loss  accuracy"
    ]

    init(_ results: [GridResult]) {
        var groups: [(key: [String], results: [GridResult])] = []
        for result in results {
            let key = [
                result.summary.dataset, result.summary.model, result.rule,
                "\(result.configuration.options.learningRate ?? 0)",
            ]
            if let index = groups.firstIndex(where: { $0.key == key }) {
                groups[index].results.append(result)
            } else {
                groups.append((key, [result]))
            }
        }
        for (key, results) in groups { lines.append(Self.line(key, results)) }
    }

    var text: String { lines.joined(separator: "\n") }

    private static func line(_ key: [String], _ results: [GridResult]) -> String {
        let finished = results.map(\.summary).filter { $0.status == .finished }
        func mean(_ digits: Int, _ value: (RunSummary) -> Double?) -> String {
            let values = finished.compactMap(value)
            return values.isEmpty ? "" : decimal(values.reduce(0, +) / Double(values.count), digits)
        }
        let cells: [(text: String, width: Int)] = [
            (key[3], 8), ("\(results.count)", 6), (mean(1) { Double($0.examples) / Double($0.steps) }, 12),
            (mean(4) { $0.trainingLoss }, 15), (mean(4) { $0.testLoss }, 11), (mean(4) { $0.testAccuracy }, 10),
        ]
        var line = key[0].padding(toLength: 18, withPad: " ", startingAt: 0)
        line += key[2].padding(toLength: 21, withPad: " ", startingAt: 0)
        for cell in cells { line += String(repeating: " ", count: max(0, cell.width - cell.text.count)) + cell.text }
        let divergedCount = results.count - finished.count
        return divergedCount > 0 ? "\(line)  \(divergedCount) diverged" : line
    }
}
