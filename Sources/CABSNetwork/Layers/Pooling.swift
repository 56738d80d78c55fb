import CABSExamples
import CABSPrimitives
import CVectorMath

/// What the pooling layers have in common: a window that slides over each channel.
protocol Pooling: ExampleStageLayer {
    var poolSize: Int { get }
    var stride: Int { get }
    var padding: Padding { get }
    /// What slides over the image.
    var window: SlidingWindow { get }
    /// Whether a window gives its mean, and not its maximum.
    static var averages: Bool { get }
}

extension Pooling {
    var takesMaxima: Bool { !Self.averages }
    // A maximum hands its gradient to one value of its window; of windows two or more apart, most values have none.
    var inputGradientIsSparse: Bool { takesMaxima && stride >= 2 }

    func makeOperation(
        from input: TensorLayout, to output: ExampleShape, in context: StageContext
    ) throws(EngineError) -> any ExampleOperation {
        try makePooling(window, averages: Self.averages, from: input, to: output, in: context)
    }
}

/// Plans the means, or the largest values, of windows.
func makePooling(
    _ window: SlidingWindow, averages: Bool, from input: TensorLayout, to output: ExampleShape,
    in context: StageContext
) throws(EngineError) -> any ExampleOperation {
    func operation(_ input: TensorLayout) throws(EngineError) -> PoolingOperation? {
        try PoolingOperation(
            input: input, shape: output, window: window, averages: averages, backpropagates: context.backpropagates)
    }
    if let operation = try operation(input) { return operation }
    // Blocks of another length, which hardly any convolution leaves.
    return try operation(TensorLayout(shape: input.shape, layout: Layout.image(input.shape)))!
}

/// A pooling layer's options as model files write them.
struct PoolingOptions: Codable {
    let poolSize: Int
    let stride: Int?
    let padding: Padding

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case poolSize = "pool-size"
        case stride, padding
    }

    init(poolSize: Int, stride: Int, padding: Padding) {
        self.poolSize = poolSize
        self.stride = stride
        self.padding = padding
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
        poolSize = try container.decode(Int.self, forKey: .poolSize)
        stride = try container.decodeIfPresent(Int.self, forKey: .stride)
        padding = try container.decodeIfPresent(Padding.self, forKey: .padding) ?? .valid
    }
}

/// Pooling of one example, in loops of our own: oneDNN's take five to ten times as long on single examples.
private struct PoolingOperation: ExampleOperation {
    let input: TensorLayout
    let output: TensorLayout
    let averages: Bool
    let backpropagates: Bool
    let shape: cvm_pooling

    /// - Returns: Nothing where our loops do not read the input's layout.
    init?(
        input: TensorLayout, shape: ExampleShape, window: SlidingWindow, averages: Bool, backpropagates: Bool
    ) throws(EngineError) {
        guard let tag = try input.layout.tag(of: 1, input.shape), let lanes = try input.lanes else { return nil }
        self.input = input
        output = TensorLayout(shape: shape, layout: try Layout.image(shape, tag))
        self.averages = averages
        self.backpropagates = backpropagates
        self.shape = cvm_pooling(
            geometry: window.convolution(from: input.shape, to: shape),
            planes: (input.shape.channelCount + lanes - 1) / lanes, lanes: lanes)
    }

    var computations: [PlannedComputation] {
        ([.forward] + (backpropagates ? [.inputGradient] : [])).map { PlannedComputation($0, "one example at a time") }
    }

    let backwardReadsInput = false
    let backwardReadsOutput = false
    let worksInPlace = false
    let scratchByteCount = 0

    func bind(to places: ExamplePlaces) -> any ExampleKernel { Kernel(self, places) }

    private final class Kernel: ExampleKernel {
        private var shape: cvm_pooling
        private let averages: Bool
        private let places: ExamplePlaces
        /// Where in its window each largest value stood, example by example.
        private var maximumPlaces: [UInt16]
        private let maximumCount: Int

        init(_ operation: PoolingOperation, _ places: ExamplePlaces) {
            shape = operation.shape
            averages = operation.averages
            self.places = places
            maximumCount = averages ? 0 : operation.output.storedCount
            maximumPlaces = Array(repeating: 0, count: maximumCount * places.slotCount)
        }

        func forward(_ slots: Range<Int>, pass: ExamplePass) {
            for slot in slots {
                if averages {
                    cvm_average_pool(places.output[slot], places.input[slot], &shape)
                } else {
                    maximumPlaces.withUnsafeMutableBufferPointer { all in
                        cvm_max_pool(
                            places.output[slot], all.baseAddress! + slot * maximumCount, places.input[slot], &shape)
                    }
                }
            }
        }

        func backward(_ slots: Range<Int>, pass: ExamplePass, tally: GradientTally) {
            guard let inputGradient = places.inputGradient else { return }
            for slot in slots {
                if averages {
                    cvm_average_pool_backward(inputGradient[slot], places.outputGradient[slot], &shape)
                } else {
                    maximumPlaces.withUnsafeBufferPointer { all in
                        cvm_max_pool_backward(
                            inputGradient[slot], all.baseAddress! + slot * maximumCount, places.outputGradient[slot],
                            &shape)
                    }
                }
            }
        }
    }
}
