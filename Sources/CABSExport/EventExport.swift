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
        for line in data[...end].split(separator: UInt8(ascii: "\n")) {
            guard let values = try? JSONDecoder().decode(MetricsValues.self, from: line) else { continue }
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

/// A line of `metrics.jsonl`.
private struct MetricsValues: Decodable {
    let examples: Int
    let seconds: Double?
    /// By TensorBoard's tags.
    let scalars: [(tag: String, value: Double)]

    private static let tags = [
        ("loss", "train/loss"), ("accuracy", "train/accuracy"), ("batch_size", "train/batch_size"),
        ("batch_size_raw", "train/batch_size_raw"), ("learning_rate", "train/learning_rate"),
        ("variance", "train/variance"), ("gradient_squared_norm", "train/gradient_squared_norm"),
        ("test_loss", "test/loss"), ("test_accuracy", "test/accuracy"), ("validation_loss", "validation/loss"),
        ("validation_accuracy", "validation/accuracy"), ("average_test_loss", "test/loss_of_average"),
        ("average_test_accuracy", "test/accuracy_of_average"),
    ]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: AnyKey.self)
        func number(_ key: String) -> Double? { try? container.decode(Double.self, forKey: AnyKey(key)) }
        examples = try container.decode(Int.self, forKey: AnyKey("examples"))
        guard examples >= 1 else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: container.codingPath, debugDescription: "\(examples) examples"))
        }
        seconds = number("seconds")
        var scalars = Self.tags.compactMap { key, tag in number(key).map { (tag: tag, value: $0) } }
        if let size = number("batch_size").flatMap(Int.init(exactly:)), let moment = number("second_moment"),
            let norm = number("gradient_squared_norm")
        {
            let statistics = StepStatistics(
                exampleCount: size, meanLoss: 0, secondMoment: moment, gradientSquaredNorm: norm)
            let scale = statistics.unbiasedVariance / statistics.unbiasedGradientSquaredNorm
            // One batch cannot tell a small gradient from none: then there is no scale.
            if scale.isFinite, scale > 0 { scalars.append(("train/noise_scale", scale)) }
        }
        let shadows = try? container.decode([String: Double].self, forKey: AnyKey("shadow"))
        scalars += (shadows ?? [:]).sorted { $0.key < $1.key }.map { ("shadow/\($0.key)", $0.value) }
        self.scalars = scalars
    }
}
