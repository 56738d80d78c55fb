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
        switch dataset {
        case .mnist, .fashionMNIST, .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist:
            .mnistTwoConvTwoDense
        case .cifar10: .cifar10TwoConvThreeDense
        case .cifar100, .cifar100Coarse: .cifar100FourConvTwoDense
        case .svhn: .svhnThreeConvTwoDense
        case .digits: .mlp
        case .folder, .npz: dataset.outline(of: place)?.isVector == true ? .mlp : .resnet9
        }
    }

    static func defaultLoss(for dataset: DatasetName, at place: URL?) -> Loss {
        dataset.outline(of: place)?.predictsValues == true ? .meanSquaredError : .softmaxCrossEntropy
    }

    /// So large a rate that CABS has batches grow within a few epochs; images in colour are noisier.
    static func defaultLearningRate(for dataset: DatasetName) -> Double {
        switch dataset {
        case .mnist, .fashionMNIST, .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist: 0.2
        case .cifar10, .cifar100, .cifar100Coarse, .svhn, .digits, .folder, .npz: 0.1
        }
    }

    /// How many epochs a run lasts for which nothing else is said.
    public static let defaultEpochs = 6.0
}
