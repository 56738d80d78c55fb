import Foundation

/// A rank's way to the others: a thread that makes all calls of a ``RankGroup``, one after the other, while other threads compute.
///
/// One thread, because MPI asks for it. Whoever waits for a call waits no longer than a limit, so that a network that stands still ends
/// the run and does not hold it for ever.
public final class Communicator: Sendable {
    /// Which rank this is, from 0.
    public let rank: Int
    /// How many ranks there are.
    public let count: Int
    /// How long a call may take, in seconds.
    public let timeout: Double
    private let group: any RankGroup
    private let queue: Queue

    /// Joins a group.
    ///
    /// - Parameters:
    ///   - timeout: How long a call may take, in seconds.
    ///   - join: Makes the group, on the thread that will make its calls.
    /// - Throws: What `join` throws.
    public init(timeout: Double = 300, _ join: @escaping @Sendable () throws -> any RankGroup) throws {
        let queue = Queue()
        let thread = Thread { queue.run() }
        thread.name = "cabs communication"
        thread.start()
        do {
            group = try queue.submit(join).wait(atMost: nil)
        } catch {
            queue.end()
            throw error
        }
        self.queue = queue
        self.timeout = timeout
        (rank, count) = (group.rank, group.count)
    }

    deinit { queue.end() }

    /// Whether this is the rank that writes files and speaks to people.
    public var isFirst: Bool { rank == 0 }

    /// Something that the communication thread does; whoever needs its result waits for it.
    public final class Transfer<Value: Sendable>: @unchecked Sendable {
        // The result is read and written under the condition's lock: the proof of Sendable.
        private let condition = NSCondition()
        private var result: Result<Value, any Error>?

        func end(_ result: Result<Value, any Error>) {
            condition.lock()
            self.result = result
            condition.broadcast()
            condition.unlock()
        }

        func wait(atMost seconds: Double?) throws -> Value {
            let deadline = seconds.map { Date(timeIntervalSinceNow: $0) }
            condition.lock()
            defer { condition.unlock() }
            while result == nil {
                guard let deadline else {
                    condition.wait()
                    continue
                }
                if !condition.wait(until: deadline), result == nil { throw RankError.stoodStill(seconds: seconds!) }
            }
            return try result!.get()
        }
    }

    /// Begins calls; they run after all that were begun before.
    ///
    /// - Parameter calls: The calls. It must hold on to the memory that they read and write.
    public func start<Value: Sendable>(
        _ calls: @escaping @Sendable (any RankGroup) throws -> Value
    ) -> Transfer<Value> {
        let group = group
        return queue.submit { try calls(group) }
    }

    /// Waits for calls to end.
    ///
    /// - Throws: ``RankError/stoodStill(seconds:)``, and what the calls throw.
    public func finish<Value>(_ transfer: Transfer<Value>) throws -> Value {
        try transfer.wait(atMost: timeout)
    }

    /// Makes calls and waits for them.
    ///
    /// - Parameter isLimited: Whether it may take no longer than ``timeout``.
    public func run<Value: Sendable>(
        isLimited: Bool = true, _ calls: @escaping @Sendable (any RankGroup) throws -> Value
    ) throws -> Value {
        try start(calls).wait(atMost: isLimited ? timeout : nil)
    }

    /// Gives every rank the values of all, by rank. Collective.
    public func gather<Value: Codable & Sendable>(_ value: Value, isLimited: Bool = true) throws -> [Value] {
        let own = try JSONEncoder().encode([value])
        return try run(isLimited: isLimited) { group in
            try group.gather(own).map { try JSONDecoder().decode([Value].self, from: $0)[0] }
        }
    }

    /// Gives every rank the bytes that the first has. Collective.
    ///
    /// - Parameter data: The bytes; of other ranks than the first it is not asked.
    public func broadcast(_ data: @autoclosure () throws -> Data) throws -> Data {
        let own = isFirst ? try data() : Data()
        return try run { group in try group.broadcast(own) }
    }

    /// Waits until all ranks have come here. Collective.
    public func meet() throws { _ = try gather(0) }

    /// Takes leave at the end. Collective.
    public func leave() {
        _ = try? run { $0.leave() }
        queue.end()
    }

    /// Ends all ranks, where this one cannot go on.
    public func abort(code: Int32) {
        do {
            // A call that stands still would keep this one waiting.
            try start { $0.abort(code: code) }.wait(atMost: 1)
        } catch {
            group.abandon(code: code)
        }
    }

    /// What the thread has to do.
    private final class Queue: @unchecked Sendable {
        // Read and written under the condition's lock: the proof of Sendable.
        private let condition = NSCondition()
        private var jobs: [() -> Void] = []
        private var isEnding = false

        func submit<Value>(_ body: @escaping @Sendable () throws -> Value) -> Transfer<Value> {
            let transfer = Transfer<Value>()
            condition.lock()
            jobs.append { transfer.end(Result { try body() }) }
            condition.signal()
            condition.unlock()
            return transfer
        }

        func end() {
            condition.lock()
            isEnding = true
            condition.signal()
            condition.unlock()
        }

        func run() {
            while let job = next() { job() }
        }

        private func next() -> (() -> Void)? {
            condition.lock()
            defer { condition.unlock() }
            while jobs.isEmpty, !isEnding { condition.wait() }
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }
}

extension RankGroup {
    /// Gives every rank the data of all, by rank; their lengths need not be known.
    func gather(_ own: Data) throws -> [Data] {
        let lengths = try gather([own.count], counts: Array(repeating: 1, count: count)).map { $0[0] }
        return try gather(Array(own), counts: lengths).map { Data($0) }
    }

    /// Gives every rank the first one's data.
    func broadcast(_ own: Data) throws -> Data {
        var length = [own.count]
        try broadcast(&length)
        var bytes = rank == 0 ? Array(own) : Array(repeating: 0, count: length[0])
        try broadcast(&bytes)
        return Data(bytes)
    }

    /// Gives every rank all ranks' numbers, by rank.
    ///
    /// - Parameter counts: How many there are, by rank.
    package func gather<Number: BitwiseCopyable & Numeric>(_ own: [Number], counts: [Int]) throws -> [[Number]] {
        let size = MemoryLayout<Number>.stride
        var all = [Number](repeating: 0, count: counts.reduce(0, +))
        try own.withUnsafeBytes { own in
            try all.withUnsafeMutableBytes { all in
                try gather(own, into: all, counts: counts.map { $0 * size })
            }
        }
        var start = 0
        return counts.map { count in
            defer { start += count }
            return Array(all[start..<start + count])
        }
    }

    private func broadcast<Element: BitwiseCopyable>(_ elements: inout [Element]) throws {
        // In pieces that any library can count.
        try elements.withUnsafeMutableBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
                let end = min(start + 1 << 30, bytes.count)
                try broadcast(UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]), from: 0)
            }
        }
    }
}
