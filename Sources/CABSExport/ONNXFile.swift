import CABSExamples
import CABSTraining
import Foundation
import SwiftProtobuf

/// A network as a file of ONNX, version 18 of its operators: from bytes, channels first, to what it says of each class.
///
/// Inputs are `images` [batch, channels, height, width] of bytes, or of 32-bit floats where the network was trained on such, or `values`
/// [batch, count] of 32-bit floats where it takes vectors; nothing is left to be normalised. Outputs are `outputs`, the last layer's, and `scores`: probabilities where the loss takes the
/// outputs for such.
public struct ONNXFile {
    private let model: ONNXModel

    /// The version of the operators.
    static let operatorVersion: Int64 = 18

    /// Writes the network down.
    ///
    /// - Parameters:
    ///   - trained: The network.
    ///   - model: Its model.
    ///   - input: What it must be given.
    ///   - parameters: Its parameters.
    /// - Throws: ``ExportError/layerNotKnown(name:kind:)``.
    public init(
        _ trained: TrainedNetwork, _ model: Model, _ input: InputDescription, _ parameters: ParameterSet
    ) throws(ExportError) {
        var graph = ONNXGraph(name: trained.configuration.model.name, parameters: parameters)
        var tensors = [try input.add(to: &graph)]
        for placed in model.layers {
            guard let layer = placed.layer as? any ONNXLayer else {
                throw .layerNotKnown(name: placed.name, kind: type(of: placed.layer).kind)
            }
            tensors.append(layer.add(to: &graph, placed.inputs.map { tensors[$0] }, placed))
        }
        let outputs = graph.add("Identity", [tensors[model.layers[model.layers.count - 1].tensor]], to: "outputs")
        switch trained.configuration.options.loss!.scoreFunction {
        case .softmax: graph.add("Softmax", [outputs], to: "scores", [.int("axis", 1)])
        case .logistic: graph.add("Sigmoid", [outputs], to: "scores")
        case .identity: graph.add("Identity", [outputs], to: "scores")
        }
        for name in ["outputs", "scores"] { graph.addOutput(name, shape: [model.outputCount]) }
        self.model = .with {
            $0.irVersion = 8
            $0.producerName = "swift-cabs"
            $0.graph = graph.graph
            $0.opsetImport = [.with { $0.version = Self.operatorVersion }]
            $0.metadataProps = Self.metadata(trained, input).map { key, value in
                .with {
                    $0.key = key
                    $0.value = value
                }
            }
        }
    }

    private static func metadata(_ trained: TrainedNetwork, _ input: InputDescription) -> [(String, String)] {
        let names = (try? JSONEncoder().encode(input.classNames)).map { String(decoding: $0, as: UTF8.self) }
        return [
            ("model", trained.configuration.model.name), ("dataset", trained.configuration.dataset.rawValue),
        ] + (input.classNames == nil ? [] : [("classes", names ?? "")])
            + (input.highestValue.map { [("highest_value", $0.shortest)] } ?? [])
    }

    /// Writes the file, whole or not at all.
    ///
    /// - Throws: `TrainingError/unwritable(path:reason:)`.
    public func write(to file: URL) throws {
        try DurableFile.write(try model.serializedBytes() as Data, to: file)
    }
}

extension InputDescription {
    /// Adds the input with its normalisation.
    ///
    /// - Returns: The name of what goes to the first layer.
    fileprivate func add(to graph: inout ONNXGraph) throws(ExportError) -> String {
        guard case .image(let height, let width, let channels) = shape else {
            graph.setInput("values", .float, shape: [shape.count])
            return normalize("values", in: &graph, axes: [1], broadcast: [1, 1])
        }
        graph.setInput("images", hasBytes ? .uint8 : .float, shape: [channels, height, width])
        var x = "images"
        if hasBytes {
            x = graph.add("Cast", [x], to: "images.float", [.int("to", Int(ONNXTensor.Element.float.rawValue))])
            x = scale(x, in: &graph)
        }
        if let cropSize {
            let (top, left) = ((height - cropSize) / 2, (width - cropSize) / 2)
            let bounds = [graph.constant([top, left]), graph.constant([top + cropSize, left + cropSize])]
            x = graph.add("Slice", [x] + bounds + [graph.constant([2, 3])], to: "images.crop")
        }
        return normalize(x, in: &graph, axes: [1, 2, 3], broadcast: [1, channels, 1, 1])
    }

    /// Brings numbers to those of bytes, as training did, where they are of another range.
    private func scale(_ x: String, in graph: inout ONNXGraph) -> String {
        guard let highestValue, highestValue != 255 else { return x }
        let scaled = graph.add("Mul", [x, graph.constant([Float(255 / highestValue)], shape: [])], to: "images.scaled")
        return graph.add("Round", [scaled], to: "images.bytes")
    }

    private func normalize(_ x: String, in graph: inout ONNXGraph, axes: [Int], broadcast: [Int]) -> String {
        switch normalization {
        case .unit(let maximum):
            return graph.add("Div", [x, graph.constant([Float(maximum)], shape: [])], to: "normalized")
        case .channel(let means, let deviations):
            let distance = graph.add(
                "Sub", [x, graph.constant(means.map { Float($0) }, shape: broadcast)], to: "input.distance")
            return graph.add(
                "Div", [distance, graph.constant(deviations.map { Float($0) }, shape: broadcast)], to: "normalized")
        case .image:
            let axes = graph.constant(axes)
            let mean = graph.add("ReduceMean", [x, axes], to: "input.mean")
            let distance = graph.add("Sub", [x, mean], to: "input.distance")
            let square = graph.add("Mul", [distance, distance], to: "input.square")
            let variance = graph.add("ReduceMean", [square, axes], to: "input.variance")
            let deviation = graph.add("Sqrt", [variance], to: "input.deviation")
            let least = graph.constant([1 / Float(networkShape.count).squareRoot()], shape: [])
            let divisor = graph.add("Max", [deviation, least], to: "input.divisor")
            return graph.add("Div", [distance, divisor], to: "normalized")
        }
    }
}
