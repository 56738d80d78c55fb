import CABS
import CABSExamples
import CABSPrimitives

/// The program that all workers run in one step, with the memory it works in.
///
/// Safe to share between the workers because of how it divides the work: a worker writes only its own lane and
/// tally, its own rows of the batch's records, its own tiles of matrices and its own shares of parameters, and reads
/// what others wrote only after a barrier. That is the proof behind `@unchecked Sendable`.
final class StepProgram: @unchecked Sendable {
    let parameters: [TrainableArray]
    /// How each layer is computed.
    var plan: [PlannedLayer] { exampleStage.plan + batchStage.plan }
    private let model: Model
    private let loss: Loss
    let rule: any UpdateRule
    let estimator: GradientEstimator
    let exampleStage: ExampleStage
    let batchStage: BatchStage
    /// What is done with a chunk in a step, and in an evaluation.
    private let training: BatchSchedule
    private let evaluation: BatchSchedule
    private let lanes: [ExampleLane]
    /// What each worker's lane hands over.
    private let handovers: [[StageHandover]]
    let workers: [WorkerCounts]
    private let targets: ChunkTargets
    /// What one worker or another brings up to date at a step's end.
    private let convertedParameters: [TrainableArray]
    let trainableOperations: [any ExampleOperation]
    private let exampleParameters: [TrainableArray]
    private let dividesAlways: Bool
    private let operationsPerExample: Double

    /// - Parameter dividesAlways: Whether even the smallest batch is divided between the workers.
    init(
        _ model: Model, loss: Loss, estimator: GradientEstimator, update: UpdateMethod, averagesParameters: Bool,
        workerCount: Int, dividesAlways: Bool
    ) throws(EngineError) {
        try update.validate()
        let rule = update.rule
        // Before the first of our loops runs: those of another instruction set would give other bits, and a network of dense layers
        // alone has no primitive that asks for the engine.
        _ = try DNNLEngine.shared.get()
        let split = StageSplit(model)
        let indices = Dictionary(
            uniqueKeysWithValues: model.parameters.enumerated().map { ($1.name, $0) })
        func context(
            _ placed: Model.PlacedLayer, _ backpropagates: Bool, _ exampleCounts: [Int]
        ) -> StageContext {
            let identities = placed.layer.parameters(for: placed.input).map { specification in
                let name = "\(placed.name).\(specification.name)"
                return (
                    specification.name,
                    TrainableArray.Identity(name: name, index: indices[name]!, shape: specification.shape)
                )
            }
            return StageContext(
                name: placed.name, position: model.layers.firstIndex { $0.name == placed.name }!,
                seed: model.seed, backpropagates: backpropagates, estimator: estimator,
                parameters: Dictionary(uniqueKeysWithValues: identities), workerCount: workerCount,
                slotCount: rule.slotNames.count, averagesParameters: averagesParameters,
                fusesUpdate: rule is any FusingUpdateRule,
                exampleCounts: exampleCounts)
        }
        let slotCount = Self.slotCount
        let chunkCapacity = slotCount * workerCount
        exampleStage = try ExampleStage(
            split, input: model.inputShape, slotCount: slotCount, measuresExactly: estimator != .reference,
            context: context)
        batchStage = try BatchStage(
            split, after: exampleStage, output: model.layers[model.layers.count - 1].tensor,
            rowCapacity: chunkCapacity
        ) { context($0, $1, [1]) }
        training = BatchSchedule(
            batchStage, isTraining: true, givesGradients: exampleStage.hasParameters, workerCount: workerCount)
        evaluation = BatchSchedule(batchStage, isTraining: false, givesGradients: false, workerCount: workerCount)
        lanes = try (0..<workerCount).map { [exampleStage] worker throws(EngineError) in
            try ExampleLane(exampleStage, worker: worker, slotCount: slotCount)
        }
        handovers = lanes.map { [batchStage] lane in
            zip(batchStage.inputs, zip(lane.outputs, lane.outputGradients)).map { matrix, places in
                StageHandover(output: places.0, outputGradient: places.1, matrix: matrix)
            }
        }
        exampleParameters = exampleStage.operations.flatMap(\.parameters)
        // In the model's order, which a block of both stages does not follow by itself.
        parameters = (exampleParameters + batchStage.operations.flatMap(\.parameters))
            .sorted { $0.identity.index < $1.identity.index }
        // The norm of a parameter that is used twice has products of both uses, which nothing here computes.
        precondition(
            parameters.map(\.identity.index) == Array(model.parameters.indices),
            "a parameter is used twice, or not at all")
        workers = (0..<workerCount).map { _ in WorkerCounts() }
        targets = ChunkTargets(rowCapacity: chunkCapacity)
        self.model = model
        self.loss = loss
        self.rule = rule
        self.estimator = estimator
        convertedParameters = parameters.filter(\.needsConversion)
        trainableOperations = exampleStage.operations.filter { !$0.parameters.isEmpty }
        self.dividesAlways = dividesAlways
        operationsPerExample = Double(model.operationsPerExample)
    }

    /// How many examples each worker has in hand between the forward and backward pass, a power of two: enough rows for
    /// the dense layers' products to run at full speed.
    static let slotCount = 64

    /// Brings everything derived from the parameters up to date.
    func parametersDidChange() {
        withoutOpenMPThreads {
            for operation in trainableOperations { operation.parametersDidChange() }
        }
    }

    /// Brings the averages of the parameters nearer to them.
    func average(weight: Float, on pool: WorkerPool) {
        let average = { @Sendable (worker: Worker) in
            for array in self.parameters { array.averageShare(worker, weight: weight) }
        }
        if model.parameterCount >= Self.leastDividedParameters { pool.run(average) } else { pool.runAlone(average) }
    }

    /// So many that a pass over them takes some tens of microseconds.
    private static let leastDividedParameters = 1 << 18

    /// Exchanges the parameters and their averages.
    func exchangeAverages() {
        for array in parameters { array.exchangeAverage() }
        parametersDidChange()
    }

    /// What the update keeps, by slot.
    var slotNames: [String] { rule.slotNames }

    func export(
        _ read: (TrainableArray) throws(EngineError) -> Tensor
    ) throws(EngineError) -> ParameterSet {
        var elements: [(name: String, tensor: Tensor)] = []
        for array in parameters { elements.append((array.identity.name, try read(array))) }
        return ParameterSet(elements)
    }

    // MARK: One step

    /// Runs a step on a batch, on one worker alone where the work is too little to be worth dividing.
    ///
    /// - Throws: Why an example could not be read, and ``EngineError/targetsDoNotFit(_:outputCount:)``.
    func run(_ batch: some ExampleBatch, _ purpose: StepPurpose, on pool: WorkerPool) throws -> StepReport {
        try records(of: batch, purpose, on: pool, outputCount: 0).report(
            names: parameters.map(\.identity.name), estimator: estimator, isTraining: purpose.isTraining)
    }

    /// The outputs for a batch, one after the other, and each example's loss.
    ///
    /// - Throws: As ``run(_:_:on:)`` does.
    func outputs(for batch: some ExampleBatch, on pool: WorkerPool) throws -> (outputs: [Float], losses: [Double]) {
        let records = try records(of: batch, .evaluate, on: pool, outputCount: model.outputCount)
        return (
            Array(UnsafeBufferPointer(start: records.outputs, count: batch.count * model.outputCount)),
            Array(UnsafeBufferPointer(start: records.losses, count: batch.count))
        )
    }

    /// - Parameter step: The step of all ranks of which this one's part is made, where there are several.
    /// - Throws: As ``run(_:_:on:)`` does.
    func records(
        of batch: some ExampleBatch, _ purpose: StepPurpose, on pool: WorkerPool, outputCount: Int,
        step: RankedStep? = nil
    ) throws -> BatchRecords {
        try targets.prepare(for: batch.target, outputCount: model.outputCount)
        let dividesWork = isWorthDividing(exampleCount: batch.count, workerCount: pool.workerCount)
        let records = BatchRecords(
            exampleCount: batch.count, parameterCount: parameters.count,
            workerCount: dividesWork ? pool.workerCount : 1, outputCount: outputCount)
        if dividesWork {
            pool.run { self.run(batch, purpose, records, step, worker: $0) }
        } else {
            pool.runAlone { self.run(batch, purpose, records, step, worker: $0) }
        }
        if let failure = records.failure { throw failure }
        return records
    }

    /// Whether a step is worth dividing between several workers: about a millisecond of one.
    ///
    /// A step has about ten barriers. Workers with a core each pass one within a microsecond; those that share cores take some
    /// ten microseconds. The number of cores that are free has no say: the sums of workers differ from those of one by rounding.
    private func isWorthDividing(exampleCount: Int, workerCount: Int) -> Bool {
        dividesAlways || workerCount > 1 && Double(exampleCount) * operationsPerExample >= Self.leastDividedOperations
    }

    private static let leastDividedOperations = 5e7

    /// Runs a worker's part of a step.
    private func run(
        _ batch: some ExampleBatch, _ purpose: StepPurpose, _ records: BatchRecords, _ step: RankedStep?,
        worker: Worker
    ) {
        let counts = workers[worker.index]
        counts.reset()
        if purpose.isTraining { lanes[worker.index].beginStep() }
        let capacity = Self.slotCount * worker.count
        let chunkCount = (batch.count + capacity - 1) / capacity
        for chunk in 0..<chunkCount {
            if chunk > 0, step == nil {
                // Ranks stay together to the end of what they exchange.
                worker.wait()
                if records.hasFailed(before: chunk) { break }
            }
            // Chunks of equal size: a last one of few examples would run the matrix products slowly.
            let examples = evenPart(chunk, of: chunkCount, total: batch.count)
            let pass = ChunkPass(
                rowCount: examples.count, index: chunk, firstPosition: examples.lowerBound,
                firstDraw: batch.firstDraw + UInt64(examples.lowerBound), isTraining: purpose.isTraining,
                gradientUse: step.map { $0.sendsRows ? .leftToOwners : .summed }
                    ?? (chunkCount == 1 && purpose.update != nil ? .update : .summed))
            let isLast = chunk == chunkCount - 1
            run(batch, pass, purpose, records, worker) {
                if isLast, let step, step.exchange.overlaps { sendBatchStage(step, records, worker) }
            }
            if isLast, purpose.isTraining, step == nil { finish(purpose, pass, records, worker) }
        }
        if let step { finishTogether(step, purpose, records, worker) }
        records.store(counts, worker: worker.index)
    }

    /// Runs a worker's part of what is done with one chunk.
    ///
    /// - Parameter batchStageEnded: Called where the batch stage has its gradients, before the example stage goes backward.
    private func run(
        _ batch: some ExampleBatch, _ pass: ChunkPass, _ purpose: StepPurpose, _ records: BatchRecords,
        _ worker: Worker,
        batchStageEnded: () -> Void
    ) {
        let counts = workers[worker.index]
        let rows = worker.share(of: pass.rowCount)
        for step in (purpose.isTraining ? training : evaluation).steps {
            if step.waits { worker.wait() }
            switch step.action {
            case .takeInputs: examplesForward(batch, pass, rows, records, worker)
            case .forward(let operation): operation.forward(worker, pass: pass)
            case .loss: evaluateLoss(pass, rows, records, counts)
            case .backward(let operation):
                operation.backward(
                    worker, pass: pass, tally: records.tally(for: worker.index, from: pass.firstPosition))
            case .giveGradients:
                batchStageEnded()
                counts.endPhase(.update)
                examplesBackward(pass, rows, records, worker)
            }
            counts.endPhase(step.action.phase)
        }
    }

    private func examplesForward(
        _ batch: some ExampleBatch, _ pass: ChunkPass, _ rows: Range<Int>, _ records: BatchRecords, _ worker: Worker
    ) {
        let (lane, handovers) = (lanes[worker.index], handovers[worker.index])
        let inputCount = model.inputShape.count
        lane.forward(0..<rows.count, pass: pass.examples(from: rows.lowerBound)) { slot in
            // After an error the values are those of examples before: workers go on to where they meet, and the step is not made.
            guard !records.hasFailed() else { return }
            let row = rows.lowerBound + slot
            let input = UnsafeMutableBufferPointer(start: lane.input[slot], count: inputCount)
            var place = targets.slot(row: row, input: input)
            do {
                try batch.write(pass.firstPosition + row, into: &place)
                try place.check()
            } catch {
                records.fail(with: error, inChunk: pass.index)
            }
        } finish: { slot in
            for handover in handovers { handover.giveValues(slot: slot, row: rows.lowerBound + slot) }
        }
    }

    private func evaluateLoss(_ pass: ChunkPass, _ rows: Range<Int>, _ records: BatchRecords, _ counts: WorkerCounts) {
        let output = batchStage.output
        var correctCount = 0
        for row in rows {
            let values = UnsafeBufferPointer(start: output.values(row: row), count: model.outputCount)
            let target = targets[row]
            let gradient = UnsafeMutableBufferPointer(start: output.gradient(row: row), count: model.outputCount)
            if let outputs = records.outputs {
                (outputs + (pass.firstPosition + row) * model.outputCount).update(
                    from: values.baseAddress!, count: model.outputCount)
            }
            records.losses[pass.firstPosition + row] = loss.evaluate(
                output: values, target: target, gradient: gradient)
            if loss.isCorrect(output: values, target: target) { correctCount += 1 }
        }
        counts.correctCount += correctCount
    }

    private func examplesBackward(
        _ pass: ChunkPass, _ rows: Range<Int>, _ records: BatchRecords, _ worker: Worker
    ) {
        let (lane, handovers) = (lanes[worker.index], handovers[worker.index])
        let tally = records.tally(for: worker.index, from: pass.firstPosition + rows.lowerBound)
        lane.backward(0..<rows.count, pass: pass.examples(from: rows.lowerBound), tally: tally) { slot in
            for handover in handovers { handover.takeGradient(slot: slot, row: rows.lowerBound + slot) }
        }
    }

    /// From the workers' sums to the gradient, the decision and the update.
    ///
    /// - Parameter pass: The last chunk's.
    private func finish(_ purpose: StepPurpose, _ pass: ChunkPass, _ records: BatchRecords, _ worker: Worker) {
        let summed = exampleParameters + batchStage.operations.flatMap { $0.parametersWithGradient(after: pass) }
        let scale = 1 / Float(records.exampleCount)
        let clips = purpose.update?.clips ?? false
        let gradientSquaredNorms = records.gradientSquaredNorms + worker.index * parameters.count
        worker.wait()
        for array in summed {
            array.reduceShare(worker)
            // The examples' norms bound that of the gradient, which the update then gives along the way. Without them, and where the
            // gradient may be shortened, it must be known before the decision.
            if estimator == .unmeasured || clips {
                gradientSquaredNorms[array.identity.index] = array.squaredNormShare(worker, scale: scale)
            }
        }
        worker.wait()
        if worker.index == 0 {
            records.decide(for: purpose)
        }
        worker.forEachInTurn(convertedParameters) { $0.convert() }
        worker.wait()
        if let step = purpose.update, records.isSound {
            for array in summed {
                let squaredNorm = array.updateShare(worker, scale: scale * records.gradientFactor, rule, step)
                if !clips { gradientSquaredNorms[array.identity.index] = squaredNorm }
            }
            for operation in batchStage.operations {
                operation.update(
                    worker, pass: pass, rule, step, gradientFactor: records.gradientFactor)
            }
            worker.wait()
            worker.forEachInTurn(trainableOperations) { $0.parametersDidChange() }
        } else {
            for array in summed { gradientSquaredNorms[array.identity.index] = array.scaleShare(worker, scale: scale) }
        }
        workers[worker.index].endPhase(.update)
    }
}
