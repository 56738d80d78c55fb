import CABSTraining
import Foundation

/// What continuations came to, as text.
struct BranchLines {
    let setting: Branching.Setting
    let table: BranchTable

    var lines: [String] {
        let rate = setting.scaling.map { "following the batch (\($0.rawValue))" } ?? "for all"
        var lines = [
            "\(setting.model) on \(setting.dataset), after \(setting.stepCount) steps: loss \(setting.loss.text)",
            "\(setting.exampleCount) examples on, learning rate \(setting.learningRate) \(rate)",
            "batch size  learning rate  orders  loss: mean  lowest  highest  test accuracy",
        ]
        lines += table.sizes.map(row)
        lines += critical
        let noise = setting.noise.noiseScale.map { "\($0.text)" } ?? "unknown, as |g|^2 cannot be told from 0"
        lines.append("what was predicted there: noise scale \(noise)")
        lines += setting.forecasts.map { "  \($0.rule) would choose \($0.batchSize)" }
        return lines
    }

    private func row(_ size: BranchTable.Size) -> String {
        let losses = size.losses
        func text(_ value: Double?, _ width: Int) -> String {
            padded(value.map { decimal($0, 4) } ?? "diverged", width)
        }
        return [
            padded("\(size.batchSize)", 10), padded(short(size.results[0].learningRate), 13),
            padded("\(size.results.count)", 6), text(size.meanLoss, 10), text(losses.min(), 6), text(losses.max(), 7),
            padded(size.meanTestAccuracy.map { decimal($0, 4) } ?? "", 13),
        ].joined(separator: "  ").replacing(/\s+$/, with: "")
    }

    private var critical: [String] {
        guard let found = table.critical(tolerance: setting.tolerance) else {
            return ["no batch size went on without diverging"]
        }
        let orders = table.criticalByOrder(tolerance: setting.tolerance).map(\.batchSize)
        let size = "\(found.batchSize)\(found.isLargestTried ? " or more" : "")"
        return ["the largest batch size that does no harm (within \(short(setting.tolerance))): \(size)"]
            + (orders.count > 1 ? ["  order by order \(orders.min()!) to \(orders.max()!)"] : [])
    }

    private func short(_ value: Double) -> String { String(format: "%.4g", value) }
    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
