import CABS

/// How long something lasts in a run.
public enum TrainingLength: Sendable, Hashable {
    /// So many updates.
    case steps(Int)
    /// So many examples drawn.
    case examples(Int)
    /// So many times the number of training examples.
    case epochs(Double)
    /// So many seconds spent in steps. How far a run comes then depends on the machine.
    case seconds(Double)

    /// The part of this length that a run has behind it; 1 at its end, more beyond.
    public func fractionCompleted(_ progress: TrainingProgress) -> Double {
        switch self {
        case .steps(let count): Double(progress.stepCount) / Double(count)
        case .examples(let count): Double(progress.exampleCount) / Double(count)
        case .epochs(let count): progress.epochs / count
        case .seconds(let count): progress.seconds / count
        }
    }

    /// How many of `count` equal parts of this length a run has behind it, which is more than `count` beyond its end.
    func partsCompleted(_ progress: TrainingProgress, of count: Int = 1) -> Double {
        (fractionCompleted(progress) * Double(count)).roundedDownBeyondErrors
    }

    /// How many examples are left before the end, or none where something else is counted.
    func examplesLeft(after progress: TrainingProgress) -> Int? {
        switch self {
        case .steps, .seconds: nil
        case .examples(let count): max(count - progress.exampleCount, 0)
        case .epochs(let count):
            max(exampleCount(inEpochs: count, of: progress.examplesPerEpoch) - progress.exampleCount, 0)
        }
    }

    /// The length in its own unit.
    var count: Double {
        switch self {
        case .steps(let count), .examples(let count): Double(count)
        case .epochs(let count), .seconds(let count): count
        }
    }

    /// Another length in the unit of this one.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)`` where it is no whole number of steps or examples.
    func ofSameUnit(_ count: Double) throws(TrainingError) -> TrainingLength {
        func whole() throws(TrainingError) -> Int {
            guard let whole = Int(exactly: count) else {
                throw .invalidOption(
                    option: "warm-up", value: "\(count)", allowed: "a whole number, as the run's length is")
            }
            return whole
        }
        return switch self {
        case .steps: .steps(try whole())
        case .examples: .examples(try whole())
        case .epochs: .epochs(count)
        case .seconds: .seconds(count)
        }
    }

    private func exampleCount(inEpochs count: Double, of examplesPerEpoch: Int) -> Int {
        let exact = (count * Double(examplesPerEpoch)).roundedUpBeyondErrors
        return exact < 0x1p62 ? Int(exact) : .max
    }

    /// Whether a run has come to the end.
    func isCompleted(by progress: TrainingProgress) -> Bool {
        switch self {
        case .steps(let count): progress.stepCount >= count
        case .examples, .epochs: examplesLeft(after: progress) == 0
        case .seconds(let count): progress.seconds >= count
        }
    }

    /// Checks that the length is positive.
    ///
    /// - Throws: ``TrainingError/lengthNotPositive(_:)``.
    func validate() throws(TrainingError) {
        let isPositive =
            switch self {
            case .steps(let count), .examples(let count): count > 0
            case .epochs(let count), .seconds(let count): count > 0 && count.isFinite
            }
        guard isPositive else { throw .lengthNotPositive(self) }
    }
}

/// How far a run has come.
public struct TrainingProgress: Sendable, Hashable, Codable {
    /// The number of updates made.
    public internal(set) var stepCount = 0
    /// The number of examples drawn.
    public internal(set) var exampleCount = 0
    /// The time spent in steps.
    public internal(set) var seconds = 0.0
    /// The number of training examples.
    public let examplesPerEpoch: Int

    /// Creates the progress of a run.
    public init(stepCount: Int = 0, exampleCount: Int = 0, seconds: Double = 0, examplesPerEpoch: Int) {
        self.stepCount = stepCount
        self.exampleCount = exampleCount
        self.seconds = seconds
        self.examplesPerEpoch = examplesPerEpoch
    }

    /// Decodes a stored progress.
    ///
    /// - Throws: `DecodingError` where a number is missing, negative, or there are no examples to go through.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        stepCount = try container.decode(Int.self, forKey: .stepCount)
        exampleCount = try container.decode(Int.self, forKey: .exampleCount)
        seconds = try container.decode(Double.self, forKey: .seconds)
        examplesPerEpoch = try container.decode(Int.self, forKey: .examplesPerEpoch)
        guard stepCount >= 0, exampleCount >= 0, seconds >= 0, examplesPerEpoch > 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .examplesPerEpoch, in: container,
                debugDescription: "\(stepCount) steps, \(exampleCount) examples of \(examplesPerEpoch), \(seconds) s")
        }
    }

    /// The number of times that as many examples as there are have been drawn.
    public var epochs: Double { Double(exampleCount) / Double(examplesPerEpoch) }
}

extension TrainingLength: CustomStringConvertible {
    /// For example `6 epochs`.
    public var description: String {
        switch self {
        case .steps(let count): "\(count) step\(count == 1 ? "" : "s")"
        case .examples(let count): "\(count) example\(count == 1 ? "" : "s")"
        case .epochs(let count): "\(count.shortest) epoch\(count == 1 ? "" : "s")"
        case .seconds(let count): "\(count.shortest) second\(count == 1 ? "" : "s")"
        }
    }
}
