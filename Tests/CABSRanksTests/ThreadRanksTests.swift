import Foundation
import Synchronization
import Testing

@testable import CABSRanks

@Suite(.timeLimit(.minutes(10))) struct ThreadRanksTests {
    @Test(arguments: 1...5) func `everyone has what all gave, in the order of ranks`(count: Int) async throws {
        let results = await ThreadRanks.run(count) { communicator in
            try (0..<50).map { round in try communicator.gather("\(communicator.rank)-\(round)") }
        }
        for result in results {
            #expect(try result.get() == (0..<50).map { round in (0..<count).map { "\($0)-\(round)" } })
        }
    }

    @Test(arguments: 1...5) func `everyone has a part of each, empty ones too`(count: Int) async throws {
        let results = await ThreadRanks.run(count) { communicator in
            try communicator.run { group in
                // From a to b go a times b bytes of the value 16 a + b.
                let (rank, ranks) = (group.rank, 0..<group.count)
                let parts = ranks.flatMap { Array(repeating: UInt8(16 * rank + $0), count: rank * $0) }
                var received = [UInt8](repeating: 255, count: ranks.reduce(0) { $0 + $1 * rank })
                try parts.withUnsafeBytes { parts in
                    try received.withUnsafeMutableBytes {
                        try group.exchange(
                            parts, counts: ranks.map { rank * $0 }, into: $0, receivedCounts: ranks.map { $0 * rank })
                    }
                }
                return received
            }
        }
        for (rank, result) in results.enumerated() {
            let expected: [UInt8] = (0..<count).flatMap { Array(repeating: UInt8(16 * $0 + rank), count: $0 * rank) }
            #expect(try result.get() == expected)
        }
    }

    @Test func `what the first has goes to all`() async throws {
        let results = await ThreadRanks.run(3) { communicator in
            try communicator.broadcast(communicator.isFirst ? Data("all of it".utf8) : Data("nothing".utf8))
        }
        for result in results { #expect(try result.get() == Data("all of it".utf8)) }
    }

    @Test func `no rank waits for one that left`() async throws {
        let results = await ThreadRanks.run(3) { communicator in
            if communicator.rank == 1 { return communicator.leave() }
            _ = try communicator.gather(0)
        }
        for rank in [0, 2] {
            #expect(throws: RankError.rankLeft(rank: 1)) { try results[rank].get() }
        }
    }

    @Test func `a rank that stands still is not waited for without end`() async throws {
        let isOver = Mutex(false)
        let results = await ThreadRanks.run(2, timeout: 0.2) { communicator in
            guard communicator.rank == 0 else {
                while !isOver.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.01) }
                return
            }
            defer { isOver.withLock { $0 = true } }
            _ = try communicator.gather(0)
        }
        #expect(throws: RankError.stoodStill(seconds: 0.2)) { try results[0].get() }
    }
}
