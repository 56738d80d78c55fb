import CABSTraining
import Foundation
import SwiftProtobuf

/// A graph of ONNX's operators as it grows.
struct ONNXGraph {
    private(set) var graph = ONNXGraphBody()
    private let parameters: ParameterSet
    private var constantCount = 0

    init(name: String, parameters: ParameterSet) {
        graph.name = name
        self.parameters = parameters
    }

    /// Adds an operator.
    ///
    /// - Parameter output: What its output is called.
    /// - Returns: That name.
    @discardableResult
    mutating func add(
        _ type: String, _ inputs: [String], to output: String, _ attributes: [ONNXAttribute] = []
    ) -> String {
        graph.node.append(
            .with {
                $0.opType = type
                $0.name = output
                $0.input = inputs
                $0.output = [output]
                $0.attribute = attributes
            })
        return output
    }

    /// Adds a parameter of the model.
    ///
    /// - Parameter shape: Its shape, where that is to be another one of as many values.
    /// - Returns: Its name.
    mutating func parameter(_ name: String, shape: [Int]? = nil) -> String {
        let tensor = parameters[name]!
        add(floats: tensor.values, shape ?? tensor.shape, name: name)
        return name
    }

    /// Adds numbers.
    ///
    /// - Returns: Their name.
    mutating func constant(_ values: [Float], shape: [Int]) -> String {
        let name = nextConstant()
        add(floats: values, shape, name: name)
        return name
    }

    /// Adds whole numbers.
    ///
    /// - Returns: Their name.
    mutating func constant(_ values: [Int]) -> String {
        let name = nextConstant()
        graph.initializer.append(
            .with {
                $0.name = name
                $0.dims = [Int64(values.count)]
                $0.dataType = .int64
                $0.rawData = values.reduce(into: Data()) { data, value in
                    withUnsafeBytes(of: Int64(value).littleEndian) { data.append(contentsOf: $0) }
                }
            })
        return name
    }

    private mutating func nextConstant() -> String {
        constantCount += 1
        return "constant\(constantCount)"
    }

    private mutating func add(floats: [Float], _ shape: [Int], name: String) {
        graph.initializer.append(
            .with {
                $0.name = name
                $0.dims = shape.map(Int64.init)
                $0.dataType = .float
                $0.rawData = floats.withLittleEndianBytes { Data($0) }
            })
    }

    mutating func setInput(_ name: String, _ element: ONNXTensor.Element, shape: [Int]) {
        graph.input = [Self.value(name, element, shape)]
    }

    mutating func addOutput(_ name: String, shape: [Int]) {
        graph.output.append(Self.value(name, .float, shape))
    }

    /// An array of any number of examples.
    private static func value(_ name: String, _ element: ONNXTensor.Element, _ shape: [Int]) -> ONNXValueInfo {
        .with {
            $0.name = name
            $0.type.tensorType.elemType = element
            $0.type.tensorType.shape.dim =
                [.with { $0.dimParam = "batch" }] + shape.map { size in .with { $0.dimValue = Int64(size) } }
        }
    }
}

extension ONNXAttribute {
    static func int(_ name: String, _ value: Int) -> Self {
        .with {
            $0.name = name
            $0.type = .int
            $0.i = Int64(value)
        }
    }

    static func ints(_ name: String, _ values: [Int]) -> Self {
        .with {
            $0.name = name
            $0.type = .ints
            $0.ints = values.map(Int64.init)
        }
    }

    static func float(_ name: String, _ value: Float) -> Self {
        .with {
            $0.name = name
            $0.type = .float
            $0.f = value
        }
    }
}
