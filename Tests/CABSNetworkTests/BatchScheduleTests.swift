import Testing

@testable import CABSNetwork

/// What operations of the batch stage say of themselves, and the barriers that follow from it.
@Suite(.timeLimit(.minutes(10))) struct BatchScheduleTests {
    /// Operations of every kind, with wide and narrow matrices.
    static let layers: [any Layer] = [
        Dense(units: 96), Residual(layers: [Tanh(), Dense(units: 96), GELU(), LayerNorm()]), ReLU(), Dense(units: 20),
        Residual(layers: [Dense(units: 20), LayerNorm(), Dropout(rate: 0.1)], shortcut: [Dense(units: 20)]),
        LayerNorm(),
        Sigmoid(), Dense(units: 10),
    ]

    static func stage(workers: Int) throws -> BatchStage {
        let model = try Model(input: .vector(40), layers: layers)
        return try StepProgram(
            model, loss: .softmaxCrossEntropy, estimator: .exact, update: .gradientDescent, averagesParameters: false,
            workerCount: workers, dividesAlways: true
        ).batchStage
    }

    @Test(arguments: [1, 2, 3, 5])
    func `no two workers meet between two barriers`(workers: Int) throws {
        let stage = try Self.stage(workers: workers)
        for isTraining in [true, false] {
            let schedule = BatchSchedule(stage, isTraining: isTraining, givesGradients: true, workerCount: workers)
            for rows in [1, 2, 7, 64 * workers] { #expect(schedule.isSafe(workerCount: workers, rowCount: rows)) }
            let waits = schedule.steps.count(where: \.waits)
            #expect(workers == 1 ? waits == 0 : waits < schedule.steps.count && (!isTraining || waits > 1), "\(waits)")
        }
    }

    @Test func `a barrier less is found to be unsafe`() throws {
        let stage = try Self.stage(workers: 2)
        let schedule = BatchSchedule(stage, isTraining: true, givesGradients: true, workerCount: 2)
        for index in schedule.steps.indices where schedule.steps[index].waits {
            var broken = schedule
            broken.steps[index].waits = false
            #expect(!broken.isSafe(workerCount: 2, rowCount: 64), "before step \(index)")
        }
    }

    /// Each worker alone, on matrices full of a mark: what it leaves changed must be what it declared.
    @Test(arguments: [2, 3])
    func `operations write what they declare and nothing else`(workers: Int) throws {
        let (stage, rows) = (try Self.stage(workers: workers), 7)
        let mark: Float = 0.3125
        let pass = ChunkPass(
            rowCount: rows, index: 0, firstPosition: 0, firstDraw: 0, isTraining: true, gradientUse: .summed)
        let records = BatchRecords(exampleCount: rows, parameterCount: 40, workerCount: workers)
        var written = 0
        for operation in stage.operations {
            for isForward in [true, false] {
                let accesses = isForward ? operation.forwardAccesses : operation.backwardAccesses
                for index in 0..<workers {
                    let worker = Worker(index: index, count: workers, barrier: Barrier(count: 1))
                    for access in accesses { access.buffer.pointer.update(repeating: mark, count: access.buffer.count) }
                    if isForward {
                        operation.forward(worker, pass: pass)
                    } else {
                        operation.backward(worker, pass: pass, tally: records.tally(for: index, from: 0))
                    }
                    for access in accesses {
                        let own = accesses.filter { $0.buffer === access.buffer && $0.writes }.map {
                            $0.partition.tile(of: worker, rowCount: rows, columnCount: access.columnCount)
                        }
                        let changed = (0..<access.buffer.count).filter { access.buffer.pointer[$0] != mark }
                        let strangers = changed.filter { place in
                            let (row, column) = place.quotientAndRemainder(dividingBy: access.columnCount)
                            return !own.contains { $0.rows.contains(row) && $0.columns.contains(column) }
                        }
                        #expect(strangers.isEmpty, "\(type(of: operation)), forward \(isForward), worker \(index)")
                        written += changed.count
                    }
                }
            }
        }
        #expect(written > 10_000)
    }

    @Test func `workers without examples leave nothing of an earlier step behind`() throws {
        let model = try Model(input: .vector(12), layers: [Dense(units: 9), LayerNorm(), Tanh(), Dense(units: 4)])
        let batch = ArrayBatch.random(model, count: 7)
        let one = ArrayBatch(inputs: [batch.inputs[0]], targets: [batch.targets[0]], firstDraw: 0)
        let network = try Network(model, workerCount: 3, dividesAlways: true)
        _ = try network.gradient(of: batch)
        let after = try network.gradient(of: one).gradient
        let alone = try Network(model, workerCount: 1).gradient(of: one).gradient
        for (name, tensor) in after.elements {
            let distance = zip(tensor.values, alone[name]!.values).map { abs($0 - $1) }.max()!
            #expect(distance < 1e-5, "\(name)")
        }
    }
}
