import CABSPrimitives
import CThreads
import Foundation

/// Threads that run one program together: every worker runs the same function, and a barrier inside it makes all
/// wait for the last.
///
/// The caller's thread is worker 0, so that as many threads are awake as there are workers.
final class WorkerPool: Sendable {
    let workerCount: Int
    private let state: State
    private let lonelyBarrier = Barrier(count: 1)

    init(workerCount: Int) throws(EngineError) {
        guard EngineError.workerCounts.contains(workerCount) else { throw .workerCountOutOfRange(workerCount) }
        self.workerCount = workerCount
        let state = State(barrier: Barrier(count: workerCount))
        self.state = state
        for worker in 1..<workerCount {
            // A thread holds the state, not the pool, so that the pool's end can end the thread.
            let thread = Thread {
                // From here on oneDNN runs on this thread alone whatever is called from it.
                forbidOpenMPThreads()
                let worker = Worker(index: worker, count: workerCount, barrier: state.barrier)
                while let program = state.nextProgram() {
                    program(worker)
                    worker.wait()
                }
            }
            thread.name = "cabs worker \(worker)"
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    deinit { state.start(nil) }

    /// Runs `program` on every worker and returns when all have ended.
    func run(_ program: @escaping Program) {
        state.start(program)
        withoutOpenMPThreads { program(Worker(index: 0, count: workerCount, barrier: state.barrier)) }
        state.finish()
    }

    /// Runs `program` on the caller's thread alone, as the only worker: the others need not even wake.
    func runAlone(_ program: Program) {
        withoutOpenMPThreads { program(Worker(index: 0, count: 1, barrier: lonelyBarrier)) }
    }

    typealias Program = @Sendable (Worker) -> Void

    /// What the threads share.
    private final class State: @unchecked Sendable {
        let barrier: Barrier
        // Written by the caller before a barrier, read by the workers after it: the proof of Sendable.
        private var program: Program?

        init(barrier: Barrier) {
            self.barrier = barrier
        }

        /// Hands a program to the waiting workers; none ends them.
        func start(_ program: Program?) {
            self.program = program
            barrier.wait()
        }

        /// Waits for the workers to end the program and lets go of what it holds.
        func finish() {
            barrier.wait()
            program = nil
        }

        func nextProgram() -> Program? {
            barrier.wait()
            return program
        }
    }
}

/// One of the workers that run a program, as the program sees it.
struct Worker: Sendable {
    /// Which one, from 0.
    let index: Int
    /// How many there are.
    let count: Int
    private let barrier: Barrier

    init(index: Int, count: Int, barrier: Barrier) {
        self.index = index
        self.count = count
        self.barrier = barrier
    }

    /// Waits until every worker has come to this point.
    func wait() { barrier.wait() }

    /// The worker's part of `total` things, cut as evenly as multiples of `unit` allow.
    func share(of total: Int, unit: Int = 1) -> Range<Int> {
        evenPart(index, of: count, total: total, unit: unit)
    }

    /// Calls `body` with the worker's part of some elements that cannot be cut, taken in turn by all workers.
    func forEachInTurn<Element>(_ elements: [Element], _ body: (Element) -> Void) {
        for position in stride(from: index, to: elements.count, by: count) { body(elements[position]) }
    }
}

/// Part number `part` of `total` things that are cut into `parts`, as evenly as multiples of `unit` allow.
func evenPart(_ part: Int, of parts: Int, total: Int, unit: Int = 1) -> Range<Int> {
    let units = (total + unit - 1) / unit
    return min(total, units * part / parts * unit)..<min(total, units * (part + 1) / parts * unit)
}

/// A point that a number of threads must all reach before any goes on.
final class Barrier: @unchecked Sendable {
    // The handle is never changed after init, and what it stands for is made for any thread: the proof of Sendable.
    private let handle: OpaquePointer

    init(count: Int) {
        guard let handle = cthreads_barrier_create(UInt32(count)) else {
            preconditionFailure("no memory for a barrier")
        }
        self.handle = handle
    }

    deinit { cthreads_barrier_destroy(handle) }

    func wait() { cthreads_barrier_wait(handle) }
}
