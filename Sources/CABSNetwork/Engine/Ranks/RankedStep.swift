import CABSExamples
import CABSPrimitives
import CABSRanks

/// One step, measurement or evaluation of this rank among the others.
///
/// Whatever decides anything is gathered, so that all ranks have the same numbers, in the same order, and decide alike: either all make the
/// step or none.
final class RankedStep: @unchecked Sendable {
    // Worker 0 alone writes here, between barriers, and the communication thread touches nothing of it: the proof of Sendable.
    let exchange: RankExchange
    /// The numbers of examples, by rank.
    let exampleCounts: [Int]
    /// What is known of the whole batch, a row for each rank where this rank's records have one for each worker.
    let whole: BatchRecords
    /// What the ranks told each other, by rank.
    private(set) var told: [[Double]] = []
    /// What went wrong; nothing is to be done after it.
    private(set) var failure: (any Error)?
    private let telling: () -> [Double]
    private var losses: Communicator.Transfer<[[Double]]>?
    private var exchanges: [Communicator.Transfer<Void>] = []
    /// How long worker 0 waited for the other ranks.
    private(set) var secondsWaited = 0.0

    init(_ exchange: RankExchange, exampleCount: Int, parameterCount: Int, telling: @escaping () -> [Double]) {
        self.exchange = exchange
        self.telling = telling
        let count = exchange.communicator.count
        exampleCounts = (0..<count).map { evenPart($0, of: count, total: exampleCount).count }
        whole = BatchRecords(exampleCount: exampleCount, parameterCount: parameterCount, workerCount: count)
    }

    var rank: Int { exchange.communicator.rank }
    /// This rank's part of the batch.
    var positions: Range<Int> {
        evenPart(rank, of: exampleCounts.count, total: whole.exampleCount)
    }
    var sendsRows: Bool { whole.exampleCount <= exchange.rows.largestExampleCount }

    // MARK: What worker 0 does

    /// Begins to tell the others of the losses, and what else there is to tell.
    func beginLosses(_ records: BatchRecords, correctCount: Int) {
        let own = records.lossValues + [Double(correctCount), records.hasFailed() ? 1 : 0] + telling()
        let otherCount = own.count - records.exampleCount
        let counts = exampleCounts.map { $0 + otherCount }
        losses = exchange.communicator.start { group in try group.gather(own, counts: counts) }
    }

    /// Begins to exchange gradients, or rows.
    func begin(_ buckets: [GradientBucket], withRows: Bool) {
        let (exchange, counts) = (exchange, exampleCounts)
        exchanges.append(
            exchange.communicator.start { group in
                if withRows { try exchange.rows.gather(group, exampleCounts: counts) }
                for bucket in buckets { try bucket.exchange(group) }
            })
    }

    /// Waits for all that was begun, and takes the losses over.
    func finishExchanges() {
        wait {
            if let losses {
                let gathered = try exchange.communicator.finish(losses)
                for (rank, values) in gathered.enumerated() {
                    let count = exampleCounts[rank]
                    whole.setLosses(
                        values.prefix(count), correctCount: Int(values[count]), from: firstPosition(of: rank), row: rank
                    )
                    if values[count + 1] != 0 { whole.fail(with: EngineError.unreadableOnRank(rank), inChunk: 0) }
                    told.append(Array(values.dropFirst(count + 2)))
                }
            }
            for transfer in exchanges { try exchange.communicator.finish(transfer) }
        }
    }

    /// Gathers the norms, of examples and of the gradient.
    func gatherNorms(_ records: BatchRecords) {
        wait {
            let own = records.squaredNormValues + records.parameterSums + records.gradientSums
            let (counts, parameterCount) = (exampleCounts, records.parameterCount)
            let gathered = try exchange.communicator.run { group in
                try group.gather(own, counts: counts.map { $0 + 2 * parameterCount })
            }
            for (rank, values) in gathered.enumerated() {
                whole.setNorms(values, exampleCount: exampleCounts[rank], from: firstPosition(of: rank), row: rank)
            }
        }
    }

    /// Gives every rank what this rank has of some buckets.
    func gather(_ buckets: [GradientBucket]) {
        wait {
            try exchange.communicator.run { group in for bucket in buckets { try bucket.gather(group) } }
        }
    }

    private func wait(_ body: () throws -> Void) {
        guard failure == nil else { return }
        let start = ContinuousClock.now
        do { try body() } catch { failure = error }
        secondsWaited += (ContinuousClock.now - start) / .seconds(1)
    }

    private func firstPosition(of rank: Int) -> Int { exampleCounts[..<rank].reduce(0, +) }
}
