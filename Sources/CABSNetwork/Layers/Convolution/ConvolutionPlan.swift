import CABSExamples
import CABSPrimitives

/// Which way each computation of a convolution takes. All is decided here, by the layer's shape, what follows it (``LinearGradient``),
/// and what oneDNN has compiled for the processor; never by timing, so that the same network gives the same bits.
///
/// | computation | ways, the first that suits |
/// |---|---|
/// | forward | oneDNN; a product with patches |
/// | both gradients | sparse, where our loops take the layout |
/// | weight gradient | gathered, where oneDNN has compiled it; else multiplied; or formed |
/// | input gradient | oneDNN; a product with patches |
struct ConvolutionPlan {
    let forward: any ConvolutionForward
    /// The layout that weight gradients are summed in.
    let gradientLayout: Layout
    /// Sets up the gradients for the layer's weights.
    let makeGradients: (ConvolutionPrimitives, _ weight: TrainableArray) throws(EngineError) -> any ConvolutionGradients

    init(_ primitives: ConvolutionPrimitives, in context: StageContext) throws(EngineError) {
        if let family = primitives.forward {
            forward = PrimitiveForward(family: family)
        } else {
            forward = ProductForward(product: try ConvolutionProduct(primitives))
        }
        let way = primitives.gradient.way(
            context.estimator, outputGradientIsSparse: context.outputGradientIsSparse)
        if way == .sparse, let shape = try SparseGradients.shape(primitives, in: context) {
            gradientLayout = try SparseGradients.weightLayout(primitives.weightShape, shape)
            makeGradients = { primitives, weight throws(EngineError) in
                try SparseGradients(primitives, shape, weight: weight, in: context)
            }
        } else {
            let weightGradient = try Self.weightGradient(primitives, context.estimator)
            gradientLayout = weightGradient.layout
            makeGradients = { primitives, weight throws(EngineError) in
                SeparateGradients(
                    weightGradient: weightGradient,
                    inputGradient: context.backpropagates ? try Self.inputGradient(primitives, weight: weight) : nil)
            }
        }
    }

    private static func weightGradient(
        _ primitives: ConvolutionPrimitives, _ estimator: GradientEstimator
    ) throws(EngineError) -> any WeightGradientPlan {
        let way = primitives.gradient.way(estimator, outputGradientIsSparse: false)
        if way == .formed { return try FormedWeightGradient(primitives, estimator: estimator) }
        let measures = estimator != .unmeasured
        if way == .gathered, let found = try primitives.makeBackwardWeights(singly: false) {
            return try GatheredWeightGradient(primitives, found, measures: measures)
        }
        return try MultipliedWeightGradient(primitives, measures: measures)
    }

    private static func inputGradient(
        _ primitives: ConvolutionPrimitives, weight: TrainableArray
    ) throws(EngineError) -> any InputGradientPlan {
        if let found = try primitives.makeBackwardData() {
            return try PrimitiveInputGradient(primitives, found, weight: weight)
        }
        return try ProductInputGradient(primitives, weight: weight)
    }
}

extension Conv2D {
    /// The layer's gradient: a row of it is the patch at one position of the output. None for what is no image.
    func gradient(from input: ExampleShape, to output: ExampleShape) -> LinearGradient? {
        guard case .image(let height, let width, let channelCount) = input,
            case .image(let outputHeight, let outputWidth, _) = output
        else { return nil }
        return LinearGradient(
            rowCount: outputHeight * outputWidth, sourceCount: height * width, sourceLength: channelCount,
            sourcesPerRow: kernelSize * kernelSize, unitCount: filters, groupCount: groups)
    }
}
