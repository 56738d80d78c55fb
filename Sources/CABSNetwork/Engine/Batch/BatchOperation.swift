import CABSPrimitives

/// What plans a layer to run on a chunk of examples at a time: the layer itself, or who computes it.
protocol BatchStageLayer {
    /// Plans the layer for what is in some matrices.
    func makeOperation(from inputs: [BatchMatrix], in context: BatchContext) throws(EngineError) -> any BatchOperation
    /// Whether the layer takes a matrix and nothing else, so that the batch stage begins with it. It reads the images of the example
    /// stage in whichever layout they are.
    static var beginsBatchStage: Bool { get }
}

extension BatchStageLayer {
    static var beginsBatchStage: Bool { false }
}

/// What a layer needs to know of its surroundings when it is planned for the batch stage.
struct BatchContext {
    let surroundings: StageContext
    /// The number of values that the layer gives.
    let outputCount: Int
    /// Where the input comes from the example stage and may lie in a layout of its own: that image.
    let inputImage: TensorLayout?
    /// Whether the output may take the first input's place.
    let mayOverwriteInput: Bool
}

/// A layer of the batch stage: it runs on a chunk of examples at a time, all workers together.
///
/// What it reads and writes of matrices it declares, and no worker goes beyond its part of that. It never waits: that is for the
/// ``BatchSchedule``.
protocol BatchOperation: AnyObject, Sendable {
    /// What the operation leaves, a matrix for each of its readers.
    var outputs: [BatchMatrix] { get }
    /// Whether the backward pass reads the values that came out: nobody may overwrite them.
    var backwardReadsOutput: Bool { get }
    /// The operation's parameters, none for most.
    var parameters: [TrainableArray] { get }
    /// The dense layer that this is, whose gradient other ranks can make from its rows; nothing where it is another.
    var dense: DenseOperation? { get }
    /// What is computed, and how; nothing where there is no choice.
    var computations: [PlannedComputation] { get }
    /// What the forward pass reads and writes.
    var forwardAccesses: [MatrixAccess] { get }
    /// What the backward pass reads and writes.
    var backwardAccesses: [MatrixAccess] { get }
    /// Computes this worker's part of the output.
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
    var backwardReadsOutput: Bool { false }
    var parameters: [TrainableArray] { [] }
    var dense: DenseOperation? { nil }
    var computations: [PlannedComputation] { [] }
    func parametersWithGradient(after pass: ChunkPass) -> [TrainableArray] { parameters }
    func update(
        _ worker: Worker, pass: ChunkPass, _ rule: any UpdateRule, _ step: UpdateStep, gradientFactor: Float
    ) {}
}

/// What becomes of the gradients that the batch stage has.
enum GradientUse {
    /// They are formed and added up over chunks.
    case summed
    /// The chunk is the whole batch of a step with an update: they are of use to the update alone.
    case update
    /// Dense layers' are made by the ranks that own the parameters, from all ranks' rows.
    case leftToOwners
}

/// One chunk's way through the network.
struct ChunkPass {
    /// The number of examples, which are the rows of every matrix.
    let rowCount: Int
    /// The chunk's number, from 0.
    let index: Int
    /// The place of the chunk's first example in the batch.
    let firstPosition: Int
    /// The number of examples drawn before the chunk's first since the run began.
    let firstDraw: UInt64
    /// Whether this is a training step, and not an evaluation.
    let isTraining: Bool
    /// What becomes of the gradients of the batch stage.
    let gradientUse: GradientUse

    /// Whether gradient sums start with this chunk.
    var isFirst: Bool { index == 0 }

    /// The way of the examples from a row on.
    func examples(from row: Int) -> ExamplePass {
        ExamplePass(isTraining: isTraining, firstDraw: firstDraw + UInt64(row))
    }
}
