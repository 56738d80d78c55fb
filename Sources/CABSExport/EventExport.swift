import CABSTraining
import Foundation

/// A run's metrics as TensorBoard's events, by the number of examples seen.
public struct EventExport {
    private let run: RunDirectory
    private let file: EventFile
    /// How far the metrics were read, in bytes and in examples, and what stood there last.
    private var position: UInt64 = 0
    private var lastExamples = 0
    private var lastLine = Data()
    /// The time of the run's beginning.
    private let start: Double

    /// Begins a run's events in a folder of their own, in place of those that an earlier export of the same run left there.
    ///
    /// - Throws: ``ExportError/exists(path:)`` where the folder has other events, which TensorBoard would take for the same run's;
    ///   `TrainingError/unwritable(path:reason:)`.
    public init(_ run: RunDirectory, to folder: URL) throws {
        self.run = run
        let name = "events.out.tfevents.0000000000.\(run.url.absoluteURL.standardizedFileURL.lastPathComponent)"
        let others = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        if others.contains(where: { $0.contains("tfevents") && $0 != name }) {
            throw ExportError.exists(path: folder.path)
        }
        try OutputFolder.make(at: folder)
        let attributes = try? FileManager.default.attributesOfItem(atPath: run.configurationFile.path)
        let began = (attributes?[.modificationDate] as? Date) ?? Date()
        start = began.timeIntervalSince1970
        file = try EventFile(creating: folder.appending(path: name))
    }

    /// Adds what the run has written since the last time.
    ///
    /// Where it went back to a checkpoint, its points after that are taken back as well.
    ///
    /// - Returns: Whether the run has ended.
    /// - Throws: `TrainingError` where the metrics cannot be read or the events not be written.
    public mutating func update() throws(TrainingError) -> Bool {
        let hasEnded = try run.summary() != nil
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: run.metricsFile)
            defer { try? handle.close() }
            // A run that goes on from a checkpoint cuts off what came after it, and may have written more since.
            if try handle.seekToEnd() < position || !Self.holds(lastLine, before: position, handle) { position = 0 }
            try handle.seek(toOffset: position)
            data = try handle.readToEnd() ?? Data()
        } catch {
            throw .unreadable(path: run.metricsFile.path, reason: error.systemReason)
        }
        // The last line may be half written.
        guard let end = data.lastIndex(of: UInt8(ascii: "\n")) else { return hasEnded }
        let isRepeated = position == 0 && lastExamples > 0
        if isRepeated { try restart() }
        let lines = data[...end]
        let found = lines.withUnsafeBytes { bytes in
            // Each is followed by its end, which can be read.
            bytes.split(separator: UInt8(ascii: "\n")).map { line in
                StepLine(UnsafeRawBufferPointer(rebasing: line), readsAll: true).flatMap(MetricsValues.init)
            }
        }
        for values in found.compactMap(\.self) {
            if values.examples <= lastExamples { try restart(from: values.examples) }
            try append(values)
        }
        position += UInt64(end - data.startIndex + 1)
        lastLine = Data(data[...end].suffix(200))
        return hasEnded
    }

    /// Whether the bytes before a place in a file are those.
    private static func holds(_ bytes: Data, before position: UInt64, _ handle: FileHandle) throws -> Bool {
        try handle.seek(toOffset: position - UInt64(bytes.count))
        return try handle.read(upToCount: bytes.count) ?? Data() == bytes
    }

    /// Has TensorBoard forget the points from there on.
    private mutating func restart(from examples: Int = 0) throws(TrainingError) {
        lastExamples = max(examples - 1, 0)
        try file.append(
            .with {
                $0.wallTime = Date().timeIntervalSince1970
                $0.step = Int64(examples)
                $0.sessionLog.status = .start
            })
    }

    private mutating func append(_ values: MetricsValues) throws(TrainingError) {
        lastExamples = values.examples
        try file.append(
            .with { event in
                event.wallTime = start + (values.seconds ?? 0)
                event.step = Int64(values.examples)
                event.summary.value = values.scalars.map { tag, value in
                    .with {
                        $0.tag = tag
                        $0.simpleValue = Float(value)
                    }
                }
            })
    }
}

/// What TensorBoard shows of a step.
private struct MetricsValues {
    let examples: Int
    let seconds: Double?
    /// By TensorBoard's tags.
    let scalars: [(tag: String, value: Double)]

    /// Nothing of a line that has no examples.
    init?(_ line: StepLine) {
        guard let examples = line.examples, examples >= 1 else { return nil }
        self.examples = examples
        seconds = line[.seconds]
        var scalars = StepKey.allCases.compactMap { key -> (tag: String, value: Double)? in
            guard let tag = key.tag, let value = line[key] else { return nil }
            return (tag, value)
        }
        if let size = line.batchSize, let moment = line[.secondMoment], let norm = line[.gradientSquaredNorm] {
            let statistics = StepStatistics(
                exampleCount: size, meanLoss: 0, secondMoment: moment, gradientSquaredNorm: norm)
            let scale = statistics.unbiasedVariance / statistics.unbiasedGradientSquaredNorm
            // One batch cannot tell a small gradient from none: then there is no scale.
            if scale.isFinite, scale > 0 { scalars.append(("train/noise_scale", scale)) }
        }
        scalars += (line.shadow ?? [:]).sorted { $0.key < $1.key }.map { ("shadow/\($0.key)", Double($0.value)) }
        self.scalars = scalars
    }
}
