import Foundation
import Synchronization

/// What SIGINT, SIGTERM, SIGHUP and SIGUSR1, which schedulers send before a job's time is over, ask of a run: to stop after the step. A second SIGINT ends the process at once; a hang-up that was
/// ignored when the process began, as `nohup` has it, stays ignored.
enum Interruption {
    private static let received = Atomic<Int32>(0)

    /// Takes the signals over.
    static func install() {
        // Made here, as a signal handler must not.
        _ = received.load(ordering: .relaxed)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] {
            var before = sigaction()
            sigaction(number, nil, &before)
            if number == SIGHUP, before.__sigaction_handler.sa_handler.map({ unsafeBitCast($0, to: Int.self) }) == 1 {
                continue
            }
            signal(number) { number in
                if Interruption.received.exchange(number, ordering: .relaxed) == SIGINT, number == SIGINT {
                    _exit(128 + SIGINT)
                }
            }
        }
    }

    /// Whether a signal has come.
    static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

    /// The exit code of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP, 138 for SIGUSR1. Where another
    /// rank had the signal, as for SIGTERM.
    static var exitCode: Int32 { 128 + (isRequested ? received.load(ordering: .relaxed) : SIGTERM) }
}
