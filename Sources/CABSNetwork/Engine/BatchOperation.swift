/// A layer of the batch stage: it runs on a chunk of examples at a time, all workers together.
protocol BatchOperation: AnyObject, Sendable {
    /// What the operation leaves.
    var output: BatchMatrix { get }
    /// The operation's parameters, none for most.
    var parameters: [TrainableArray] { get }
    /// What is computed, and how; nothing where there is no choice.
    var computations: [PlannedComputation] { get }
    /// Computes this worker's tile of the output.
    func forward(_ worker: Worker, pass: ChunkPass)
    /// Computes this worker's parts of the gradients.
    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally)
    /// The parameters whose gradient the backward pass formed. The others' is in what the pass left, for
    /// ``update(_:pass:_:_:gradientFactor:)`` to take it from there.
    func parametersWithGradient(after pass: ChunkPass) -> [TrainableArray]
    /// Computes this worker's part of the update of the others.
    func update(
        _ worker: Worker, pass: ChunkPass, _ rule: any UpdateRule, _ step: UpdateStep, gradientFactor: Float)
}

extension BatchOperation {
    var computations: [PlannedComputation] { [] }
    func parametersWithGradient(after pass: ChunkPass) -> [TrainableArray] { parameters }
    func update(
        _ worker: Worker, pass: ChunkPass, _ rule: any UpdateRule, _ step: UpdateStep, gradientFactor: Float
    ) {}
}

/// Values and gradients of one layer for the examples of a chunk, [rows, columns] in row-major order.
///
/// A layer that works in place shares its matrix with the layer before.
final class BatchMatrix: Sendable {
    let rowCapacity: Int
    let columnCount: Int
    let values: AlignedBuffer
    let gradients: AlignedBuffer

    init(rowCapacity: Int, columnCount: Int) {
        self.rowCapacity = rowCapacity
        self.columnCount = columnCount
        values = AlignedBuffer(count: rowCapacity * columnCount)
        gradients = AlignedBuffer(count: rowCapacity * columnCount)
    }

    func values(row: Int) -> UnsafeMutablePointer<Float> { values.pointer + row * columnCount }

    func gradient(row: Int) -> UnsafeMutablePointer<Float> { gradients.pointer + row * columnCount }

    func tile(of worker: Worker, rowCount: Int) -> MatrixTile {
        MatrixTile(of: worker, rowCount: rowCount, columnCount: columnCount)
    }
}

/// One chunk's way through the network.
struct ChunkPass {
    /// The number of examples, which are the rows of every matrix.
    let rowCount: Int
    /// The place of the chunk's first example in the batch.
    let firstPosition: Int
    /// The number of examples drawn before the chunk's first since the run began.
    let firstDraw: UInt64
    /// Whether this is a training step, and not an evaluation.
    let isTraining: Bool
    /// Whether the chunk is the whole batch of a step with an update: gradients are then of use to the update alone.
    let isWholeUpdate: Bool

    /// Whether gradient sums start with this chunk.
    var isFirst: Bool { firstPosition == 0 }

    /// The way of the examples from a row on.
    func examples(from row: Int) -> ExamplePass {
        ExamplePass(isTraining: isTraining, firstDraw: firstDraw + UInt64(row))
    }
}

/// An elementwise layer in the batch stage.
final class ElementwiseBatchOperation: BatchOperation {
    let output: BatchMatrix
    private let input: BatchMatrix
    private let function: any ElementwiseFunction

    let parameters: [TrainableArray] = []

    /// - Parameter output: The input's matrix to work in place, or another.
    init(input: BatchMatrix, output: BatchMatrix, function: any ElementwiseFunction) {
        self.input = input
        self.output = output
        self.function = function
    }

    func forward(_ worker: Worker, pass: ChunkPass) {
        forEachRow(worker, pass) { offset, columns, draw in
            if output !== input {
                (output.values.pointer + offset).update(from: input.values.pointer + offset, count: columns.count)
            }
            function.forward(
                output.values.pointer + offset, count: columns.count, offset: columns.lowerBound,
                draw: pass.isTraining ? draw : nil)
        }
    }

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        forEachRow(worker, pass) { offset, columns, draw in
            let operand = (function.backwardReads == .input ? input : output).values.pointer + offset
            function.backward(
                output.gradients.pointer + offset, operand: operand,
                count: columns.count, offset: columns.lowerBound, draw: draw)
            if output !== input {
                (input.gradients.pointer + offset).update(
                    from: output.gradients.pointer + offset, count: columns.count)
            }
        }
    }

    private func forEachRow(
        _ worker: Worker, _ pass: ChunkPass, _ body: (_ offset: Int, _ columns: Range<Int>, _ draw: UInt64) -> Void
    ) {
        let tile = output.tile(of: worker, rowCount: pass.rowCount)
        guard !tile.isEmpty else { return }
        for row in tile.rows {
            body(
                row * output.columnCount + tile.columns.lowerBound, tile.columns,
                pass.firstDraw + UInt64(row))
        }
    }
}
