import CABSPrimitives

/// From one worker's place for a tensor in the example stage to the rows of the batch stage's matrix, and its gradient back.
///
/// Addresses alone: what happens for every example has no reference to count. The lane and the batch stage own the memory, and
/// ``StepProgram`` both.
struct StageHandover {
    private let output: TensorAddress
    private let outputGradient: TensorAddress
    private let values: UnsafeMutablePointer<Float>
    private let gradients: UnsafeMutablePointer<Float>
    private let columnCount: Int

    init(output: TensorAddress, outputGradient: TensorAddress, matrix: BatchMatrix) {
        self.output = output
        self.outputGradient = outputGradient
        values = matrix.values.pointer
        gradients = matrix.gradients.pointer
        columnCount = matrix.columnCount
    }

    func giveValues(slot: Int, row: Int) {
        (values + row * columnCount).update(from: output[slot], count: columnCount)
    }

    func takeGradient(slot: Int, row: Int) {
        outputGradient[slot].update(from: gradients + row * columnCount, count: columnCount)
    }
}
