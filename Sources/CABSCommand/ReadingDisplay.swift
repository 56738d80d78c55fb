import Synchronization

/// Shows on a terminal how many pictures were read.
final class ReadingDisplay: Sendable {
    private let state = Mutex<(line: TerminalLine, shown: Int)>((TerminalLine(), 0))

    func show(count: Int, of all: Int) {
        state.withLock { state in
            guard state.line.isTerminal, count > state.shown || count < state.shown / 2 else { return }
            state.shown = count
            state.line.show("reading pictures: \(min(count, all)) of \(all)")
        }
    }

    func finish() { state.withLock { $0.line.clear() } }
}
