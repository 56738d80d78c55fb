import CABSData
import CABSNetwork
import Foundation

/// What is trained, and how, where nothing else is said.
extension TrainingConfiguration {
    /// - Throws: `DatasetError` where a place is given and it is not certain what lies there.
    static func defaultDataset(in place: String?) throws(DatasetError) -> DatasetName {
        if let place { return try DatasetName.inferred(from: URL(filePath: place)) }
        return (try? DatasetName.fashionMNIST.locate()) == nil ? .digits : .fashionMNIST
    }

    /// - Parameter place: Where the data are.
    static func defaultModel(for dataset: DatasetName, at place: URL?) -> ModelName {
        if dataset.outline(of: place)?.isVector == true { return .mlp }
        let name = dataset.descriptor.usualModel
        guard let model = ModelName(rawValue: name) else { preconditionFailure("there is no model \(name)") }
        return model
    }

    static func defaultLoss(for dataset: DatasetName, at place: URL?) -> Loss {
        dataset.outline(of: place)?.predictsValues == true ? .meanSquaredError : .softmaxCrossEntropy
    }

    /// How many epochs a run lasts for which nothing else is said.
    public static let defaultEpochs = 6.0
}
