import CABSExamples

/// Why a model cannot be made, or cannot take some parameters.
public enum ModelError: Error, Hashable, CustomStringConvertible {
    /// A model without layers.
    case noLayers
    /// An input shape without values.
    case emptyInput(ExampleShape)
    /// A layer cannot take what the layer before it gives, or has an option out of range.
    case layer(String, LayerError)
    /// A layer has more values, or more parameters, than any memory.
    case layerTooLarge(String)
    /// The last layer's output is not a vector.
    case outputIsNotAVector(layer: String, ExampleShape)
    /// No model of that name.
    case unknownModel(String)
    /// No layer of that kind.
    case unknownLayer(String)
    /// A layer of one's own of a kind that there is already.
    case layerKindTaken(String)
    /// A layer of one's own whose parameters cannot be told apart, or not be named in files.
    case parameterName(layer: String, name: String)
    /// A layer whose output for one example depends on the others in the batch.
    case layerMixesExamples(String)
    /// A parameter that the model has and a parameter set lacks.
    case missingParameter(String, found: [String])
    /// A parameter that the model does not have.
    case unknownParameter(String, known: [String])
    /// A parameter whose shape is not the model's.
    case parameterShape(name: String, expected: [Int], given: [Int])

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .noLayers:
            "a model needs at least one layer"
        case .emptyInput(let shape):
            "the input shape, \(shape), has no values; every size must be 1 or more"
        case .layer(let layer, let error):
            "layer \(layer) \(error)"
        case .layerTooLarge(let layer):
            "layer \(layer) would have more than \(Model.largestCount) values or parameters; make it smaller"
        case .outputIsNotAVector(let layer, let shape):
            "the last layer, \(layer), gives an \(shape), but a loss needs a vector; end with Flatten or Dense"
        case .unknownModel(let name):
            "there is no model named \"\(name)\"; there are "
                + ModelName.allCases.map(\.rawValue).joined(separator: ", ")
        case .unknownLayer(let kind):
            "there is no layer named \"\(kind)\"; there are "
                + LayerConfiguration.knownTypes.map { $0.kind }.joined(separator: ", ")
        case .layerKindTaken(let kind):
            "there is another layer named \"\(kind)\"; give the type another kind"
        case .parameterName(let layer, let name):
            "layer \(layer) has a parameter named \"\(name)\"; names are of letters, digits and underscores, each once"
        case .layerMixesExamples(let kind):
            "\"\(kind)\" mixes the examples of a batch, so no example has a gradient of its own and the gradient "
                + "variance that sets the batch size is not defined; take group-norm in its place, with 8 channels a group"
        case .missingParameter(let name, let found):
            "parameter \(name) of the model is missing; there are \(found.joined(separator: ", ")), of another model"
        case .unknownParameter(let name, let known):
            "the model has no parameter \(name); it has \(known.joined(separator: ", "))"
        case .parameterShape(let name, let expected, let given):
            "parameter \(name) has shape \(given), but the model's has \(expected)"
        }
    }
}
