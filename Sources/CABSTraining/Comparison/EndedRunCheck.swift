import CABSData
import Foundation

/// Compares what runs that have ended were made of with what runs of the same options would be made of now: only runs of the same data and
/// first parameters belong in one table.
struct EndedRunCheck {
    /// What data follow from. Each such choice is read once.
    private struct DataChoice: Hashable {
        let dataset: DatasetName
        let place: String?
        let images: ImageOptions
        let validation: Int?

        init(_ configuration: TrainingConfiguration) {
            (dataset, images) = (configuration.dataset, configuration.images)
            (place, validation) = (configuration.options.data, configuration.options.validation)
        }
    }

    private let load: (TrainingConfiguration) throws(DatasetError) -> DataFingerprint
    private var data: [DataChoice: Result<DataFingerprint, DatasetError>] = [:]
    private var parameters: [String?: Result<RunOrigin.InitialParameters, TrainingError>] = [:]
    private var differing: [(path: String, difference: String)] = []
    private var unrecordedCount = 0
    private var unreachable: [String] = []

    /// - Parameter load: What the data of a configuration are.
    init(
        load: @escaping (TrainingConfiguration) throws(DatasetError) -> DataFingerprint = {
            configuration throws(DatasetError) in try DataFingerprint(try configuration.loadData())
        }
    ) {
        self.load = load
    }

    /// Compares a run that has ended.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the run's folder is damaged.
    mutating func add(_ directory: RunDirectory, _ configuration: TrainingConfiguration) throws(TrainingError) {
        guard let origin = try directory.origin() else {
            unrecordedCount += 1
            return
        }
        var reason: String?
        switch data(of: configuration) {
        case .success(origin.data): break
        case .success(let now): note(directory, "was trained on data of \(origin.data), and these are of \(now)")
        case .failure(let error): reason = error.description
        }
        switch (origin.initialParameters, parameters(of: configuration)) {
        case (nil, .success(.seed)): break
        case (nil, .success): unrecordedCount += 1
        case (let before?, .success(let now)) where before != now:
            note(directory, "began with parameters \(before), and these are \(now)")
        case (_, .success): break
        case (_, .failure(let error)): reason = error.description
        }
        if let reason { unreachable.append(reason) }
    }

    private mutating func note(_ directory: RunDirectory, _ difference: String) {
        if differing.last?.path != directory.url.relativePath {
            differing.append((directory.url.relativePath, difference))
        }
    }

    private mutating func data(of configuration: TrainingConfiguration) -> Result<DataFingerprint, DatasetError> {
        let choice = DataChoice(configuration)
        if let known = data[choice] { return known }
        let found = Result { () throws(DatasetError) in try load(configuration) }
        data[choice] = found
        return found
    }

    private mutating func parameters(
        of configuration: TrainingConfiguration
    ) -> Result<RunOrigin.InitialParameters, TrainingError> {
        let path = configuration.options.initialParameters
        if let known = parameters[path] { return known }
        let found = Result { () throws(TrainingError) in try RunOrigin.InitialParameters(configuration.options) }
        parameters[path] = found
        return found
    }

    /// What could not be compared, a line for each reason; the runs count.
    ///
    /// - Throws: ``TrainingError/madeOfOther(path:difference:others:)`` where a run differs.
    func notices() throws(TrainingError) -> [String] {
        if let first = differing.first {
            throw .madeOfOther(path: first.path, difference: first.difference, others: differing.count - 1)
        }
        func runs(_ count: Int) -> String { count == 1 ? "1 run that has ended" : "\(count) runs that have ended" }
        var notices: [String] = []
        if unrecordedCount > 0 {
            notices.append(
                "\(runs(unrecordedCount)) did not record all checksums of data and first parameters; counted as made of those that are there now"
            )
        }
        if let reason = unreachable.first {
            notices.append("\(runs(unreachable.count)) could not be compared with what is there now: \(reason)")
        }
        return notices
    }
}
