import CABSExamples

/// A model as configuration files write it: a name (`mlp`), or a list of layers.
///
/// ```yaml
/// model:
///   layers:
///     - conv2d: {filters: 32, kernel-size: 5}
///     - relu
///     - max-pool2d: {pool-size: 2}
///     - flatten
///     - dense: {units: 10}
/// ```
public enum ModelConfiguration: Sendable {
    /// A model known by name, which fits itself to the data.
    case named(ModelName)
    /// The layers in order.
    case layers([LayerConfiguration])

    /// Reads a model's name.
    ///
    /// - Throws: ``ModelError/unknownModel(_:)``.
    public init(name: String) throws(ModelError) {
        guard let model = ModelName(rawValue: name) else { throw .unknownModel(name) }
        self = .named(model)
    }

    /// Makes the model.
    ///
    /// - Parameters:
    ///   - input: The shape of one example.
    ///   - outputCount: The number of classes, which the models known by name end with.
    ///   - seed: The seed of the first parameters.
    /// - Throws: ``ModelError`` where the layers do not fit.
    public func model(input: ExampleShape, outputCount: Int, seed: UInt64) throws(ModelError) -> Model {
        switch self {
        case .named(let name): try name.model(input: input, outputCount: outputCount, seed: seed)
        case .layers(let layers): try Model(input: input, seed: seed, layers: layers.map(\.layer))
        }
    }

    /// What the model is called in lists and folder names.
    public var name: String {
        switch self {
        case .named(let name): name.rawValue
        case .layers: "layers"
        }
    }
}

extension ModelConfiguration: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case layers }

    /// Reads either form.
    ///
    /// - Throws: ``ModelError`` for names that do not exist; `DecodingError` for anything else.
    public init(from decoder: any Decoder) throws {
        if let single = try? decoder.singleValueContainer(), let name = try? single.decode(String.self) {
            try self.init(name: name)
        } else {
            let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
            self = .layers(try container.decode([LayerConfiguration].self, forKey: .layers))
        }
    }

    /// Writes the form that ``init(from:)`` reads.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .named(let name):
            var container = encoder.singleValueContainer()
            try container.encode(name.rawValue)
        case .layers(let layers):
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(layers, forKey: .layers)
        }
    }
}
