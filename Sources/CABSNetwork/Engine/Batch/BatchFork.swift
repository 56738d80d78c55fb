import CVectorMath

/// One matrix for several readers, whose gradients add up.
final class BatchFork: BatchOperation {
    let outputs: [BatchMatrix]
    private let input: BatchMatrix

    init(_ input: BatchMatrix, readerCount: Int) {
        self.input = input
        outputs = (0..<readerCount).map { _ in BatchMatrix(sharingValuesOf: input) }
    }

    // The values have other readers.
    let backwardReadsOutput = true
    let forwardAccesses: [MatrixAccess] = []
    var backwardAccesses: [MatrixAccess] {
        outputs.map { $0.readsGradients(by: .tiles) } + [input.writesGradients(by: .tiles)]
    }

    func forward(_ worker: Worker, pass: ChunkPass) {}

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        input.tile(of: worker, rowCount: pass.rowCount).forEachRow(of: input) { offset, count in
            let sum = input.gradients.pointer + offset
            sum.update(from: outputs[0].gradients.pointer + offset, count: count)
            for other in outputs.dropFirst() { cvm_add(sum, other.gradients.pointer + offset, count) }
        }
    }
}

extension MatrixTile {
    /// Calls `body` for each row with the place of its first value in a matrix, and the number of values.
    func forEachRow(of matrix: BatchMatrix, _ body: (_ offset: Int, _ count: Int) -> Void) {
        guard !isEmpty else { return }
        for row in rows { body(row * matrix.columnCount + columns.lowerBound, columns.count) }
    }
}
