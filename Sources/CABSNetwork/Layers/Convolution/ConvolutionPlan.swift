import CABSExamples
import CABSPrimitives

/// Which way each computation of a convolution takes. All is decided here, by the layer's shape, what follows it, and what oneDNN has
/// compiled for the processor; never by timing, so that the same network gives the same bits.
///
/// | computation | ways, the first that suits |
/// |---|---|
/// | forward | oneDNN; a product with patches |
/// | both gradients | sparse: from the values of the output gradient that are not zero |
/// | weight gradient | of many examples at once, by oneDNN (gathered) or as a product (multiplied); or formed example by example |
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
        if let shape = try SparseGradients.shape(primitives, in: context) {
            gradientLayout = try SparseGradients.weightLayout(primitives.weightShape, shape)
            makeGradients = { primitives, weight throws(EngineError) in
                try SparseGradients(primitives, shape, weight: weight, in: context)
            }
        } else {
            let weightGradient = try Self.weightGradient(primitives, estimator: context.estimator)
            gradientLayout = weightGradient.layout
            makeGradients = { primitives, weight throws(EngineError) in
                SeparateGradients(
                    weightGradient: weightGradient,
                    inputGradient: context.backpropagates ? try Self.inputGradient(primitives, weight: weight) : nil)
            }
        }
    }

    private static func weightGradient(
        _ primitives: ConvolutionPrimitives, estimator: GradientEstimator
    ) throws(EngineError) -> any WeightGradientPlan {
        let gathers = primitives.layer.gathersExamples(from: primitives.input.shape, to: primitives.output.shape)
        guard estimator != .reference, gathers else {
            return try FormedWeightGradient(primitives, estimator: estimator)
        }
        if primitives.positionCount > MultipliedWeightGradient.largestPositionCount,
            let found = try primitives.makeBackwardWeights(singly: false)
        {
            return try GatheredWeightGradient(primitives, found, measures: estimator == .exact)
        }
        return try MultipliedWeightGradient(primitives, measures: estimator == .exact)
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
    /// Whether the weight gradient is better computed for many examples at once.
    ///
    /// Forming each example's gradient costs passes over all parameters for each example. Where parameters are many and
    /// positions few, the Gram matrices of pixels and output gradients, which give its norm as well, are much smaller.
    func gathersExamples(from input: ExampleShape, to output: ExampleShape) -> Bool {
        groups == 1 && gramCost(from: input, to: output) < formingCost(for: input)
    }

    /// What forming a gradient costs beyond its own arithmetic, in floating-point operations that would take as long: it is
    /// written, read, and added to a sum. Measured on Zen 5: about 40 for each parameter in the core's own cache, 150
    /// beyond it.
    private func formingCost(for input: ExampleShape) -> Int {
        let parameterCount = parameters(for: input)[0].shape.reduce(1, *)
        return parameterCount * (parameterCount <= 1 << 17 ? 40 : 150)
    }

    /// What the Gram matrices cost: two products, and a sum over kernel places that runs at an eighth of their speed.
    private func gramCost(from input: ExampleShape, to output: ExampleShape) -> Int {
        guard case .image(let height, let width, let channels) = input,
            case .image(let outputHeight, let outputWidth, _) = output
        else { return .max }
        let (pixels, positions) = (height * width, outputHeight * outputWidth)
        return 2 * pixels * pixels * channels + 2 * positions * positions * filters
            + 8 * 2 * positions * positions * kernelSize * kernelSize
    }
}
