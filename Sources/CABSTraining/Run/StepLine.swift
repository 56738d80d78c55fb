import Foundation

/// A line of `metrics.jsonl`, as far as anything is made of it: what ``MetricsLine`` wrote. Each value is nothing where the line does not have it.
package struct StepLine: Sendable, Hashable {
    /// The number of updates before the step.
    package var step: Int?
    package var batchSize: Int?
    package var loss: Double?
    package var secondMoment: Double?
    package var gradientSquaredNorm: Double?
    /// What the rule asked for, before bounds and rounding, and how far that may be off.
    package var rawBatchSize: Double?
    package var rawBatchSizeStandardError: Double?
    package var nextBatchSize: Int?
    /// The number of examples drawn, with the step's.
    package var examples: Int?
    /// Of the batch.
    package var accuracy: Double?
    /// Time in steps alone.
    package var trainingSeconds: Double?
    package var testLoss: Double?
    package var testAccuracy: Double?
    package var averageTestAccuracy: Double?
    /// What the rules that watch would have chosen for the next step, by name.
    package var shadow: [String: Int]?

    /// The values that are read, by the names that they have in files. Others are passed over.
    private static func key(_ name: UnsafeRawBufferPointer) -> Key? {
        func matches(_ text: StaticString) -> Bool { memcmp(name.baseAddress!, text.utf8Start, name.count) == 0 }
        switch name.count {
        case 4: return matches("step") ? .step : matches("loss") ? .loss : nil
        case 6: return matches("shadow") ? .shadow : nil
        case 8: return matches("examples") ? .examples : matches("accuracy") ? .accuracy : nil
        case 9: return matches("test_loss") ? .testLoss : nil
        case 10: return matches("batch_size") ? .batchSize : nil
        case 13: return matches("second_moment") ? .secondMoment : matches("test_accuracy") ? .testAccuracy : nil
        case 14: return matches("batch_size_raw") ? .rawBatchSize : nil
        case 15: return matches("next_batch_size") ? .nextBatchSize : nil
        case 16: return matches("training_seconds") ? .trainingSeconds : nil
        case 21:
            return matches("gradient_squared_norm")
                ? .gradientSquaredNorm : matches("average_test_accuracy") ? .averageTestAccuracy : nil
        case 29: return matches("batch_size_raw_standard_error") ? .rawBatchSizeStandardError : nil
        default: return nil
        }
    }

    private enum Key {
        case step, batchSize, loss, secondMoment, gradientSquaredNorm, rawBatchSize, rawBatchSizeStandardError
        case nextBatchSize, examples, accuracy, trainingSeconds, testLoss, testAccuracy, averageTestAccuracy, shadow
    }

    /// Reads a line; nothing where it is no object of JSON, or one of the values is none of its kind.
    ///
    /// - Parameter line: The bytes. One more can be read behind them.
    init?(_ line: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(line)
        let isWhole = scanner.readObject { (name, scanner) in
            guard let key = Self.key(name) else { return scanner.skipValue() }
            return read(key, from: &scanner)
        }
        guard isWhole, scanner.isAtEnd else { return nil }
    }

    private mutating func read(_ key: Key, from scanner: inout JSONScanner) -> Bool {
        switch key {
        case .step: scanner.readInteger(&step)
        case .batchSize: scanner.readInteger(&batchSize)
        case .loss: scanner.readNumber(&loss)
        case .secondMoment: scanner.readNumber(&secondMoment)
        case .gradientSquaredNorm: scanner.readNumber(&gradientSquaredNorm)
        case .rawBatchSize: scanner.readNumber(&rawBatchSize)
        case .rawBatchSizeStandardError: scanner.readNumber(&rawBatchSizeStandardError)
        case .nextBatchSize: scanner.readInteger(&nextBatchSize)
        case .examples: scanner.readInteger(&examples)
        case .accuracy: scanner.readNumber(&accuracy)
        case .trainingSeconds: scanner.readNumber(&trainingSeconds)
        case .testLoss: scanner.readNumber(&testLoss)
        case .testAccuracy: scanner.readNumber(&testAccuracy)
        case .averageTestAccuracy: scanner.readNumber(&averageTestAccuracy)
        case .shadow: readShadow(from: &scanner)
        }
    }

    private mutating func readShadow(from scanner: inout JSONScanner) -> Bool {
        if scanner.skipNull() { return true }
        var sizes: [String: Int] = [:]
        let isWhole = scanner.readObject { (name, scanner) in
            var size: Int?
            guard scanner.readInteger(&size), let size else { return false }
            sizes[String(decoding: name, as: UTF8.self)] = size
            return true
        }
        shadow = sizes
        return isWhole
    }
}
