import CABSTraining

/// The results of a grid as a table for people: each rule's runs at each learning rate, the mean over seeds.
struct ComparisonTable {
    private static let heads = [
        "data set", "model", "rule", "rate", "runs", "mean batch", "training loss", "test loss", "accuracy",
    ]
    /// The columns of words; the others are of numbers, which stand to the right.
    private static let wordCount = 3

    private let rows: [[String]]

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
        rows = groups.map { Self.row($0.key, $0.results) }
    }

    /// The lines.
    var text: String {
        TextColumns.lines([Self.heads] + rows, leadingCount: Self.wordCount).joined(separator: "\n")
    }

    private static func row(_ key: [String], _ results: [GridResult]) -> [String] {
        let finished = results.map(\.summary).filter(\.finishedAsGiven)
        func mean(_ digits: Int, _ column: RunColumn) -> String {
            let values = finished.compactMap(column.value)
            return values.isEmpty ? "" : decimal(values.reduce(0, +) / Double(values.count), digits)
        }
        let cells = [
            "\(results.count)", mean(1, .meanBatchSize), mean(4, .trainingLoss), mean(4, .testLoss),
            mean(4, .testAccuracy),
        ]
        let others =
            [("diverged", { $0.status == .diverged }), ("finished at a smaller rate", { $0.wasRewound })]
            as [(String, (RunSummary) -> Bool)]
        let notes = others.compactMap { name, belongs in
            let count = results.map(\.summary).filter(belongs).count
            return count > 0 ? "\(count) \(name)" : nil
        }
        // A name may have line ends.
        return key.map { $0.split(whereSeparator: \.isNewline).joined(separator: " ") } + cells + notes
    }
}
