import CABSData
import CABSNetwork
import Foundation

/// All that a run needs to go on as if nothing had happened: its parameters, its optimiser's tensors and its state, in one file.
struct Checkpoint {
    let tensors: CheckpointTensors
    let state: RunState

    private static let stateKey = "cabs_state"

    /// Reads a checkpoint.
    ///
    /// - Throws: ``TrainingError/invalidParameterFile(file:reason:)`` where the file is damaged or holds parameters alone.
    init(contentsOf file: URL) throws(TrainingError) {
        try self.init(Safetensors.contents(of: file), named: file.path)
    }

    /// Reads a checkpoint that another rank has.
    ///
    /// - Throws: ``TrainingError/invalidParameterFile(file:reason:)``, as for a file.
    init(data: Data) throws(TrainingError) {
        let name = "the checkpoint of rank 0"
        try self.init(Safetensors.contents(of: data, named: name), named: name)
    }

    private init(_ contents: Safetensors.Contents, named name: String) throws(TrainingError) {
        guard let text = contents.metadata[Self.stateKey] else {
            throw .invalidParameterFile(file: name, reason: "it has parameters but no state of a run")
        }
        do {
            state = try JSONDecoder().decode(RunState.self, from: Data(text.utf8))
        } catch {
            throw .invalidParameterFile(file: name, reason: "the state of the run in it cannot be read: \(error)")
        }
        tensors = CheckpointTensors(of: contents.parameters)
    }

    init(_ tensors: CheckpointTensors, _ state: RunState) {
        self.tensors = tensors
        self.state = state
    }

    /// Writes the checkpoint, whole or not at all.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func write(to file: URL) throws(TrainingError) {
        try DurableFile.write(try data(named: file.path), to: file)
    }

    /// The bytes of the checkpoint's file.
    ///
    /// - Parameter name: What errors call the file.
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func data(named name: String = "the checkpoint") throws(TrainingError) -> Data {
        let text: String
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            text = String(decoding: try encoder.encode(state), as: UTF8.self)
        } catch {
            throw .unwritable(path: name, reason: "\(error)")
        }
        return try Safetensors.data(of: tensors.all, [Self.stateKey: text], named: name)
    }
}

/// The state of a run beside its parameters.
struct RunState: Codable {
    let trainer: TrainerState
    let record: RunRecord
    /// The rules that watch, each by its own encoding.
    let shadows: [Data]
    /// The bytes of `metrics.jsonl`, and of `estimators.jsonl` where there is one.
    let metricsLength: UInt64
    let estimatorsLength: UInt64?
    let data: DataFingerprint
}

/// What tells one data set from another: sizes, and a checksum of every example.
struct DataFingerprint: Codable, Hashable, CustomStringConvertible {
    let exampleCount: Int
    let testExampleCount: Int
    let inputShape: String
    let checksums: [UInt]

    /// - Throws: Why an example cannot be had.
    init(_ data: TrainingData) throws(DatasetError) {
        exampleCount = data.training.count
        testExampleCount = data.test.count
        inputShape = "\(data.training.inputShape)"
        var checksums = [try data.training.checksum, try data.test.checksum]
        if let validation = data.validation { checksums.append(try validation.checksum) }
        self.checksums = checksums
    }

    /// Checks that data are these, which a run was trained on.
    ///
    /// - Throws: ``TrainingError/otherData(before:now:)``, and why an example cannot be had.
    func check(_ data: TrainingData) throws { try check(DataFingerprint(data)) }

    /// The same of data whose fingerprint is known.
    func check(_ now: DataFingerprint) throws(TrainingError) {
        guard now == self else { throw .otherData(before: "\(self)", now: "\(now)") }
    }

    var description: String {
        let checksums = checksums.map { String($0, radix: 16) }.joined(separator: " and ")
        return "\(exampleCount) training and \(testExampleCount) test examples (\(inputShape), checksums \(checksums))"
    }
}

/// A run's checkpoints: `checkpoints/step-<steps>.safetensors`.
struct CheckpointFolder {
    let url: URL

    private static let prefix = "step-"
    private static let suffix = ".safetensors"

    private func file(stepCount: Int) -> URL {
        let digits = String(stepCount)
        let zeros = String(repeating: "0", count: max(0, 9 - digits.count))
        return url.appending(path: "\(Self.prefix)\(zeros)\(digits)\(Self.suffix)")
    }

    /// The checkpoints, the newest first.
    private func files() -> [(stepCount: Int, file: URL)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.compactMap { name in
            guard name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix),
                let stepCount = Int(name.dropFirst(Self.prefix.count).dropLast(Self.suffix.count))
            else { return nil }
            return (stepCount, url.appending(path: name))
        }.sorted { $0.stepCount > $1.stepCount }
    }

    /// Whether there is any.
    var isEmpty: Bool { files().isEmpty }

    /// Writes a checkpoint, and removes all but the newest.
    ///
    /// - Parameters:
    ///   - keptCount: How many stay.
    ///   - interval: When an undisturbed run writes them: the newest of these stays in any case, as ``newest(by:onDamage:)`` may ask
    ///     for it.
    /// - Returns: The checkpoint's file.
    /// - Throws: ``TrainingError/unwritable(path:reason:)``; then all earlier ones are still there.
    func write(
        _ checkpoint: Checkpoint, keeping keptCount: Int, by interval: CheckpointInterval
    ) throws(TrainingError) {
        let file = file(stepCount: checkpoint.state.trainer.progress.stepCount)
        try checkpoint.write(to: file)
        let files = files()
        let undisturbed = files.first { interval.mayFall(on: $0.stepCount) }
        for old in files.dropFirst(keptCount) where old.stepCount != undisturbed?.stepCount {
            try? FileManager.default.removeItem(at: old.file)
        }
    }

    /// What the newest whole checkpoint says that the run was trained on; nothing where there is none.
    var trainingData: DataFingerprint? { try? newest { _ in }.state.data }

    /// Removes the checkpoints after so many updates, which a run that went back leaves behind.
    func removeAll(after stepCount: Int) {
        for later in files() where later.stepCount > stepCount { try? FileManager.default.removeItem(at: later.file) }
    }

    /// The newest checkpoint that is whole.
    ///
    /// - Parameters:
    ///   - interval: Only checkpoints of this interval, as an undisturbed run has them, as long as there are any.
    ///   - onDamage: Told of each one that is passed over for its damage.
    /// - Throws: ``TrainingError/noCheckpoint(path:reason:)`` where none is left.
    func newest(
        by interval: CheckpointInterval? = nil, onDamage: (TrainingError) -> Void
    ) throws(TrainingError) -> Checkpoint {
        let all = files()
        let ofInterval = all.filter { interval?.mayFall(on: $0.stepCount) ?? true }
        let files = ofInterval.isEmpty ? all : ofInterval
        for (_, file) in files {
            do throws(TrainingError) {
                return try Checkpoint(contentsOf: file)
            } catch {
                onDamage(error)
            }
        }
        let names = files.map(\.file.lastPathComponent).joined(separator: ", ")
        throw .noCheckpoint(
            path: url.path,
            reason: files.isEmpty ? "it has no checkpoint" : "all its checkpoints are damaged (\(names))")
    }
}
