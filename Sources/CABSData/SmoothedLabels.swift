import CABSExamples
import Foundation

/// A data set whose targets are smoothed: `(1 − ε) t + ε / K` for each of the K values t of a target (Szegedy et al. 2016, arXiv 1512.00567,
/// section 7).
public struct SmoothedLabels: Dataset {
    /// The data set as it is.
    public let base: any Dataset
    /// The part ε of each target that is spread evenly.
    public let smoothing: Double

    /// Creates the data set.
    ///
    /// - Parameter smoothing: ε, from 0 up to, not including, 1.
    /// - Throws: ``DatasetError/smoothingOutOfRange(_:)``.
    public init(_ base: any Dataset, smoothing: Double) throws(DatasetError) {
        guard smoothing >= 0, smoothing < 1 else { throw .smoothingOutOfRange(smoothing) }
        self.base = base
        self.smoothing = smoothing
    }

    /// The shape of one example.
    public var inputShape: ExampleShape { base.inputShape }
    /// The number of values in a target.
    public var targetCount: Int { base.targetCount }
    /// The number of examples.
    public var count: Int { base.count }
    /// The checksum of the data set as it is.
    public var checksum: UInt { base.checksum }

    /// Why an example could not be given as it was.
    public var failure: DatasetError? { base.failure }

    /// The example as a picture.
    public func picture(at index: Int) -> Picture? { base.picture(at: index) }

    /// Writes the example, with its target smoothed.
    public func copyExample(at index: Int, draw: UInt64, input: inout [Float], target: inout [Float]) {
        base.copyExample(at: index, draw: draw, input: &input, target: &target)
        let (kept, spread) = (Float(1 - smoothing), Float(smoothing / Double(targetCount)))
        for position in target.indices { target[position] = kept * target[position] + spread }
    }

    /// The smallest softmax cross-entropy that can be reached where each target was one for a class: the entropy of the smoothed target.
    public var lossFloor: Double {
        let spread = smoothing / Double(targetCount)
        func part(_ probability: Double) -> Double { probability > 0 ? -probability * log(probability) : 0 }
        return part(1 - smoothing + spread) + Double(targetCount - 1) * part(spread)
    }
}

extension TrainingData {
    /// The same data with the targets of training examples smoothed; those that are evaluated stay as they are.
    ///
    /// - Throws: ``DatasetError/smoothingOutOfRange(_:)``.
    public func smoothingLabels(_ smoothing: Double) throws(DatasetError) -> TrainingData {
        try with(training: SmoothedLabels(training, smoothing: smoothing))
    }
}
