import CABSTraining
import Foundation
import Synchronization

/// Shows how far a download has come: one line, with its rate.
final class FetchDisplay: Sendable {
    private struct State {
        let line = TerminalLine()
        /// When the current file's first bytes came, and how many it had by then.
        var start: (file: String, time: ContinuousClock.Instant, bytes: Int)?
    }

    private let state = Mutex(State())

    func show(_ event: DatasetFetcher.Event) {
        state.withLock { state in
            switch event {
            case .found(let file): state.line.print("\(file) is there already")
            case .received(let file, let bytes, let expected): Self.show(file, bytes, of: expected, &state)
            case .unpacking(let file): state.line.show("unpacking \(file)")
            case .stored(let file): state.line.print("\(file) fetched")
            }
        }
    }

    private static func show(_ file: String, _ bytes: Int, of expected: Int?, _ state: inout State) {
        let now = ContinuousClock.now
        guard let start = state.start, start.file == file else {
            state.start = (file, now, bytes)
            state.line.postpone()
            return
        }
        guard state.line.takeTurn(every: .seconds(60)) else { return }
        let rate = Double(bytes - start.bytes) / ((now - start.time) / .seconds(1))
        var parts = [file, "\(megabytes(bytes)) MB"]
        if let expected, expected > 0 {
            parts[1] = "\(megabytes(bytes)) of \(megabytes(expected)) MB"
            parts.append("\(Int(Double(bytes) / Double(expected) * 100)) %")
        }
        parts.append("\(decimal(rate * 1e-6, 1)) MB/s")
        state.line.show(parts.joined(separator: "  "))
    }

    private static func megabytes(_ bytes: Int) -> String { decimal(Double(bytes) * 1e-6, 1) }
}
