import Foundation
import Synchronization

/// What SIGINT and SIGTERM ask of a run: to stop after the step. A second SIGINT ends the process at once.
enum Interruption {
    private static let received = Atomic<Int32>(0)

    /// Takes the signals over.
    static func install() {
        // Made here, as a signal handler must not.
        _ = received.load(ordering: .relaxed)
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                if Interruption.received.exchange(number, ordering: .relaxed) == SIGINT, number == SIGINT {
                    _exit(128 + SIGINT)
                }
            }
        }
    }

    /// Whether a signal has come.
    static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

    /// The exit code of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM.
    static var exitCode: Int32 { 128 + received.load(ordering: .relaxed) }
}
