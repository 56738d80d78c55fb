import CABSTerminal
import CABSTraining
import Foundation

/// Shows how far a grid has come: one line, with the time left.
final class GridProgressDisplay {
    private let runCount: Int
    private let line: TerminalLine
    private let start = ContinuousClock.now
    private var skippedCount = 0
    private var hasToldOfSkipped = false
    private var notices = NoticeDisplay()
    /// Runs that have ended since the start.
    private var endedCount = 0
    private var current: (run: ComparisonGrid.Run, number: Int)?

    init(_ runCount: Int, isQuiet: Bool) {
        self.runCount = runCount
        line = TerminalLine(isQuiet: isQuiet)
    }

    /// Passes over a run that ended before.
    func skip() { skippedCount += 1 }

    func begin(_ run: ComparisonGrid.Run) {
        if skippedCount > 0, endedCount == 0, !hasToldOfSkipped {
            hasToldOfSkipped = true
            line.print("\(skippedCount) of \(runCount) runs were made before")
        }
        current = (run, skippedCount + endedCount + 1)
        line.postpone()
    }

    func show(_ event: TrainingRun.Event) {
        if case .notice(let notice) = event { notices.show(notice) }
        if case .damagedCheckpoint(let error) = event { printWarning("\(error); taking the checkpoint before") }
        guard let current, case .step(let step, _) = event, line.takeTurn(every: .seconds(60)) else { return }
        let part = current.run.configuration.length.fractionCompleted(step.progress)
        line.show(
            [
                "run \(current.number) of \(runCount)", Self.name(current.run), "\(Int(min(part, 1) * 100)) %",
                "batch \(step.batchSize)", "loss \(decimal(step.loss, 3))",
                TerminalLine.timeLeft(
                    since: start, done: Double(endedCount) + min(part, 1), of: runCount - skippedCount),
            ].joined(separator: "  "))
    }

    func end(_ summary: RunSummary?) {
        guard let current else { return }
        endedCount += 1
        let result =
            if let summary, summary.status == .finished {
                (summary.testAccuracy.map { "test accuracy \(decimal($0, 4))" }
                    ?? "test loss \(decimal(summary.testLoss ?? .nan, 4))")
                    + (summary.wasRewound ? ", at a smaller learning rate" : "")
            } else {
                "diverged"
            }
        line.print("run \(current.number) of \(runCount)  \(Self.name(current.run))  \(result)")
    }

    func finish(_ text: String) { line.print(text) }

    private static func name(_ run: ComparisonGrid.Run) -> String {
        let options = run.configuration.options
        return
            "\(run.configuration.dataset.rawValue) \(run.rule) rate \(options.learningRate ?? 0) seed \(options.seed ?? 0)"
    }
}
