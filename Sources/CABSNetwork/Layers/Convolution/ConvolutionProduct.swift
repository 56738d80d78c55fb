import CABSExamples
import CABSPrimitives
import CVectorMath

/// A convolution of one example as products with the patches under the kernel, for shapes for which oneDNN has compiled nothing.
///
/// With the patches U, [in · kernel², positions], the weights W, [out, in · kernel²], and the output gradient V, [out, positions]:
///
///     output Y = W U + b,   weight gradient G = V Uᵀ,   input gradient: each pixel the sum of its places in Wᵀ V
///
/// Weights and their gradient are in row-major order.
struct ConvolutionProduct: Sendable {
    /// The way's name.
    static let way = "patches and matrix product"

    private let geometry: cvm_convolution
    private let channelCount: Int
    private let outputChannelCount: Int
    private let groups: Int
    private let positionCount: Int
    private let patchSize: Int
    /// Floats from one output channel's weights to the next's: padding is among them.
    private let weightStride: Int
    private let input: ImageRows
    private let output: ImageRows

    var scratchByteCount: Int { max(input.scratchByteCount, output.scratchByteCount) }
    var implementations: [String] { input.implementations + output.implementations }

    init(_ primitives: ConvolutionPrimitives) throws(EngineError) {
        geometry = primitives.geometry
        channelCount = primitives.input.shape.channelCount
        outputChannelCount = primitives.layer.filters
        groups = primitives.layer.groups
        positionCount = primitives.positionCount
        patchSize = channelCount * primitives.layer.kernelSize * primitives.layer.kernelSize
        weightStride = primitives.weightShape.reduce(1, *) / outputChannelCount
        input = try ImageRows(primitives.input)
        output = try ImageRows(primitives.output)
    }

    func bindForward(
        input: TensorAddress, output: TensorAddress, weight: AlignedBuffer, bias: AlignedBuffer, scratch: AlignedBuffer
    ) throws(EngineError) -> any ExampleCalls {
        let (from, to) = (try self.input.bind(input, scratch), try self.output.bind(output, scratch))
        let patches = makePatches()
        return Calls { slot in
            from.read(slot: slot)
            writePatches(from, to: patches)
            for channel in 0..<outputChannelCount {
                (to.rows.pointer + channel * positionCount).update(
                    repeating: bias.pointer[channel], count: positionCount)
            }
            forEachGroup { units, patch in
                multiply(
                    transposed: (false, false), (units.count, positionCount, patch.count),
                    weight.pointer + units.lowerBound * weightStride, weightStride,
                    patches.pointer + patch.lowerBound * positionCount, positionCount,
                    to.rows.pointer + units.lowerBound * positionCount, positionCount, beta: 1)
            }
            to.write(slot: slot)
        }
    }

    func bindInputGradient(
        inputGradient: TensorAddress, outputGradient: TensorAddress, weight: AlignedBuffer, scratch: AlignedBuffer
    ) throws(EngineError) -> any ExampleCalls {
        let (to, from) = (try input.bind(inputGradient, scratch), try output.bind(outputGradient, scratch))
        let patches = makePatches()
        return Calls { slot in
            from.read(slot: slot)
            forEachGroup { units, patch in
                multiply(
                    transposed: (true, false), (patch.count, positionCount, units.count),
                    weight.pointer + units.lowerBound * weightStride, weightStride,
                    from.rows.pointer + units.lowerBound * positionCount, positionCount,
                    patches.pointer + patch.lowerBound * positionCount, positionCount)
            }
            var geometry = geometry
            cvm_add_patches(to.rows.pointer, patches.pointer, positionCount, channelCount, &geometry)
            to.write(slot: slot)
        }
    }

    /// The weight gradient of one example, not added to anything.
    func bindWeightGradient(
        input: TensorAddress, outputGradient: TensorAddress, weight: AlignedBuffer, bias: AlignedBuffer,
        scratch: AlignedBuffer
    ) throws(EngineError) -> any ExampleCalls {
        let (from, gradient) = (try self.input.bind(input, scratch), try output.bind(outputGradient, scratch))
        let patches = makePatches()
        return Calls { slot in
            from.read(slot: slot)
            gradient.read(slot: slot)
            writePatches(from, to: patches)
            forEachGroup { units, patch in
                multiply(
                    transposed: (false, true), (units.count, patch.count, positionCount),
                    gradient.rows.pointer + units.lowerBound * positionCount, positionCount,
                    patches.pointer + patch.lowerBound * positionCount, positionCount,
                    weight.pointer + units.lowerBound * weightStride, weightStride)
            }
            for channel in 0..<outputChannelCount {
                bias.pointer[channel] = Float(
                    cvm_sum(gradient.rows.pointer + channel * positionCount, positionCount))
            }
        }
    }

    /// Calls `body` with each group's output channels and its rows of the patches.
    private func forEachGroup(_ body: (_ units: Range<Int>, _ patch: Range<Int>) -> Void) {
        let (units, rows) = (outputChannelCount / groups, patchSize / groups)
        for group in 0..<groups {
            body(group * units..<(group + 1) * units, group * rows..<(group + 1) * rows)
        }
    }

    private func makePatches() -> AlignedBuffer { AlignedBuffer(count: patchSize * positionCount) }

    private func writePatches(_ image: ImageRows.Bound, to patches: AlignedBuffer) {
        var geometry = geometry
        cvm_write_patches(patches.pointer, positionCount, image.rows.pointer, channelCount, &geometry)
    }

    private struct Calls: ExampleCalls {
        let body: (_ slot: Int) -> Void

        func execute(_ slots: Range<Int>) {
            for slot in slots { body(slot) }
        }
    }
}
