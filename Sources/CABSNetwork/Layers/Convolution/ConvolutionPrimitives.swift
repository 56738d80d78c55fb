import CABSExamples
import CABSPrimitives
import CVectorMath

/// A convolution as oneDNN computes it: layouts that it chose, and primitives for one example or several at a time.
///
/// oneDNN hands out a reference implementation, a hundred times slower, where it has compiled nothing for a shape and its
/// layouts. None is ever used: a computation for which there is nothing else has no primitive here.
struct ConvolutionPrimitives: Sendable {
    let layer: Conv2D
    let name: String
    /// The layouts of one example; several lie one after the other.
    let input: TensorLayout
    let output: TensorLayout
    /// [out, in, kernel, kernel], or with groups [groups, out / groups, in / groups, kernel, kernel], with as many input channels as oneDNN is told of: at least the layer's, those beyond them
    /// zero. In blocks of channels they take no more memory than the layer's own.
    let weightShape: [Int]
    let biasLayout: Layout
    let weightLayout: Layout
    /// None where oneDNN has nothing compiled.
    let forward: PrimitiveFamily?
    /// The input as oneDNN is told of it.
    private let paddedInput: TensorLayout
    private let exampleCounts: [Int]
    private let window: ConvolutionWindow
    /// What the primitives of gradients ask for, compiled or not.
    private let forwardHints: PrimitiveFamily

    /// Takes the first way to tell oneDNN of the layer for which all that is needed is compiled; else the first for which the
    /// forward pass is; else plain layouts, which every way of computing reads.
    init(
        _ layer: Conv2D, from inputShape: ExampleShape, to outputShape: ExampleShape, in context: StageContext
    ) throws(EngineError) {
        var forwardAlone: ConvolutionPrimitives?
        for channelCount in Self.channelCounts(layer, inputShape.channelCount, in: context) {
            guard
                let chosen = try Self(
                    layer, from: inputShape, to: outputShape, channelCount: channelCount, tag: .any,
                    in: context), chosen.forward != nil
            else { continue }
            if try chosen.hasGradients(in: context) {
                self = chosen
                return
            }
            forwardAlone = forwardAlone ?? chosen
        }
        if let forwardAlone {
            self = forwardAlone
        } else {
            self = try Self(
                layer, from: inputShape, to: outputShape, channelCount: inputShape.channelCount, tag: .channelsFirst,
                in: context)!
        }
    }

    /// The numbers of input channels to try: the layer's own, and those that fill up a block, where that is at most twice the work.
    ///
    /// A few channels that need no gradient stay as they are: their weight gradient alone is quickly computed in other ways.
    private static func channelCounts(_ layer: Conv2D, _ count: Int, in context: StageContext) -> [Int] {
        guard layer.groups == 1 else { return [count] }
        let padded = [8, 16].map { count.roundedUp(toMultipleOf: $0) }.filter { $0 > count && $0 <= 2 * count }
        return [count] + (context.backpropagates || count > SparseGradients.largestInterleavedCount ? padded : [])
    }

    /// - Parameter tag: The images' layout, or any.
    /// - Returns: Nothing where the images of the layer's own channels would not lie as those that oneDNN is told of.
    private init?(
        _ layer: Conv2D, from inputShape: ExampleShape, to outputShape: ExampleShape, channelCount: Int,
        tag: LayoutTag, in context: StageContext
    ) throws(EngineError) {
        let paddedShape = inputShape.withChannelCount(channelCount)
        let (groups, kernel) = (layer.groups, [layer.kernelSize, layer.kernelSize])
        let weightShape =
            (groups == 1
                ? [layer.filters, channelCount] : [groups, layer.filters / groups, channelCount / groups]) + kernel
        let biasLayout = try Layout([layer.filters], .vector)
        let window = layer.window.geometry(for: inputShape)
        let makeForward = { (source: Layout, weights: Layout, destination: Layout) throws(EngineError) in
            try Primitive.convolution(
                context.name,
                ConvolutionLayouts(source: source, weights: weights, bias: biasLayout, destination: destination), window
            )
        }
        /// One example's layouts in a call of so many; none where they have no name by which several can be strung together.
        func chosenLayouts(_ count: Int) throws(EngineError) -> (TensorLayout, TensorLayout)? {
            let primitive = try makeForward(
                Layout.images(count, paddedShape, tag), Layout(weightShape, .any),
                Layout.images(count, outputShape, tag))
            let source = try primitive.layout(of: .source)
            let destination = try primitive.layout(of: .destination)
            if count == 1 {
                return (
                    TensorLayout(shape: paddedShape, layout: source),
                    TensorLayout(shape: outputShape, layout: destination)
                )
            }
            guard let sourceTag = try source.tag(of: count, paddedShape),
                let destinationTag = try destination.tag(of: count, outputShape)
            else { return nil }
            return (
                TensorLayout(shape: paddedShape, layout: try Layout.image(paddedShape, sourceTag)),
                TensorLayout(shape: outputShape, layout: try Layout.image(outputShape, destinationTag))
            )
        }

        var exampleCounts = context.exampleCounts
        var chosen = try chosenLayouts(exampleCounts[0])
        if chosen == nil {
            exampleCounts = [1]
            chosen = try chosenLayouts(1)
        }
        let (paddedInput, output) = chosen!
        guard let input = try paddedInput.withChannelCount(inputShape.channelCount) else { return nil }
        var weights = try Layout(weightShape, .any)
        let family = try PrimitiveFamily(exampleCounts) { count throws(EngineError) in
            let primitive = try makeForward(paddedInput.layout(of: count), weights, output.layout(of: count))
            weights = try primitive.layout(of: .weights)
            return primitive
        }
        self.layer = layer
        self.name = context.name
        self.input = input
        self.output = output
        self.weightShape = weightShape
        self.biasLayout = biasLayout
        self.paddedInput = paddedInput
        self.exampleCounts = exampleCounts
        self.window = window
        forwardHints = family
        forward = family.compiled
        weightLayout = forward == nil ? try Self.plainWeights(weightShape) : weights
    }

    /// What the layer's gradient is made of.
    var gradient: LinearGradient { layer.gradient(from: input.shape, to: output.shape)! }

    /// Whether oneDNN has compiled the gradients that are needed.
    private func hasGradients(in context: StageContext) throws(EngineError) -> Bool {
        if try makeBackwardWeights(singly: true) == nil { return false }
        if !context.backpropagates { return true }
        return try makeBackwardData() != nil
    }

    /// The positions of the kernel as our own loops take them.
    var geometry: cvm_convolution { layer.window.convolution(from: input.shape, to: output.shape) }

    /// The number of places that the kernel takes on an image.
    var positionCount: Int { output.shape.count / layer.filters }

    /// The values of weights, or of their gradient, that are stored in a layout of ``weightShape``.
    func weightForm(_ stored: Layout) throws(EngineError) -> StoredForm {
        StoredForm(
            repetitions: 1, plain: try plainWeightLayout(), stored: stored,
            rows: .init(
                length: layer.parameters(for: input.shape)[0].shape[1...].reduce(1, *),
                stride: weightShape.reduce(1, *) / layer.filters))
    }

    /// Weights in row-major order.
    func plainWeightLayout() throws(EngineError) -> Layout { try Self.plainWeights(weightShape) }

    private static func plainWeights(_ shape: [Int]) throws(EngineError) -> Layout {
        try Layout(shape, shape.count == 4 ? .weights : .groupedWeights)
    }

    /// Binds the forward pass, which must be there, to memory.
    func bindForward(
        _ family: PrimitiveFamily, _ operation: ConvolutionOperation, to places: ExamplePlaces
    ) throws(EngineError) -> PrimitiveCalls {
        try family.bind(scratch: places.scratch) { count throws(EngineError) in
            [
                .init(.source, try paddedInput.layout(of: count), places.input.grouped(count)),
                .init(.weights, weightLayout, TensorAddress(operation.weight.values.pointer)),
                .init(.bias, biasLayout, TensorAddress(operation.bias.values.pointer)),
                .init(.destination, try output.layout(of: count), places.output.grouped(count)),
            ]
        }
    }

    /// The gradients with respect to the input, and the layout in which they take the weights.
    ///
    /// - Returns: Nothing where oneDNN has nothing compiled.
    func makeBackwardData() throws(EngineError) -> (family: PrimitiveFamily, weightLayout: Layout)? {
        var weights = try Layout(weightShape, .any)
        let family = try PrimitiveFamily(exampleCounts) { count throws(EngineError) in
            let (source, destination) = (try paddedInput.layout(of: count), try output.layout(of: count))
            let primitive = try Primitive.convolutionSourceGradient(
                name,
                ConvolutionLayouts(source: source, weights: weights, bias: biasLayout, destination: destination),
                window,
                of: forwardHints[count])
            weights = try primitive.layout(of: .weights)
            return primitive
        }
        return family.compiled.map { ($0, weights) }
    }

    /// Binds input gradients to memory.
    func bindBackwardData(
        _ family: PrimitiveFamily, _ weightLayout: Layout, _ weights: AlignedBuffer, to places: ExamplePlaces,
        _ inputGradient: TensorAddress
    ) throws(EngineError) -> PrimitiveCalls {
        try family.bind(scratch: places.scratch) { count throws(EngineError) in
            [
                .init(.destinationGradient, try output.layout(of: count), places.outputGradient.grouped(count)),
                .init(.weights, weightLayout, TensorAddress(weights.pointer)),
                .init(.sourceGradient, try paddedInput.layout(of: count), inputGradient.grouped(count)),
            ]
        }
    }

    /// The weight gradients, summed over the examples of a call, and their layout.
    ///
    /// - Parameter singly: Whether only for one example at a time.
    /// - Returns: Nothing where oneDNN has nothing compiled.
    func makeBackwardWeights(singly: Bool) throws(EngineError) -> (family: PrimitiveFamily, weightLayout: Layout)? {
        var weights = try Layout(weightShape, .any)
        let family = try PrimitiveFamily(singly ? [1] : exampleCounts) { count throws(EngineError) in
            let (source, destination) = (try paddedInput.layout(of: count), try output.layout(of: count))
            let primitive = try Primitive.convolutionWeightGradient(
                name,
                ConvolutionLayouts(source: source, weights: weights, bias: biasLayout, destination: destination),
                window,
                of: forwardHints[count])
            weights = try primitive.layout(of: .weightGradient)
            return primitive
        }
        return family.compiled.map { ($0, weights) }
    }

    /// Binds weight gradients to memory.
    func bindBackwardWeights(
        _ family: PrimitiveFamily, _ weightLayout: Layout, input: TensorAddress, outputGradient: TensorAddress,
        weight: AlignedBuffer, bias: AlignedBuffer, scratch: AlignedBuffer
    ) throws(EngineError) -> PrimitiveCalls {
        try family.bind(scratch: scratch) { count throws(EngineError) in
            [
                .init(.source, try paddedInput.layout(of: count), input.grouped(count)),
                .init(.destinationGradient, try output.layout(of: count), outputGradient.grouped(count)),
                .init(.weightGradient, weightLayout, TensorAddress(weight.pointer)),
                .init(.biasGradient, biasLayout, TensorAddress(bias.pointer)),
            ]
        }
    }
}

extension TensorLayout {
    /// Images of another number of channels that lie in memory as these do, filled up with zeros.
    ///
    /// - Returns: Nothing where they take another amount of memory.
    func withChannelCount(_ count: Int) throws(EngineError) -> TensorLayout? {
        if count == shape.channelCount { return self }
        let other = shape.withChannelCount(count)
        guard let tag = try layout.tag(of: 1, shape) else { return nil }
        let result = TensorLayout(shape: other, layout: try Layout.image(other, tag))
        return result.storedCount == storedCount ? result : nil
    }
}
