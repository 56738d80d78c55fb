import ArgumentParser
import CABSTraining
import Foundation

/// A group of the command line's options that bear the names of ``TrainingOptions``' properties, and their values: so nothing need be
/// said of how one becomes the other.
protocol TrainingArguments: ParsableArguments, Encodable {}

extension Option: @retroactive Encodable where Value: Encodable {
    /// Writes the value as it was given, nothing as null.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue)
    }
}

extension Flag: @retroactive Encodable where Value: Encodable {
    /// Writes the value as it was given.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(wrappedValue)
    }
}

extension DatasetName: ExpressibleByArgument {}
extension GradientEstimator: ExpressibleByArgument {}
extension ImageSize: ExpressibleByArgument {}
extension NormalizationName: ExpressibleByArgument {}
extension Loss: ExpressibleByArgument {}
extension RateScaling: ExpressibleByArgument {}
extension TrainingOptions.OrderName: ExpressibleByArgument {}
extension TrainingOptions.DivergenceResponse: ExpressibleByArgument {}

extension AugmentationChoice: ExpressibleByArgument {
    /// Reads a recipe's name.
    public init?(argument: String) {
        guard let augmentation = Augmentation(argument) else { return nil }
        self = .named(augmentation)
    }
}

/// A model on the command line: its name, or a YAML file of layers.
struct ModelArgument: ExpressibleByArgument, Encodable {
    let text: String

    init(argument: String) { text = argument }

    func configuration() throws -> ModelConfiguration {
        if text.hasSuffix(".yaml") || text.hasSuffix(".yml") {
            return try TrainingOptions.model(contentsOf: URL(userPath: text))
        }
        return try ModelConfiguration(name: text)
    }

    func encode(to encoder: any Encoder) throws {
        try configuration().encode(to: encoder)
    }
}
