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
