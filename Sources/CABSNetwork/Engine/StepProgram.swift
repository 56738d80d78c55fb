import CABS
import CVectorMath

/// What a step is for.
enum StepPurpose: Sendable {
    /// To update the parameters.
    case descend(GradientDescent)
    /// To leave the mean gradient where it can be exported.
    case measure
    /// To compute the loss alone.
    case evaluate

    var isTraining: Bool {
        if case .evaluate = self { false } else { true }
    }
}

/// The program that all workers run in one step, with the memory it works in.
///
/// Safe to share between the workers because of how it divides the work: a worker writes only its own lane and
/// tally, its own rows of the batch's records, its own tiles of matrices and its own shares of parameters, and reads
/// what others wrote only after a barrier. That is the proof behind `@unchecked Sendable`.
final class StepProgram: @unchecked Sendable {
    let parameters: [TrainableArray]
    private let model: Model
    private let loss: Loss
    private let estimator: GradientEstimator
    private let workerCount: Int
    private let exampleStage: ExampleStage
    private let batchStage: BatchStage
    private let lanes: [ExampleLane]
    private let workers: [WorkerMemory]
    private let targets: BatchMatrix
    private let chunkCapacity: Int

    init(
        _ model: Model, loss: Loss, estimator: GradientEstimator, workerCount: Int
    ) throws(EngineError) {
        let split = model.layers.firstIndex { $0.layer is Dense } ?? model.layers.count
        let indices = Dictionary(
            uniqueKeysWithValues: model.parameters.enumerated().map { ($1.name, $0) })
        func context(_ placed: Model.PlacedLayer, _ backpropagates: Bool) -> StageContext {
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
                parameters: Dictionary(uniqueKeysWithValues: identities), workerCount: workerCount)
        }
        let slotCount = Self.slotCount
        chunkCapacity = slotCount * workerCount
        exampleStage = try ExampleStage(
            Array(model.layers[..<split]), input: model.inputShape, endsPlainly: split == model.layers.count,
            context: context)
        batchStage = try BatchStage(
            Array(model.layers[split...]), after: exampleStage, rowCapacity: chunkCapacity, context: context)
        lanes = try (0..<workerCount).map { [exampleStage] worker throws(EngineError) in
            try ExampleLane(exampleStage, worker: worker, slotCount: slotCount)
        }
        parameters = exampleStage.operations.flatMap(\.parameters) + batchStage.operations.flatMap(\.parameters)
        workers = (0..<workerCount).map { [parameters] _ in WorkerMemory(model, parameterCount: parameters.count) }
        targets = BatchMatrix(rowCapacity: chunkCapacity, columnCount: model.outputCount)
        self.model = model
        self.loss = loss
        self.estimator = estimator
        self.workerCount = workerCount
    }

    /// How many examples each worker has in hand between the forward and backward pass: enough rows for the dense
    /// layers' products to run at full speed.
    private static let slotCount = 64

    /// Brings everything derived from the parameters up to date.
    func parametersDidChange() {
        withoutOpenMPThreads {
            for operation in exampleStage.operations { operation.parametersDidChange() }
        }
    }

    func export(
        _ read: (TrainableArray) throws(EngineError) -> Tensor
    ) throws(EngineError) -> ParameterSet {
        var elements: [(name: String, tensor: Tensor)] = []
        for array in parameters { elements.append((array.identity.name, try read(array))) }
        return ParameterSet(elements)
    }

    // MARK: One step

    /// The records of a step, ready to be written by the workers.
    func prepare(for exampleCount: Int) -> BatchRecords {
        BatchRecords(exampleCount: exampleCount, parameterCount: parameters.count, workerCount: workerCount)
    }

    /// Runs a worker's part of a step.
    func run(
        _ batch: some ExampleBatch, _ purpose: StepPurpose, _ records: BatchRecords, worker: Int,
        barrier: Barrier
    ) {
        let memory = workers[worker]
        memory.tally.reset()
        memory.correctCount = 0
        let isTraining = purpose.isTraining
        if isTraining {
            for operation in exampleStage.operations { operation.parameters.forEach { $0.clearSum(of: worker) } }
        }
        let chunkCount = (batch.count + chunkCapacity - 1) / chunkCapacity
        for chunk in 0..<chunkCount {
            // Chunks of equal size: a last one of few examples would run the matrix products slowly.
            let examples = evenShare(of: batch.count, worker: chunk, of: chunkCount)
            let pass = ChunkPass(
                rowCount: examples.count, firstPosition: examples.lowerBound,
                firstDraw: batch.firstDraw + UInt64(examples.lowerBound), isTraining: isTraining)
            let rows = evenShare(of: examples.count, worker: worker, of: workerCount)
            forward(batch, pass, rows, records, worker: worker, barrier: barrier)
            if isTraining { backward(pass, rows, records, worker: worker, barrier: barrier) }
        }
        records.store(memory, worker: worker)
        if isTraining { finish(purpose, records, worker: worker, barrier: barrier) }
    }

    private func forward(
        _ batch: some ExampleBatch, _ pass: ChunkPass, _ rows: Range<Int>, _ records: BatchRecords,
        worker: Int, barrier: Barrier
    ) {
        let (lane, memory) = (lanes[worker], workers[worker])
        for (slot, row) in rows.enumerated() {
            batch.copyExample(
                at: pass.firstPosition + row, input: &memory.input, target: &memory.target)
            lane.input[slot].update(from: memory.input, count: memory.input.count)
            targets.values(row: row).update(from: memory.target, count: memory.target.count)
            lane.forward(slot: slot, pass: pass.examplePass(row: row))
            batchStage.input.values(row: row).update(from: lane.output[slot], count: batchStage.input.columnCount)
        }
        for operation in batchStage.operations {
            operation.forward(worker: worker, pass: pass, barrier: barrier)
        }
        // The output's rows and columns come from all workers.
        barrier.wait()
        let output = batchStage.output
        for row in rows {
            let values = UnsafeBufferPointer(start: output.values(row: row), count: model.outputCount)
            let target = UnsafeBufferPointer(start: targets.values(row: row), count: model.outputCount)
            let gradient = UnsafeMutableBufferPointer(start: output.gradient(row: row), count: model.outputCount)
            records.losses[pass.firstPosition + row] = loss.evaluate(
                output: values, target: target, gradient: gradient)
            if loss.isCorrect(output: values, target: target) { memory.correctCount += 1 }
        }
    }

    private func backward(
        _ pass: ChunkPass, _ rows: Range<Int>, _ records: BatchRecords, worker: Int, barrier: Barrier
    ) {
        let (lane, memory) = (lanes[worker], workers[worker])
        // An elementwise layer may come next, whose tiles are not the loss's rows.
        barrier.wait()
        let tally = BatchTally(
            tally: memory.tally, exampleSquaredNorms: records.squaredNorms + pass.firstPosition)
        for operation in batchStage.operations.reversed() {
            operation.backward(worker: worker, pass: pass, tally: tally, barrier: barrier)
        }
        // The next chunk overwrites what others may still read; and the gradient's rows come from all workers.
        barrier.wait()
        guard exampleStage.hasParameters else { return }
        for (slot, row) in rows.enumerated() {
            lane.outputGradient[slot].update(
                from: batchStage.input.gradient(row: row), count: batchStage.input.columnCount)
            memory.tally.exampleSquaredNorm = 0
            lane.backward(slot: slot, pass: pass.examplePass(row: row), tally: memory.tally)
            records.squaredNorms[pass.firstPosition + row] += memory.tally.exampleSquaredNorm
        }
    }

    /// From the workers' sums to the gradient and the update. This is the one place where gradients of different
    /// workers meet.
    private func finish(_ purpose: StepPurpose, _ records: BatchRecords, worker: Int, barrier: Barrier) {
        barrier.wait()
        for array in parameters { array.reduceShare(worker: worker, of: workerCount) }
        if parameters.contains(where: \.needsConversion) {
            barrier.wait()
            for (index, array) in parameters.enumerated() where index % workerCount == worker { array.convert() }
            barrier.wait()
        }
        let scale = 1 / Float(records.exampleCount)
        for (index, array) in parameters.enumerated() {
            let squaredNorm =
                switch purpose {
                case .descend(let descent):
                    array.descendShare(worker: worker, of: workerCount, scale: scale, descent: descent)
                case .measure, .evaluate:
                    array.scaleShare(worker: worker, of: workerCount, scale: scale)
                }
            records.gradientSquaredNorms[worker * parameters.count + index] = squaredNorm
        }
        barrier.wait()
        if case .descend = purpose {
            for (index, operation) in exampleStage.operations.enumerated() where index % workerCount == worker {
                operation.parametersDidChange()
            }
        }
    }
}
