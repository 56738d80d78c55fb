import CVectorMath

/// One matrix for several readers, whose gradients add up.
final class BatchFork: BatchOperation {
    let outputs: [BatchMatrix]
    private let input: BatchMatrix

    init(_ input: BatchMatrix, readerCount: Int) {
        self.input = input
        outputs = (0..<readerCount).map { _ in BatchMatrix(sharingValuesOf: input) }
    }

    let forwardAccesses: [MatrixAccess] = []
    var backwardAccesses: [MatrixAccess] {
        outputs.map { $0.readsGradients(by: .tiles) } + [input.writesGradients(by: .tiles)]
    }

    func forward(_ worker: Worker, pass: ChunkPass) {}

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        input.tile(of: worker, rowCount: pass.rowCount).forEachRow(of: input) { _, offset, columns in
            let (sum, count) = (input.gradients.pointer + offset, columns.count)
            sum.update(from: outputs[0].gradients.pointer + offset, count: count)
            for other in outputs.dropFirst() { cvm_add(sum, other.gradients.pointer + offset, count) }
        }
    }
}
