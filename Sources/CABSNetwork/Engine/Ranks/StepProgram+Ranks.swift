import CABSExamples
import CABSPrimitives
import CABSRanks
import CVectorMath

/// A step of several ranks: each makes its part of the batch, and what they found meets here.
extension StepProgram {
    /// Sets up what belongs to the other ranks. Collective.
    ///
    /// - Throws: ``EngineError/layoutsDiffer(rank:)``, and what communication throws.
    func exchange(with communicator: Communicator, _ exchange: GradientExchange) throws -> RankExchange {
        try RankExchange(
            communicator, exchange, exampleStage: exampleStage, batchStage: batchStage,
            rowCapacity: Self.slotCount)
    }

    /// Runs a step on this rank's part of a batch.
    ///
    /// - Parameter telling: What the other ranks are told with the losses, always as many numbers; asked when the last example was read.
    /// - Throws: What communication throws, why an example could not be read, and on the other ranks ``EngineError/unreadableOnRank(_:)``.
    func run(
        _ batch: some ExampleBatch, _ purpose: StepPurpose, on pool: WorkerPool, _ exchange: RankExchange,
        telling: @escaping () -> [Double]
    ) throws -> StepReport {
        let step = RankedStep(
            exchange, exampleCount: batch.count, parameterCount: parameters.count, telling: telling)
        let part = BatchPart(whole: batch, positions: step.positions)
        let records = try records(of: part, purpose, on: pool, outputCount: 0, step: step)
        if let failure = step.failure ?? step.whole.failure { throw failure }
        step.whole.setPhases(records, secondsWaited: step.secondsWaited)
        var report = step.whole.report(
            names: parameters.map(\.identity.name), estimator: estimator, isTraining: purpose.isTraining)
        report.told = step.told
        return report
    }

    /// Sends what the batch stage has, while the example stage goes backward.
    func sendBatchStage(_ step: RankedStep, _ records: BatchRecords, _ worker: Worker) {
        let (exchange, sendsRows) = (step.exchange, step.sendsRows)
        let buckets = sendsRows ? [exchange.batch] : [exchange.dense, exchange.batch]
        pack(buckets, records, worker)
        worker.wait()
        guard worker.index == 0 else { return }
        if sendsRows { exchange.rows.pack(exampleCount: records.exampleCount) }
        step.beginLosses(records, correctCount: correctCount(worker))
        step.begin(buckets, withRows: sendsRows)
    }

    /// From the workers' sums to those of all ranks, the decision and the update.
    func finishTogether(_ step: RankedStep, _ purpose: StepPurpose, _ records: BatchRecords, _ worker: Worker) {
        let exchange = step.exchange
        guard purpose.isTraining else {
            worker.wait()
            if worker.index == 0 {
                step.beginLosses(records, correctCount: correctCount(worker))
                step.finishExchanges()
            }
            return
        }
        // Where the example stage does not go backward, nothing was sent on the way.
        let wasSent = exchange.overlaps && records.exampleCount > 0 && exampleStage.hasParameters
        if !wasSent { sendBatchStage(step, records, worker) }
        pack([exchange.examples], records, worker)
        worker.wait()
        if worker.index == 0 {
            step.begin([exchange.examples], withRows: false)
            step.finishExchanges()
        }
        worker.wait()
        guard step.failure == nil else { return }
        sumSlices(step, records, worker)
        worker.wait()
        if worker.index == 0 {
            step.gatherNorms(records)
            step.whole.decide(for: purpose)
        }
        worker.wait()
        guard step.failure == nil else { return }
        if let update = purpose.update {
            if step.whole.isSound { self.update(step, update, worker) }
        } else {
            shareGradient(step, worker)
        }
        workers[worker.index].endPhase(.update)
    }

    private func correctCount(_ worker: Worker) -> Int {
        workers.prefix(worker.count).reduce(0) { $0 + $1.correctCount }
    }

    /// Brings this worker's share of the sums into the form of the values, and lays it where it goes from. The batch's part that is empty
    /// has sums of an earlier step, and sends zeros.
    private func pack(_ buckets: [GradientBucket], _ records: BatchRecords, _ worker: Worker) {
        let arrays = buckets.flatMap(\.arrays)
        worker.wait()
        for array in arrays { array.reduceShare(worker) }
        worker.wait()
        worker.forEachInTurn(arrays) { $0.convert() }
        worker.wait()
        for bucket in buckets { bucket.pack(worker) { records.exampleCount > 0 ? $0.gradient : nil } }
    }

    /// Adds up this rank's slices, and notes their part of the gradient's squared norm.
    private func sumSlices(_ step: RankedStep, _ records: BatchRecords, _ worker: Worker) {
        let exchange = step.exchange
        let scale = 1 / Float(step.whole.exampleCount)
        if step.sendsRows {
            exchange.rows.multiply(worker, exampleCount: step.whole.exampleCount)
            worker.wait()
        }
        let norms = records.gradientSquaredNorms + worker.index * parameters.count
        norms.update(repeating: 0, count: parameters.count)
        for bucket in exchange.buckets {
            if !(step.sendsRows && bucket === exchange.dense) { bucket.sum(worker) }
            bucket.forEachOwned(worker) { array, places, sum in
                norms[array.identity.index] =
                    cvm_squared_norm(sum, places.count) * Double(scale) * Double(scale)
            }
        }
    }

    /// Updates this rank's slices and gives their values to all.
    private func update(_ step: RankedStep, _ update: UpdateStep, _ worker: Worker) {
        let scale = 1 / Float(step.whole.exampleCount) * step.whole.gradientFactor
        for bucket in step.exchange.buckets {
            bucket.forEachOwned(worker) { array, places, sum in
                _ = rule.apply(to: array.share(places), gradientSum: sum, scale: scale, update)
            }
            bucket.packOwned(worker, from: \.values)
        }
        share(step, worker, into: \.values)
        guard step.failure == nil else { return }
        worker.wait()
        worker.forEachInTurn(trainableOperations) { $0.parametersDidChange() }
    }

    /// Leaves the mean gradient on every rank, to be exported.
    private func shareGradient(_ step: RankedStep, _ worker: Worker) {
        for bucket in step.exchange.buckets {
            bucket.forEachOwned(worker) { _, places, sum in
                _ = cvm_scale_with_squared_norm(sum, 1 / Float(step.whole.exampleCount), places.count)
            }
        }
        share(step, worker, into: \.gradient)
    }

    private func share(_ step: RankedStep, _ worker: Worker, into buffer: (TrainableArray) -> AlignedBuffer) {
        worker.wait()
        if worker.index == 0 { step.gather(step.exchange.buckets) }
        worker.wait()
        guard step.failure == nil else { return }
        for bucket in step.exchange.buckets { bucket.unpack(worker, into: buffer) }
    }

    /// Gives every rank all slices of what only their owners keep.
    ///
    /// - Throws: What communication throws.
    func gather(_ exchange: RankExchange, _ buffer: (TrainableArray) -> AlignedBuffer?) throws {
        let worker = Worker(index: 0, count: 1, barrier: Barrier(count: 1))
        for bucket in exchange.buckets where bucket.arrays.allSatisfy({ buffer($0) != nil }) {
            bucket.packOwned(worker) { buffer($0)! }
            try exchange.communicator.run { try bucket.gather($0) }
            bucket.unpack(worker) { buffer($0)! }
        }
    }
}
