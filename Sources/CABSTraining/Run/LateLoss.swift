import CABSData
import Foundation

/// The mean loss of the training examples drawn in the last tenth of a run, each before the update that it had a part in.
///
/// It comes from the lines written of the steps, so that a run that was stopped, went back or was made longer has the one that an
/// undisturbed run has.
enum LateLoss {
    /// One line of `metrics.jsonl`, as far as this needs it.
    private struct Line: Decodable {
        let step: Int
        let batchSize: Int
        let loss: Double
        let examples: Int
        let trainingSeconds: Double
    }

    /// - Returns: Nothing where no step lies in the last tenth.
    /// - Throws: ``TrainingError/unreadable(path:reason:)``.
    static func mean(in file: URL, of length: TrainingLength, examplesPerEpoch: Int) throws(TrainingError) -> Double? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var (sum, count) = (0.0, 0)
        do {
            var rest = try Data(contentsOf: file, options: .mappedIfSafe).dropLast()
            while !rest.isEmpty {
                let start = rest.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.startIndex
                let line = try decoder.decode(Line.self, from: rest[start...])
                let progress = TrainingProgress(
                    stepCount: line.step + 1, exampleCount: line.examples, seconds: line.trainingSeconds,
                    examplesPerEpoch: examplesPerEpoch)
                guard length.fractionCompleted(progress) > 0.9 else { break }
                sum += line.loss * Double(line.batchSize)
                count += line.batchSize
                rest = rest[..<max(start - 1, rest.startIndex)]
            }
        } catch {
            throw .unreadable(path: file.path, reason: error.systemReason)
        }
        return count > 0 ? sum / Double(count) : nil
    }
}
