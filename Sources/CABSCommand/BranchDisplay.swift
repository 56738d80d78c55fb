import CABSTerminal
import CABSTraining

/// Shows how far continuations have come.
final class BranchDisplay {
    private let count: Int
    private let line: TerminalLine
    private let start = ContinuousClock.now
    /// Continuations that have ended since the start, and that were made before.
    private var (endedCount, skippedCount) = (0, 0)
    private var name = ""

    init(count: Int, isQuiet: Bool) {
        self.count = count
        line = TerminalLine(isQuiet: isQuiet)
    }

    func begin(_ size: Int, _ order: Int) {
        name = "\(endedCount + skippedCount + 1) of \(count)  batch size \(size)  order \(order)"
        line.postpone()
    }

    func show(_ part: Double) {
        guard line.takeTurn(every: .seconds(60)) else { return }
        let left = TerminalLine.timeLeft(
            since: start, done: Double(endedCount) + min(part, 1), of: count - skippedCount)
        line.show("\(name)  \(Int(min(part, 1) * 100)) %  \(left)")
    }

    func end(_ result: BranchResult, wasMadeBefore: Bool) {
        if wasMadeBefore { skippedCount += 1 } else { endedCount += 1 }
        let outcome = result.loss.map { "loss \(decimal($0, 4))" } ?? "diverged"
        line.print("\(name)  \(outcome)\(wasMadeBefore ? ", made before" : "")")
    }

    func finish(_ text: String) { line.print(text) }
}
