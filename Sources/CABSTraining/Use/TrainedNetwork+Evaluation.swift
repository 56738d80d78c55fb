import CABSData
import CABSNetwork
import Foundation

extension TrainedNetwork {
    /// The examples to evaluate the network on: the test part of its own data, or of other data what they have for testing, or all.
    ///
    /// - Parameters:
    ///   - isGiven: Whether the configuration's data set, or its place, was given anew.
    ///   - onProgress: Told how many of own pictures were read, of how many, now and then and from several threads.
    /// - Throws: What loading the data throws.
    public func evaluationData(
        isGiven: Bool, onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)? = nil
    ) throws -> EvaluationData {
        guard isGiven, let storedInput, !isOwnPlace else {
            return try configuration.loadData(for: storedInput, onProgress: onProgress).evaluation
        }
        let data = try configuration.loadEvaluationData(for: storedInput, onProgress: onProgress)
        return try ownTestPart(of: data) ?? data
    }

    /// Whether examples are the test examples of the run; also where nothing says what these were.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the run's account of them is damaged, and why an example cannot be had.
    public func wasTested(on data: EvaluationData) throws -> Bool {
        guard let own = try directory?.origin()?.data else { return true }
        return own.checksums.dropFirst().first == (try data.examples.checksum)
    }

    /// Whether the configuration names the place of the data that the network was trained on.
    private var isOwnPlace: Bool {
        guard let directory, let own = try? TrainingOptions(contentsOf: directory.configurationFile),
            own.dataset == configuration.dataset
        else { return false }
        func place(_ path: String?) -> String? { path.map { URL(filePath: $0).resolvingSymlinksInPath().path } }
        return place(own.data) == place(configuration.options.data)
    }

    /// The test part of data that are those that the network was trained on, in another place; nothing where they are others.
    private func ownTestPart(of data: EvaluationData) throws -> EvaluationData? {
        guard data.part == .all, let own = try directory?.origin()?.data,
            data.examples.count == own.exampleCount + own.testExampleCount,
            let divided = try? configuration.loadData(for: storedInput), (try? own.check(divided)) != nil
        else { return nil }
        return divided.evaluation
    }
}
