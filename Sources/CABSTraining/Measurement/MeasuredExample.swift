import CABSData
import CABSNetwork
import Foundation

/// A training example that stands out by its loss or its gradient.
public struct MeasuredExample: Sendable, Hashable, Codable {
    /// Its place among the training examples.
    public let example: Int
    /// Its class; nothing where values are predicted.
    public let label: String?
    /// What the network takes it for; nothing where values are predicted, or where nobody asked.
    public let predicted: String?
    /// Its loss; nothing where it is not finite.
    public let loss: Double?
    /// The norm ‖gᵢ‖ of its gradient; nothing where it is not finite, or was not measured.
    public let gradientNorm: Double?
    /// Its part of Σᵢ ‖gᵢ‖² over all examples measured with it; nothing where these are not finite.
    public let partOfSecondMoment: Double?
    /// The example as a PNG file, where it is a picture.
    public let picture: Data?
}

extension TrainingData {
    /// The classes of training examples; nothing where values are predicted.
    ///
    /// - Throws: Why an example cannot be had.
    func trainingLabels(of examples: [Int]) throws -> [Int]? {
        predictsValues ? nil : try training.classes(of: examples)
    }

    /// What a class is called.
    func className(_ label: Int) -> String { input?.className(label) ?? "\(label)" }
}

extension Collection where Element: Comparable {
    /// The position of the largest element, from 0; there must be one.
    var indexOfLargest: Int { enumerated().max { $0.element < $1.element }!.offset }
}

/// What is known of the examples of a measurement, or of a batch, by their place in it.
struct ExaminedExamples {
    /// Their places among the training examples.
    let examples: [Int]
    let losses: [Double]
    /// The squared norms of their gradients.
    let squaredNorms: [Double]
    /// Their classes; nothing where values are predicted.
    let labels: [Int]?
    /// The number of examples drawn before the first of them, from which random changes follow.
    let firstDraw: UInt64

    /// The places of the examples with the largest values, the largest first; values that are no numbers count as infinite.
    func largest(_ count: Int, by values: KeyPath<ExaminedExamples, [Double]>) -> [Int] {
        let sizes = self[keyPath: values].map { $0.isNaN ? .infinity : $0 }
        return Array(sizes.indices.sorted { (sizes[$0], -$0) > (sizes[$1], -$1) }.prefix(count))
    }

    /// One of the examples.
    ///
    /// - Parameter output: What the network says of it, where it was asked.
    func measured(
        _ place: Int, in data: TrainingData, output: ArraySlice<Float>? = nil
    ) -> MeasuredExample {
        let squaredNorm = squaredNorms.isEmpty ? .nan : squaredNorms[place]
        return MeasuredExample(
            example: examples[place], label: labels.map { data.className($0[place]) },
            predicted: labels == nil ? nil : output.map { data.className($0.indexOfLargest) },
            loss: losses[place].ifFinite, gradientNorm: squaredNorm.squareRoot().ifFinite,
            partOfSecondMoment: (squaredNorm / squaredNorms.reduce(0, +)).ifFinite,
            picture: data.training.picture(at: examples[place])?.png)
    }

    /// One of the examples by itself, drawn as it was among the others.
    func alone(_ place: Int, in data: TrainingData) -> DatasetBatch {
        DatasetBatch(data.training, indices: [examples[place]], firstDraw: firstDraw + UInt64(place))
    }

    /// Several of the examples, with what a network takes them for.
    ///
    /// - Throws: What the network throws.
    func measured(_ places: [Int], in data: TrainingData, of network: any TrainingEngine) throws -> [MeasuredExample] {
        try places.map { place in
            measured(place, in: data, output: try network.outputs(for: alone(place, in: data)).outputs[...])
        }
    }
}
