import CABSData
import CABSNetwork
import Foundation

/// What is trained, and how, where nothing else is said.
extension TrainingConfiguration {
    static func defaultDataset(in folder: String?) -> DatasetName {
        let fashion = try? DatasetName.fashionMNIST.locate(in: folder.map { URL(filePath: $0) })
        return fashion == nil ? .digits : .fashionMNIST
    }

    static func defaultModel(for dataset: DatasetName) -> ModelName {
        switch dataset {
        case .mnist, .fashionMNIST: .mnistTwoConvTwoDense
        case .cifar10: .cifar10TwoConvThreeDense
        case .cifar100, .cifar100Coarse: .cifar100FourConvTwoDense
        case .svhn: .svhnThreeConvTwoDense
        case .digits: .mlp
        }
    }

    /// So large a rate that CABS has batches grow within a few epochs; images in colour are noisier.
    static func defaultLearningRate(for dataset: DatasetName) -> Double {
        switch dataset {
        case .mnist, .fashionMNIST: 0.2
        case .cifar10, .cifar100, .cifar100Coarse, .svhn, .digits: 0.1
        }
    }

    /// How many epochs a run lasts for which nothing else is said.
    public static let defaultEpochs = 6.0
}
