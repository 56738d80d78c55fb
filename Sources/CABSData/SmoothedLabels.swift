import CABSExamples
import Foundation

/// A data set whose classes are smoothed by the loss: see ``CABSExamples/TargetSpecification/classes(_:smoothing:)``.
public struct SmoothedLabels: Dataset {
    /// The data set as it is.
    public let base: any Dataset
    /// The part ε of each target that is spread evenly.
    public let smoothing: Double
    /// The classes, smoothed.
    public let target: TargetSpecification

    /// Creates the data set.
    ///
    /// - Parameter smoothing: ε, from 0 up to, not including, 1.
    /// - Throws: ``DatasetError/smoothingOutOfRange(_:)``, and ``DatasetError/smoothingNeedsClasses`` where targets are values.
    public init(_ base: any Dataset, smoothing: Double) throws(DatasetError) {
        guard smoothing >= 0, smoothing < 1 else { throw .smoothingOutOfRange(smoothing) }
        guard case .classes(let count, _) = base.target else { throw .smoothingNeedsClasses }
        self.base = base
        self.smoothing = smoothing
        target = .classes(count, smoothing: smoothing)
    }

    /// The shape of one example.
    public var inputShape: ExampleShape { base.inputShape }
    /// The number of examples.
    public var count: Int { base.count }
    /// The checksum of the data set as it is.
    public var checksum: UInt { get throws(DatasetError) { try base.checksum } }

    /// The example as a picture.
    public func picture(at index: Int) -> Picture? { base.picture(at: index) }

    /// Writes the example as it is.
    public func write(_ index: Int, draw: UInt64, into slot: inout ExampleSlot) throws {
        try base.write(index, draw: draw, into: &slot)
    }

    /// The smallest softmax cross-entropy that can be reached: the entropy of the smoothed target.
    public var lossFloor: Double {
        let spread = smoothing / Double(target.count)
        func part(_ probability: Double) -> Double { probability > 0 ? -probability * log(probability) : 0 }
        return part(1 - smoothing + spread) + Double(target.count - 1) * part(spread)
    }
}

extension TrainingData {
    /// The same data with the targets of training examples smoothed; those that are evaluated stay as they are.
    ///
    /// - Throws: ``DatasetError/smoothingOutOfRange(_:)``, and ``DatasetError/smoothingNeedsClasses`` where targets are values.
    public func smoothingLabels(_ smoothing: Double) throws(DatasetError) -> TrainingData {
        try with(training: SmoothedLabels(training, smoothing: smoothing))
    }
}
