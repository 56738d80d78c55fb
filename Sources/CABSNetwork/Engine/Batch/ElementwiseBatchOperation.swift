extension ElementwiseLayer {
    func makeOperation(from inputs: [BatchMatrix], in context: BatchContext) -> any BatchOperation {
        let function = makeFunction(in: context.surroundings)
        let isInPlace = context.mayOverwriteInput && function.backwardReads != .input
        return ElementwiseBatchOperation(
            input: inputs[0],
            output: isInPlace
                ? inputs[0] : BatchMatrix(rowCapacity: inputs[0].rowCapacity, columnCount: inputs[0].columnCount),
            function: function)
    }
}

/// An elementwise layer in the batch stage.
private final class ElementwiseBatchOperation: BatchOperation {
    private let input: BatchMatrix
    private let output: BatchMatrix
    private let function: any ElementwiseFunction

    /// - Parameter output: The input's matrix to work in place, or another.
    init(input: BatchMatrix, output: BatchMatrix, function: any ElementwiseFunction) {
        self.input = input
        self.output = output
        self.function = function
    }

    var outputs: [BatchMatrix] { [output] }
    var backwardReadsOutput: Bool { function.backwardReads == .output }
    var forwardAccesses: [MatrixAccess] { [input.readsValues(by: .tiles), output.writesValues(by: .tiles)] }
    var backwardAccesses: [MatrixAccess] {
        [
            operand.readsValues(by: .tiles), output.readsGradients(by: .tiles), output.writesGradients(by: .tiles),
            input.writesGradients(by: .tiles),
        ]
    }

    private var operand: BatchMatrix { function.backwardReads == .input ? input : output }

    func forward(_ worker: Worker, pass: ChunkPass) {
        output.tile(of: worker, rowCount: pass.rowCount).forEachRow(of: output) { row, offset, columns in
            let draw = pass.examples(from: 0).draw(of: row)
            if output !== input {
                (output.values.pointer + offset).update(from: input.values.pointer + offset, count: columns.count)
            }
            function.forward(
                output.values.pointer + offset, count: columns.count, offset: columns.lowerBound,
                draw: pass.isTraining ? draw : nil)
        }
    }

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        output.tile(of: worker, rowCount: pass.rowCount).forEachRow(of: output) { row, offset, columns in
            let draw = pass.examples(from: 0).draw(of: row)
            function.backward(
                output.gradients.pointer + offset, operand: operand.values.pointer + offset,
                count: columns.count, offset: columns.lowerBound, draw: draw)
            if output !== input {
                (input.gradients.pointer + offset).update(
                    from: output.gradients.pointer + offset, count: columns.count)
            }
        }
    }
}
