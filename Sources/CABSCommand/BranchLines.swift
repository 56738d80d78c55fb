import CABSTraining

/// What continuations came to, as text.
struct BranchLines {
    let setting: Branching.Setting
    let table: BranchTable

    var lines: [String] {
        var lines = [
            "\(setting.model) on \(setting.dataset), after \(setting.stepCount) steps: loss \(setting.lossText)",
            "\(setting.exampleCount) examples on, learning rate \(setting.learningRate.text()) \(scaling)",
        ]
        lines += rows + critical
        lines.append("what was predicted there: noise scale \(setting.noise.noiseScaleText)")
        if let rate = setting.ruleLearningRate {
            lines.append("  rules read the effective rate \(rate.text())")
        }
        lines += setting.forecasts.map { forecast in
            "  \(forecast.rule) would choose \(forecast.batchSize)\(forecast.isAtLeast ? " or more" : "")"
        }
        return lines
    }

    private var scaling: String {
        setting.scaling.map { "at a batch of \(setting.batchSize), following the batch (\($0.rawValue))" } ?? "for all"
    }

    /// A line for each size below the head, all columns aligned to the right.
    private var rows: [String] {
        let head = ["batch size", "learning rate", "orders", "loss: mean", "lowest", "highest", "test accuracy"]
        return TextColumns.lines([head] + table.sizes.map(row), leadingCount: 0)
    }

    private func row(_ size: BranchTable.Size) -> [String] {
        let losses = size.losses
        func text(_ value: Double?) -> String { value.map { decimal($0, 4) } ?? "diverged" }
        return [
            "\(size.batchSize)", size.results[0].learningRate.text(), "\(size.results.count)", text(size.meanLoss),
            text(losses.min()), text(losses.max()), size.meanTestAccuracy.map { decimal($0, 4) } ?? "",
        ]
    }

    private var critical: [String] {
        switch table.finding(tolerance: setting.tolerance) {
        case .nothingEnded: return ["no continuation has ended"]
        case .smallestDiverged(let size):
            return ["the smallest batch size, \(size), diverged: there is nothing to compare larger ones with"]
        case .found(let critical, let orders):
            func words(_ found: BranchTable.Critical) -> String {
                "\(found.batchSize)\(found.isLargestTried ? " or more" : "")"
            }
            return ["the largest batch size that does no harm (within \(setting.tolerance.text())): \(words(critical))"]
                + (orders.map { ["  order by order \(words($0.lowest)) to \(words($0.highest))"] } ?? [])
        }
    }
}
