import CABSPrimitives
import CVectorMath

extension Dense: BatchStageLayer {
    static let beginsBatchStage = true

    func makeOperation(from inputs: [BatchMatrix], in context: BatchContext) throws(EngineError) -> any BatchOperation {
        let imageForm = try context.inputImage.map { image throws(EngineError) in
            StoredForm(repetitions: units, plain: try Layout.image(image.shape), stored: image.layout)
        }
        return try DenseOperation(input: inputs[0], inputForm: imageForm, units: units, in: context.surroundings)
    }
}

/// A dense layer on a chunk of examples: three matrix products.
///
/// With the chunk's inputs X [rows, in] and output gradients Δ [rows, out], the gradient is G = Δᵀ X, and example i's
/// own gradient is the outer product δᵢ aᵢᵀ, so its squared norm is ‖δᵢ‖² ‖aᵢ‖² and no gradient of a single example
/// is ever formed (Goodfellow 2015, arXiv 1510.01799).
final class DenseOperation: BatchOperation {
    let input: BatchMatrix
    let output: BatchMatrix
    let weight: TrainableArray
    let bias: TrainableArray
    private let backpropagates: Bool
    private let workerCount: Int
    private let measures: Bool
    /// The largest batch for which the gradient's product is added to the weights at once.
    private let largestUpdatedRowCount: Int
    /// Each worker's rows of X Xᵀ and Δ Δᵀ for such a batch.
    private let gramMatrices: [(AlignedBuffer, AlignedBuffer)]
    /// Each worker's transposed product, [units, rows] of its tile.
    private let products: [AlignedBuffer]

    var outputs: [BatchMatrix] { [output] }
    var parameters: [TrainableArray] { [weight, bias] }
    var dense: DenseOperation? { self }
    var forwardAccesses: [MatrixAccess] {
        // A tile of columns takes all of the input, one of rows these rows.
        let cutsColumns = Partition.cutsColumns(output.columnCount, workerCount: workerCount)
        return [input.readsValues(by: cutsColumns ? .whole : .rows), output.writesValues(by: .tiles)]
    }
    var backwardAccesses: [MatrixAccess] {
        [input.readsValues(by: .whole), output.readsGradients(by: .whole)]
            + (backpropagates ? [input.writesGradients(by: .tiles)] : [])
    }
    var computations: [PlannedComputation] {
        PlannedComputation.purposes(backpropagates: backpropagates).map {
            PlannedComputation($0, "matrix product of a chunk's examples")
        }
    }

    /// - Parameter inputForm: How the weights are stored where the input comes from the example stage: each unit's like one
    ///   of its images. Plainly where not given.
    init(
        input: BatchMatrix, inputForm: StoredForm?, units: Int, in context: StageContext
    ) throws(EngineError) {
        self.input = input
        let plainRow = try Layout([1, input.columnCount, 1, 1], .channelsFirst)
        let form =
            inputForm ?? StoredForm(repetitions: units, plain: plainRow, stored: plainRow)
        weight = try TrainableArray(
            context.parameters["weight"]!, form: form, sumCount: 1, sliceUnit: input.columnCount, in: context)
        bias = try TrainableArray(
            plain: context.parameters["bias"]!, sumCount: 1, in: context)
        output = BatchMatrix(rowCapacity: input.rowCapacity, columnCount: units)
        backpropagates = context.backpropagates
        workerCount = context.workerCount
        measures = context.estimator != .unmeasured
        // A worker's tile has a part of the columns and all rows, or the other way round; alone it has all columns of its
        // own rows.
        let ownRows = input.rowCapacity / context.workerCount
        products = (0..<context.workerCount).map { worker in
            let columns = evenPart(worker, of: context.workerCount, total: units, unit: 16).count
            return AlignedBuffer(count: max(input.rowCapacity * columns, ownRows * units))
        }
        // Spares writing and reading the gradient, most of the memory traffic of a small batch. The price is the gradient's norm from
        // Gram matrices: for few rows next to nothing, here at most a twentieth of the product.
        largestUpdatedRowCount =
            context.fusesUpdate
            ? min(input.columnCount * units / (20 * (input.columnCount + units)), input.rowCapacity) : 0
        let productCount = largestUpdatedRowCount * min(largestUpdatedRowCount, ownRows)
        gramMatrices = (0..<context.workerCount).map { _ in
            (AlignedBuffer(count: productCount), AlignedBuffer(count: productCount))
        }
    }

    func forward(_ worker: Worker, pass: ChunkPass) {
        let tile = output.tile(of: worker, rowCount: pass.rowCount)
        guard !tile.isEmpty else { return }
        let width = input.columnCount
        // Yᵀ = W Xᵀ and not Y = X Wᵀ: oneDNN's product of few rows is up to twice as fast that way round.
        multiply(
            transposed: (false, true), (tile.columns.count, tile.rows.count, width),
            weight.values.pointer + tile.columns.lowerBound * width, width,
            input.values.pointer + tile.rows.lowerBound * width, width,
            products[worker.index].pointer, tile.rows.count)
        cvm_transpose_adding_bias(
            output.values.pointer + tile.rows.lowerBound * output.columnCount + tile.columns.lowerBound,
            output.columnCount, products[worker.index].pointer, bias.values.pointer + tile.columns.lowerBound,
            tile.rows.count, tile.columns.count)
    }

    func backward(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        if measures { measure(worker, pass: pass, tally: tally) }
        if backpropagates { computeInputGradient(worker, pass: pass) }
        guard pass.gradientUse != .leftToOwners else { return }
        if updatesFromPass(pass) {
            addGradientNorm(worker, pass: pass, tally: tally)
        } else {
            addProduct(worker, pass: pass, to: weight.gradientSums[0], alpha: 1, beta: pass.isFirst ? 0 : 1)
        }
        addBiasGradient(worker, pass: pass)
    }

    private func updatesFromPass(_ pass: ChunkPass) -> Bool {
        pass.gradientUse == .update && pass.rowCount <= largestUpdatedRowCount
    }

    func parametersWithGradient(after pass: ChunkPass) -> [TrainableArray] {
        updatesFromPass(pass) ? [bias] : parameters
    }

    func update(
        _ worker: Worker, pass: ChunkPass, _ rule: any UpdateRule, _ step: UpdateStep, gradientFactor: Float
    ) {
        guard updatesFromPass(pass), let rule = rule as? any FusingUpdateRule else { return }
        let product = rule.fusedProduct(step, exampleCount: pass.rowCount)
        addProduct(
            worker, pass: pass, to: product.slot.map { weight.slots[$0] } ?? weight.values,
            alpha: product.scale * gradientFactor,
            beta: product.keep)
        guard product.slot != nil else { return }
        let (units, columns) = gradientTile(of: worker)
        for unit in units where !columns.isEmpty {
            let first = unit * input.columnCount + columns.lowerBound
            rule.finishFusedProduct(weight.share(first..<first + columns.count), step)
        }
    }

    /// ‖(1/m) Δᵀ X‖² = (1/m²) Σᵢ Σⱼ (aᵢ · aⱼ) (δᵢ · δⱼ), this worker's rows of it.
    private func addGradientNorm(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        let rows = worker.share(of: pass.rowCount)
        guard !rows.isEmpty else { return }
        let (inputProducts, gradientProducts) = gramMatrices[worker.index]
        for (products, values, width) in [
            (inputProducts, input.values, input.columnCount), (gradientProducts, output.gradients, output.columnCount),
        ] {
            multiply(
                transposed: (false, true), (rows.count, pass.rowCount, width),
                values.pointer + rows.lowerBound * width, width, values.pointer, width, products.pointer, pass.rowCount)
        }
        cvm_multiply(inputProducts.pointer, gradientProducts.pointer, rows.count * pass.rowCount)
        let sum = cvm_sum(inputProducts.pointer, rows.count * pass.rowCount)
        tally.gradientSquaredNorms[weight.identity.index] = sum / Double(pass.rowCount * pass.rowCount)
    }

    private func measure(_ worker: Worker, pass: ChunkPass, tally: GradientTally) {
        for row in worker.share(of: pass.rowCount) {
            let outputNorm = cvm_squared_norm(output.gradient(row: row), output.columnCount)
            let inputNorm = cvm_squared_norm(input.values(row: row), input.columnCount)
            tally.add(outputNorm * inputNorm, parameter: weight.identity.index, example: row)
            tally.add(outputNorm, parameter: bias.identity.index, example: row)
        }
    }

    /// The part of the weights, units by columns, that a worker's gradient is.
    private func gradientTile(of worker: Worker) -> (units: Range<Int>, columns: Range<Int>) {
        Partition.cutsColumns(output.columnCount, workerCount: worker.count)
            ? (worker.share(of: output.columnCount, unit: 16), 0..<input.columnCount)
            : (0..<output.columnCount, worker.share(of: input.columnCount, unit: 16))
    }

    /// T ← β T + α Δᵀ X for this worker's part of T, so nothing has to be summed over workers.
    private func addProduct(
        _ worker: Worker, pass: ChunkPass, to target: AlignedBuffer, alpha: Float, beta: Float
    ) {
        let (units, columns) = gradientTile(of: worker)
        multiplyRows(
            units, columns, rowCount: pass.rowCount, gradients: output.gradients, inputs: input.values,
            into: target.pointer + units.lowerBound * input.columnCount + columns.lowerBound, alpha: alpha, beta: beta)
    }

    /// T ← β T + α Δᵀ X for some units and columns of T, whose first is at `target`.
    func multiplyRows(
        _ units: Range<Int>, _ columns: Range<Int>, rowCount: Int, gradients: AlignedBuffer, inputs: AlignedBuffer,
        into target: UnsafeMutablePointer<Float>, alpha: Float = 1, beta: Float = 0
    ) {
        guard !units.isEmpty, !columns.isEmpty else { return }
        multiply(
            transposed: (true, false), (units.count, columns.count, rowCount),
            gradients.pointer + units.lowerBound, output.columnCount,
            inputs.pointer + columns.lowerBound, input.columnCount, target, input.columnCount, alpha: alpha, beta: beta)
    }

    /// The bias gradients of some units, the first at `target`.
    func addRows(
        of gradients: AlignedBuffer, units: Range<Int>, rowCount: Int, into target: UnsafeMutablePointer<Float>,
        accumulates: Bool = false
    ) {
        guard !units.isEmpty else { return }
        cvm_column_sums(
            target, gradients.pointer + units.lowerBound, output.columnCount, rowCount, units.count,
            accumulates ? 1 : 0)
    }

    /// The bias gradients of this worker's units.
    private func addBiasGradient(_ worker: Worker, pass: ChunkPass) {
        let (units, columns) = gradientTile(of: worker)
        // Where the inputs are cut, every worker has all units, and the one with the first inputs sees to the biases.
        guard !units.isEmpty, !columns.isEmpty, columns.lowerBound == 0 else { return }
        addRows(
            of: output.gradients, units: units, rowCount: pass.rowCount,
            into: bias.gradientSums[0].pointer + units.lowerBound, accumulates: !pass.isFirst)
    }

    /// The input gradient, Δ W, for this worker's tile of it.
    private func computeInputGradient(_ worker: Worker, pass: ChunkPass) {
        let tile = input.tile(of: worker, rowCount: pass.rowCount)
        guard !tile.isEmpty else { return }
        multiply(
            transposed: (false, false), (tile.rows.count, tile.columns.count, output.columnCount),
            output.gradient(row: tile.rows.lowerBound), output.columnCount,
            weight.values.pointer + tile.columns.lowerBound, input.columnCount,
            input.gradient(row: tile.rows.lowerBound) + tile.columns.lowerBound,
            input.columnCount)
    }
}
