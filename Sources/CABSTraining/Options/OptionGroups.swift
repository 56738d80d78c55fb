import CABSData
import CABSNetwork
import Foundation

/// Groups of options: their defaults, and what contradicts each other.
extension TrainingConfiguration {
    static func images(
        _ options: inout TrainingOptions, _ dataset: DatasetName, _ model: ModelConfiguration
    ) throws -> ImageOptions {
        let augmentation = (options.augment ?? .usual).augmentation(dataset, model)
        options.augment = .named(augmentation)
        if augmentation == .paper || augmentation == .paperCenter, options.normalize ?? .image != .image {
            throw TrainingError.contradiction(
                "augment \(augmentation) normalises each image by itself; leave normalize out, or take another augmentation"
            )
        }
        if dataset == .folder {
            options.testFraction = options.testFraction ?? ImageOptions.usualTestFraction
        } else if let option = [
            ("channels", options.channels != nil), ("test-fraction", options.testFraction != nil),
            ("cache-images", options.cacheImages != nil),
        ].first(where: \.1) {
            throw TrainingError.contradiction(
                "\(option.0) means nothing with dataset \(dataset.rawValue), only with folder")
        }
        if let channels = options.channels, channels != 1, channels != 3 {
            throw TrainingError.invalidOption(
                option: "channels", value: "\(channels)", allowed: "1 (grey) or 3 (colour)")
        }
        let testFraction = options.testFraction ?? ImageOptions.usualTestFraction
        guard testFraction > 0, testFraction < 1 else {
            throw TrainingError.invalidOption(
                option: "test-fraction", value: "\(testFraction)", allowed: "a number between 0 and 1")
        }
        return ImageOptions(
            size: options.imageSize, augmentation: augmentation, normalization: options.normalize,
            channelCount: options.channels, testFraction: testFraction,
            memoryLimit: try options.cacheImages.map { try MemorySize($0).byteCount } ?? MemorySize.usual.byteCount)
    }

    static func checkpoints(_ options: inout TrainingOptions) throws -> (CheckpointInterval, Int) {
        let (every, count) = (options.checkpointEvery ?? "5m", options.keepCheckpoints ?? 3)
        (options.checkpointEvery, options.keepCheckpoints) = (every, count)
        try requirePositive(count, "keep-checkpoints")
        return (try CheckpointInterval(every), count)
    }

    static func fillDivergence(_ options: inout TrainingOptions) throws {
        let bound = options.lossBound ?? 1e6
        // Written so that "not a number" is refused.
        guard bound > 0 else { throw TrainingError.notPositive(option: "loss-bound", value: bound) }
        options.lossBound = bound
        let response = options.onDivergence ?? .stop
        options.onDivergence = response
        switch response {
        case .stop:
            guard options.rewinds == nil else {
                throw TrainingError.contradiction("rewinds means nothing without on-divergence rewind")
            }
        case .rewind:
            options.rewinds = options.rewinds ?? 3
            try requirePositive(options.rewinds, "rewinds")
        }
    }

    /// Checks when to evaluate and to compare estimators.
    static func checkMeasurements(_ options: TrainingOptions) throws {
        try requirePositive(options.validation, "validation")
        try requirePositive(options.evaluateEvery, "evaluate-every")
        try requirePositive(options.evaluations, "evaluations")
        try requirePositive(options.compareEstimators, "compare-estimators")
        guard options.compareEstimators == nil || options.estimator == .exact else {
            throw TrainingError.contradiction("compare-estimators compares with the exact one; leave estimator out")
        }
        guard options.evaluations == nil || options.evaluateEvery == nil else {
            throw TrainingError.contradiction(
                "evaluations and evaluate-every each say when to evaluate; give one of them")
        }
    }

    /// Checks what changes the gradients: their bound, and that smoothed labels mean what the loss takes them for.
    static func checkGradients(_ options: TrainingOptions) throws {
        if let bound = options.gradientBound, !(bound > 0 && bound.isFinite) {
            throw TrainingError.notPositive(option: "gradient-bound", value: bound)
        }
        guard let smoothing = options.labelSmoothing else { return }
        guard smoothing >= 0, smoothing < 1 else {
            throw TrainingError.invalidOption(
                option: "label-smoothing", value: "\(smoothing)", allowed: "from 0 up to, not including, 1")
        }
        guard options.loss == .softmaxCrossEntropy else {
            throw TrainingError.contradiction(
                "label-smoothing spreads a target over classes, of which loss \(options.loss!.rawValue) has none; leave it out"
            )
        }
    }

    private static func requirePositive(_ value: Int?, _ option: String) throws {
        if let value, value < 1 { throw TrainingError.notPositive(option: option, value: Double(value)) }
    }
}
