import Foundation

/// Ranks that are threads of one process, for tests and to try things out: each takes one member of a group and uses it on a thread of its own.
public final class ThreadRanks: RankGroup {
    /// Which one this is, from 0.
    public let rank: Int
    /// How many there are.
    public var count: Int { meeting.count }
    private let meeting: Meeting

    private init(rank: Int, _ meeting: Meeting) {
        self.rank = rank
        self.meeting = meeting
    }

    /// The members of a new group.
    public static func group(of count: Int) -> [ThreadRanks] {
        let meeting = Meeting(count: count)
        return (0..<count).map { ThreadRanks(rank: $0, meeting) }
    }

    /// Runs a body on each rank of a new group, a thread of its own, and collects what they come to, by rank.
    ///
    /// - Parameter timeout: How long a call may take, in seconds.
    package static func run<Value: Sendable>(
        _ count: Int, timeout: Double = 300, _ body: @escaping @Sendable (Communicator) throws -> Value
    ) async -> [Result<Value, any Error>] {
        await withTaskGroup(of: (Int, Result<Value, any Error>).self) { group in
            for member in Self.group(of: count) {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        // Not on the threads of tasks, of which there are too few for all to wait.
                        let thread = Thread {
                            let result = Result { try body(Communicator(timeout: timeout) { member }) }
                            if case .failure = result { member.leave() }
                            continuation.resume(returning: (member.rank, result))
                        }
                        thread.stackSize = 8 << 20
                        thread.start()
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    deinit { leave() }

    /// Gives every rank the bytes of all.
    public func gather(
        _ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
    ) throws(RankError) {
        try meeting.meet(Meeting.Post(bytes: own, counts: [own.count]), rank: rank) { posts in
            var offset = 0
            for (post, count) in zip(posts, counts) {
                precondition(post.bytes.count == count, "a rank gave \(post.bytes.count) bytes of \(count)")
                all.copy(post.bytes, at: offset)
                offset += count
            }
        }
    }

    /// Gives every rank a part of this one's bytes.
    public func exchange(
        _ parts: UnsafeRawBufferPointer, counts: [Int], into received: UnsafeMutableRawBufferPointer,
        receivedCounts: [Int]
    ) throws(RankError) {
        try meeting.meet(Meeting.Post(bytes: parts, counts: counts), rank: rank) { posts in
            var offset = 0
            for (post, count) in zip(posts, receivedCounts) {
                precondition(post.counts[rank] == count, "a rank gave \(post.counts[rank]) bytes of \(count)")
                let start = post.counts[..<rank].reduce(0, +)
                received.copy(UnsafeRawBufferPointer(rebasing: post.bytes[start..<start + count]), at: offset)
                offset += count
            }
        }
    }

    /// Gives every rank the bytes of one.
    public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(RankError) {
        try meeting.meet(Meeting.Post(bytes: UnsafeRawBufferPointer(bytes), counts: []), rank: rank) { posts in
            if rank != root { bytes.copy(posts[root].bytes, at: 0) }
        }
    }

    /// Takes leave; whoever waits for this rank, or comes to, is told.
    public func leave() { meeting.leave(rank) }

    /// As ``leave()``: threads have no exit code.
    public func abort(code: Int32) { leave() }

    /// As ``leave()``.
    public func abandon(code: Int32) { leave() }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate func copy(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard bytes.count > 0 else { return }
        UnsafeMutableRawBufferPointer(rebasing: self[offset..<offset + bytes.count]).copyMemory(from: bytes)
    }
}

/// Where threads come together: each lays something down, and when all have, each takes what it needs.
private final class Meeting: @unchecked Sendable {
    // Everything below is read and written under the condition's lock, but for the bytes that posts point to: those lie still from a
    // rank's coming until all have taken from them. The proof of Sendable.
    struct Post {
        let bytes: UnsafeRawBufferPointer
        let counts: [Int]
    }

    let count: Int
    private let condition = NSCondition()
    private var posts: [Post?]
    private var arrivedCount = 0
    private var takenCount = 0
    private var round = 0
    private var leaver: Int?

    init(count: Int) {
        self.count = count
        posts = Array(repeating: nil, count: count)
    }

    func meet(_ post: Post, rank: Int, take: ([Post]) -> Void) throws(RankError) {
        condition.lock()
        defer { condition.unlock() }
        let ownRound = round
        posts[rank] = post
        arrivedCount += 1
        condition.broadcast()
        while arrivedCount < count {
            if let leaver {
                // It does not count for the next call, which will not come about either.
                posts[rank] = nil
                arrivedCount -= 1
                throw .rankLeft(rank: leaver)
            }
            condition.wait()
        }
        take(posts.map { $0! })
        takenCount += 1
        if takenCount == count {
            (arrivedCount, takenCount, round) = (0, 0, round + 1)
            posts = Array(repeating: nil, count: count)
            condition.broadcast()
        }
        // Nobody goes on, and frees its bytes, before all have taken them.
        while round == ownRound { condition.wait() }
    }

    func leave(_ rank: Int) {
        condition.lock()
        if leaver == nil { leaver = rank }
        condition.broadcast()
        condition.unlock()
    }
}
