import CABSExamples
import Foundation

/// A format that data sets come in: how to find them, and how to read them.
///
/// A new one is a file like those beside this, and a row of ``DatasetDescriptor``.
protocol DatasetFormat: Sendable {
    /// What must be named of own data, in words, of which nothing is known beforehand; nothing of sets that are looked for.
    var ownPlace: String? { get }
    /// The names of files that are looked for.
    var fileNames: [String] { get }
    /// Whether a folder holds the files; whether they are right shows when they are read.
    func isThere(_ folder: DatasetFolder, for use: DataUse) -> Bool
    /// Reads the data.
    ///
    /// - Parameters:
    ///   - place: The folder, or of own data what was named.
    ///   - use: What for.
    ///   - options: How the images go to a network.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    /// - Throws: ``DatasetError`` where anything about the files is not right.
    func read(
        _ place: URL, for use: DataUse, _ options: ImageOptions, onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData
    /// What a look at own data tells beforehand; nothing where it tells nothing.
    func outline(of place: URL) -> DataOutline?
}

/// What a look at own data tells before they are read.
public struct DataOutline: Sendable, Hashable {
    /// Whether an example is a vector, and no image.
    public let isVector: Bool
    /// Whether targets are values to be predicted, and not classes.
    public let predictsValues: Bool
}

extension DatasetFormat {
    var ownPlace: String? { nil }
    func outline(of place: URL) -> DataOutline? { nil }
}

/// What data are read for.
enum DataUse {
    /// To train on: both parts are needed.
    case training
    /// To evaluate a network that is there already: the test part, or all where nothing is set aside for testing.
    case evaluation

    /// Which parts are read of a set in files of its own for each.
    ///
    /// - Parameter hasTest: Whether there are files for testing.
    func parts(hasTest: Bool) -> (training: Bool, test: Bool) {
        self == .training ? (true, true) : (!hasTest, hasTest)
    }
}

/// Data as their files have them.
protocol ReadData {
    /// The data set, to train on.
    ///
    /// - Parameter seed: The seed of random changes.
    func data(name: String, _ options: ImageOptions, seed: UInt64) throws(DatasetError) -> TrainingData

    /// What there is to evaluate a network on that is known.
    func evaluation(name: String, _ options: ImageOptions) throws(DatasetError) -> EvaluationData
}
