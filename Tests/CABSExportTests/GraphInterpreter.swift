import Foundation

@testable import CABSExport

/// Computes what a graph of ONNX's operators comes to, as the operators' specification has them, by the plainest loops.
struct GraphInterpreter {
    /// An array of numbers, the last axis first in memory.
    struct Array: Equatable {
        var shape: [Int]
        var values: [Double]

        var count: Int { shape.reduce(1, *) }

        /// The value at a place; axes of length 1 stand for any length, and axes that are missing in front as well.
        func value(at place: [Int]) -> Double {
            var (index, first) = (0, place.count - shape.count)
            for length in shape {
                index = index * length + (length == 1 ? 0 : place[first])
                first += 1
            }
            return values[index]
        }
    }

    private var arrays: [String: Array] = [:]
    private let graph: ONNXGraphBody

    init(_ model: ONNXModel) {
        graph = model.graph
        for tensor in graph.initializer {
            let shape = tensor.dims.map(Int.init)
            let values: [Double] = tensor.rawData.withUnsafeBytes { bytes in
                (0..<shape.reduce(1, *)).map { index -> Double in
                    tensor.dataType == .int64
                        ? Double(bytes.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self))
                        : Double(bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self))
                }
            }
            arrays[tensor.name] = Array(shape: shape, values: values)
        }
    }

    /// The outputs, by name, for an input.
    func outputs(for input: Array) -> [String: Array] {
        var arrays = arrays
        arrays[graph.input[0].name] = input
        for node in graph.node {
            arrays[node.output[0]] = Self.result(of: node, node.input.map { arrays[$0]! })
        }
        return Dictionary(uniqueKeysWithValues: graph.output.map { ($0.name, arrays[$0.name]!) })
    }

    private static func result(of node: ONNXNode, _ inputs: [Array]) -> Array {
        let attributes = Attributes(node)
        let x = inputs[0]
        switch node.opType {
        case "Identity", "Cast": return x
        case "Add": return combined(inputs, +)
        case "Sub": return combined(inputs, -)
        case "Mul": return combined(inputs, *)
        case "Div": return combined(inputs, /)
        case "Max": return combined(inputs) { max($0, $1) }
        case "Sqrt": return mapped(x) { $0.squareRoot() }
        case "Erf": return mapped(x, erf)
        case "Tanh": return mapped(x, tanh)
        case "Sigmoid": return mapped(x) { 1 / (1 + exp(-$0)) }
        case "Relu": return mapped(x) { max($0, 0) }
        case "LeakyRelu":
            let slope = attributes.number("alpha") ?? 0.01
            return mapped(x) { $0 < 0 ? slope * $0 : $0 }
        case "Flatten":
            let axis = attributes.int("axis") ?? 1
            return Array(shape: [x.shape[..<axis].reduce(1, *), x.shape[axis...].reduce(1, *)], values: x.values)
        case "Reshape": return reshaped(x, inputs[1].values.map { Int($0) })
        case "Slice":
            return sliced(x, from: inputs[1].values, to: inputs[2].values, axes: inputs[3].values)
        case "ReduceMean":
            return mean(x, over: inputs[1].values.map { Int($0) }, keepsAxes: attributes.int("keepdims") ?? 1 == 1)
        case "Softmax":
            let width = x.shape.last!
            precondition(attributes.int("axis") == x.shape.count - 1)
            let sums = (0..<x.count / width).map { row in (0..<width).reduce(0) { $0 + exp(x.values[row * width + $1]) }
            }
            return Array(shape: x.shape, values: x.values.indices.map { exp(x.values[$0]) / sums[$0 / width] })
        case "Gemm":
            return product(x, inputs[1], inputs[2], isTransposed: attributes.int("transB") ?? 0 == 1)
        case "LayerNormalization":
            return layerNormalized(x, inputs[1], inputs[2], attributes)
        case "Conv": return convolved(x, inputs[1], inputs.count > 2 ? inputs[2] : nil, attributes)
        case "MaxPool":
            return pooled(x, attributes) { values, _ in values.max()! }
        case "AveragePool":
            let countsPadding = attributes.int("count_include_pad") ?? 0 == 1
            return pooled(x, attributes) { values, windowSize in
                values.reduce(0, +) / Double(countsPadding ? windowSize : values.count)
            }
        default: preconditionFailure("the operator \(node.opType)")
        }
    }

    private struct Attributes {
        private let all: [String: ONNXAttribute]

        init(_ node: ONNXNode) { all = Dictionary(uniqueKeysWithValues: node.attribute.map { ($0.name, $0) }) }

        func int(_ name: String) -> Int? { all[name].map { Int($0.i) } }
        func number(_ name: String) -> Double? { all[name].map { Double($0.f) } }
        func ints(_ name: String) -> [Int]? { all[name].map { $0.ints.map(Int.init) } }
    }

    private static func mapped(_ x: Array, _ body: (Double) -> Double) -> Array {
        Array(shape: x.shape, values: x.values.map(body))
    }

    /// All places of a shape, in the order of memory.
    private static func places(_ shape: [Int]) -> [[Int]] {
        shape.reduce([[]]) { places, length in places.flatMap { place in (0..<length).map { place + [$0] } } }
    }

    private static func combined(_ inputs: [Array], _ body: (Double, Double) -> Double) -> Array {
        inputs.dropFirst().reduce(inputs[0]) { a, b in
            let rank = max(a.shape.count, b.shape.count)
            func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
            let shape = zip(padded(a.shape), padded(b.shape)).map { max($0, $1) }
            return Array(shape: shape, values: places(shape).map { body(a.value(at: $0), b.value(at: $0)) })
        }
    }

    private static func reshaped(_ x: Array, _ wanted: [Int]) -> Array {
        var shape = wanted.enumerated().map { $1 == 0 ? x.shape[$0] : $1 }
        if let open = shape.firstIndex(of: -1) { shape[open] = -x.count / shape.reduce(1, *) }
        return Array(shape: shape, values: x.values)
    }

    private static func sliced(_ x: Array, from starts: [Double], to ends: [Double], axes: [Double]) -> Array {
        var (shape, first) = (x.shape, [Int](repeating: 0, count: x.shape.count))
        for (index, axis) in axes.map({ Int($0) }).enumerated() {
            (first[axis], shape[axis]) = (Int(starts[index]), Int(ends[index] - starts[index]))
        }
        return Array(shape: shape, values: places(shape).map { place in x.value(at: zip(place, first).map(+)) })
    }

    private static func mean(_ x: Array, over axes: [Int], keepsAxes: Bool) -> Array {
        let kept = x.shape.enumerated().map { axes.contains($0) ? 1 : $1 }
        var sums = Array(shape: kept, values: [Double](repeating: 0, count: kept.reduce(1, *)))
        for (place, value) in zip(places(x.shape), x.values) {
            let index = zip(kept, place).reduce(0) { $0 * $1.0 + ($1.0 == 1 ? 0 : $1.1) }
            sums.values[index] += value * Double(sums.count) / Double(x.count)
        }
        if !keepsAxes { sums.shape = x.shape.enumerated().filter { !axes.contains($0.offset) }.map(\.element) }
        return sums
    }

    private static func product(_ x: Array, _ weight: Array, _ bias: Array, isTransposed: Bool) -> Array {
        let (inner, columns) = isTransposed ? (weight.shape[1], weight.shape[0]) : (weight.shape[0], weight.shape[1])
        precondition(inner == x.shape[1])
        return Array(
            shape: [x.shape[0], columns],
            values: places([x.shape[0], columns]).map { place in
                (0..<inner).reduce(bias.value(at: [place[1]])) { sum, k in
                    sum + x.value(at: [place[0], k]) * weight.value(at: isTransposed ? [place[1], k] : [k, place[1]])
                }
            })
    }

    private static func layerNormalized(_ x: Array, _ weight: Array, _ bias: Array, _ attributes: Attributes) -> Array {
        let axes = [Int]((attributes.int("axis") ?? -1)..<x.shape.count)
        let center = combined([x, mean(x, over: axes, keepsAxes: true)], -)
        let variance = mean(combined([center, center], *), over: axes, keepsAxes: true)
        let epsilon = attributes.number("epsilon") ?? 1e-5
        let normalized = combined([center, mapped(variance) { ($0 + epsilon).squareRoot() }], /)
        return combined([combined([normalized, weight], *), bias], +)
    }

    /// The sides of a result, and for one of its rows or columns those of the input.
    private static func window(_ x: Array, _ attributes: Attributes) -> (
        sides: [Int], size: Int, range: (Int, Int) -> [Int?]
    ) {
        let (size, stride, pads) = (
            attributes.ints("kernel_shape")!, attributes.ints("strides")!, attributes.ints("pads")!
        )
        let sides = (0..<2).map { (axis: Int) -> Int in
            let padded = x.shape[2 + axis] + pads[axis] + pads[2 + axis]
            return (padded - size[axis]) / stride[axis] + 1
        }
        func range(_ axis: Int, _ position: Int) -> [Int?] {
            let first = position * stride[axis] - pads[axis]
            return (0..<size[axis]).map { offset -> Int? in
                let place = first + offset
                return place >= 0 && place < x.shape[2 + axis] ? place : nil
            }
        }
        return (sides, size[0] * size[1], range)
    }

    private static func pooled(_ x: Array, _ attributes: Attributes, _ body: ([Double], Int) -> Double) -> Array {
        let (sides, size, range) = window(x, attributes)
        let shape = [x.shape[0], x.shape[1]] + sides
        return Array(
            shape: shape,
            values: places(shape).map { place in
                let values = range(0, place[2]).compactMap(\.self).flatMap { row in
                    range(1, place[3]).compactMap(\.self).map { x.value(at: [place[0], place[1], row, $0]) }
                }
                return body(values, size)
            })
    }

    private static func convolved(_ x: Array, _ weight: Array, _ bias: Array?, _ attributes: Attributes) -> Array {
        let (sides, _, range) = window(x, attributes)
        let (filters, channels) = (weight.shape[0], weight.shape[1])
        let groups = attributes.int("group") ?? 1
        precondition(channels * groups == x.shape[1])
        let shape = [x.shape[0], filters] + sides
        return Array(
            shape: shape,
            values: places(shape).map { place in
                var sum = bias?.value(at: [place[1]]) ?? 0
                let first = place[1] / (filters / groups) * channels
                let (rows, columns) = (range(0, place[2]), range(1, place[3]))
                for channel in 0..<channels {
                    for (i, row) in rows.enumerated() {
                        guard let row else { continue }
                        for (j, column) in columns.enumerated() {
                            guard let column else { continue }
                            sum +=
                                weight.value(at: [place[1], channel, i, j])
                                * x.value(at: [place[0], first + channel, row, column])
                        }
                    }
                }
                return sum
            })
    }
}
