import CABSTerminal
import Foundation

/// Standard output: on a terminal with a last line that renews itself.
final class TerminalLine {
    /// The columns of the terminal; nothing where there is none.
    let width = TerminalLine.terminalWidth()
    private let isQuiet: Bool
    /// Whether the cursor stands in a line that renews itself.
    private var isInLine = false
    private var lastTurn: ContinuousClock.Instant?

    /// - Parameter isQuiet: Whether nothing is shown.
    init(isQuiet: Bool = false) {
        self.isQuiet = isQuiet
    }

    /// Whether lines can renew themselves.
    var isTerminal: Bool { width != nil }

    /// Whether it is time for a line that shows how far something has come, which the caller then shows: ten times a second on a terminal,
    /// elsewhere once in an interval.
    func takeTurn(every interval: Duration) -> Bool {
        let now = ContinuousClock.now
        if let lastTurn, now - lastTurn < (isTerminal ? .milliseconds(100) : interval) { return false }
        lastTurn = now
        return true
    }

    /// Lets the interval to the next turn begin now: what begins has not come far.
    func postpone() { lastTurn = .now }

    /// Shows a line that the next one may replace.
    func show(_ text: String) {
        guard let width else { return print(text) }
        // To the line's beginning, the text, and nothing of the old line behind it. A line that wraps could not be
        // replaced, so it is cut.
        write("\r\(text.prefix(width - 1))\u{1B}[K")
        isInLine = true
    }

    /// Takes the line that renews itself away.
    func clear() {
        if isInLine { write("\r\u{1B}[K") }
        isInLine = false
    }

    /// Prints a line that stays.
    func print(_ text: String) {
        clear()
        write(text + "\n")
    }

    private func write(_ text: String) {
        if !isQuiet { StandardStream.output.write(text) }
    }

    private static func terminalWidth() -> Int? {
        guard isatty(STDOUT_FILENO) == 1 else { return nil }
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// How long it still takes, judged by the parts done since the start, which are alike in length.
    static func timeLeft(since start: ContinuousClock.Instant, done: Double, of count: Int) -> String {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        return "\(time(elapsed / max(done, 1e-9) * (Double(count) - done))) left"
    }

    /// A duration as people write it.
    static func time(_ seconds: Double) -> String {
        let whole = seconds.isFinite ? Int(min(max(seconds, 0), 1e9).rounded()) : 0
        let (hours, minutes) = (whole / 3600, whole / 60 % 60)
        let rest = String(format: "%02d", whole % 60)
        return hours > 0 ? "\(hours):\(String(format: "%02d", minutes)):\(rest)" : "\(minutes):\(rest)"
    }
}
