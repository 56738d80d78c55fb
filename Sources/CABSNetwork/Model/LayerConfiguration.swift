import Foundation
import Synchronization

/// A layer as model files write it: its kind alone (`relu`), or its kind with its options
/// (`dense: {units: 10}`).
public struct LayerConfiguration: Sendable, Codable {
    /// The layer.
    public let layer: any Layer

    /// Every kind of layer of this module.
    static let layerTypes: [any Layer.Type] = [
        Conv2D.self, MaxPool2D.self, AveragePool2D.self, ReLU.self, Tanh.self, Sigmoid.self, Flatten.self,
        Dense.self, Dropout.self, Residual.self, GroupNorm.self, GlobalAveragePool2D.self,
        LayerNorm.self, LeakyReLU.self, SiLU.self, GELU.self,
    ]

    private static let registered = Mutex<[any ExampleLayer.Type]>([])

    /// Makes layers of your own known to model files, and to runs that are resumed or used, in this process.
    ///
    /// - Throws: ``ModelError/layerKindTaken(_:)`` where another type has that kind.
    public static func register(_ type: any ExampleLayer.Type) throws(ModelError) {
        try registered.withLock { types throws(ModelError) in
            guard !types.contains(where: { $0 == type }) else { return }
            guard !(layerTypes + types).contains(where: { $0.kind == type.kind }) else {
                throw .layerKindTaken(type.kind)
            }
            types.append(type)
        }
    }

    /// Every kind of layer that is known.
    static var knownTypes: [any Layer.Type] { layerTypes + registered.withLock { $0 } }

    /// Wraps a layer.
    public init(_ layer: any Layer) {
        self.layer = layer
    }

    /// Reads either form.
    ///
    /// - Throws: ``ModelError`` for a kind that does not exist or mixes examples; `DecodingError` for wrong
    ///   options.
    public init(from decoder: any Decoder) throws {
        if let single = try? decoder.singleValueContainer(), let kind = try? single.decode(String.self) {
            layer = try JSONDecoder().decode(Self.type(named: kind), from: Data("{}".utf8))
            return
        }
        let keyed = try decoder.container(keyedBy: AnyKey.self)
        guard let key = keyed.allKeys.first, keyed.allKeys.count == 1 else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "a layer is one kind, such as relu or dense: {units: 10}"))
        }
        let type = try Self.type(named: key.stringValue)
        let options = try keyed.superDecoder(forKey: key)
        if type is any LayerWithoutOptions.Type { _ = try options.strictContainer(keyedBy: NoKey.self) }
        layer = try type.init(from: options)
    }

    /// Writes the kind with its options.
    public func encode(to encoder: any Encoder) throws {
        var keyed = encoder.container(keyedBy: AnyKey.self)
        try layer.encode(to: keyed.superEncoder(forKey: AnyKey(Swift.type(of: layer).kind)))
    }

    private static func type(named kind: String) throws(ModelError) -> any Layer.Type {
        if let type = knownTypes.first(where: { $0.kind == kind }) { return type }
        let name = kind.lowercased()
        if name.contains("batch"), name.contains("norm") { throw .layerMixesExamples(kind) }
        throw .unknownLayer(kind)
    }
}

/// A layer that has nothing to choose.
protocol LayerWithoutOptions: Layer {}

extension ReLU: LayerWithoutOptions {}
extension Tanh: LayerWithoutOptions {}
extension Sigmoid: LayerWithoutOptions {}
extension SiLU: LayerWithoutOptions {}
extension GELU: LayerWithoutOptions {}
extension Flatten: LayerWithoutOptions {}
extension GlobalAveragePool2D: LayerWithoutOptions {}

/// No coding key at all.
private struct NoKey: CodingKey, CaseIterable {
    static let allCases: [NoKey] = []
    var stringValue: String { "" }
    var intValue: Int? { nil }

    init?(stringValue: String) { nil }
    init?(intValue: Int) { nil }
}

/// A coding key of any name.
package struct AnyKey: CodingKey {
    package let stringValue: String
    package var intValue: Int? { nil }

    package init(_ name: String) { stringValue = name }
    package init(stringValue: String) { self.stringValue = stringValue }
    package init?(intValue: Int) { nil }
}

extension Decoder {
    /// A container whose keys are all known: a misspelt option must not pass in silence.
    ///
    /// - Parameter others: Other keys that may be there, of which nothing is said.
    package func strictContainer<Key: CodingKey & CaseIterable>(
        keyedBy: Key.Type, beside others: [String] = []
    ) throws -> KeyedDecodingContainer<Key> {
        let known = Key.allCases.map(\.stringValue)
        for key in try container(keyedBy: AnyKey.self).allKeys where !(known + others).contains(key.stringValue) {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: codingPath + [key],
                    debugDescription: "there is no option \(key.stringValue); there "
                        + (known.isEmpty ? "are none" : "are \(known.joined(separator: ", "))")))
        }
        return try container(keyedBy: Key.self)
    }
}
