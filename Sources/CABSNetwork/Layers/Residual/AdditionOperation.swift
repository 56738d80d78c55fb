import CABSExamples
import CABSPrimitives
import CVectorMath

extension Addition: ExampleStageLayer {
    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) -> any ExampleOperation { AdditionOperation(input: input) }
}

/// The sum of two tensors, the second added to the first.
private struct AdditionOperation: ExampleOperation {
    let input: TensorLayout
    var output: TensorLayout { input }

    let backwardReadsInput = false
    let backwardReadsOutput = false
    let worksInPlace = true
    let scratchByteCount = 0

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(places: places, count: input.storedCount) }

    private final class Kernel: ExampleKernel {
        let places: ExamplePlaces
        let count: Int

        init(places: ExamplePlaces, count: Int) {
            self.places = places
            self.count = count
        }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {
            for slot in slots {
                let output = places.output[slot]
                if output != places.inputs[0][slot] { output.update(from: places.inputs[0][slot], count: count) }
                cvm_add(output, places.inputs[1][slot], count)
            }
        }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            // The first input's gradient is the output's, in its place.
            guard let second = places.inputGradients[1] else { return }
            for slot in slots { second[slot].update(from: places.outputGradient[slot], count: count) }
        }
    }
}

/// One tensor for several readers, whose gradients add up.
struct ForkOperation: ExampleOperation {
    let input: TensorLayout
    let outputCount: Int
    var output: TensorLayout { input }

    let backwardReadsInput = false
    let backwardReadsOutput = false
    let worksInPlace = false
    let outputsShareInput = true
    let scratchByteCount = 0

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(places: places, count: input.storedCount) }

    private final class Kernel: ExampleKernel {
        let places: ExamplePlaces
        let count: Int

        init(places: ExamplePlaces, count: Int) {
            self.places = places
            self.count = count
        }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {}

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            guard let sum = places.inputGradient else { return }
            for slot in slots {
                sum[slot].update(from: places.outputGradients[0][slot], count: count)
                for other in places.outputGradients.dropFirst() { cvm_add(sum[slot], other[slot], count) }
            }
        }
    }
}

extension Addition: BatchStageLayer {
    func makeOperation(from inputs: [BatchMatrix], in context: BatchContext) -> any BatchOperation {
        AdditionBatchOperation(inputs)
    }
}

/// The sum of two matrices.
private final class AdditionBatchOperation: BatchOperation {
    private let inputs: [BatchMatrix]
    private let output: BatchMatrix

    init(_ inputs: [BatchMatrix]) {
        self.inputs = inputs
        output = BatchMatrix(rowCapacity: inputs[0].rowCapacity, columnCount: inputs[0].columnCount)
    }

    var outputs: [BatchMatrix] { [output] }
    var forwardAccesses: [MatrixAccess] {
        inputs.map { $0.readsValues(by: .tiles) } + [output.writesValues(by: .tiles)]
    }
    var backwardAccesses: [MatrixAccess] {
        [output.readsGradients(by: .tiles)] + inputs.map { $0.writesGradients(by: .tiles) }
    }

    func forward(_ worker: Worker, pass: ChunkPass) {
        output.tile(of: worker, rowCount: pass.rowCount).forEachRow(of: output) { _, offset, columns in
            let (sum, count) = (output.values.pointer + offset, columns.count)
            sum.update(from: inputs[0].values.pointer + offset, count: count)
            cvm_add(sum, inputs[1].values.pointer + offset, count)
        }
    }

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        output.tile(of: worker, rowCount: pass.rowCount).forEachRow(of: output) { _, offset, columns in
            for input in inputs {
                (input.gradients.pointer + offset).update(from: output.gradients.pointer + offset, count: columns.count)
            }
        }
    }
}
