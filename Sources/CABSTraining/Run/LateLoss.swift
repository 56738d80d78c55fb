import CABSData
import Foundation

/// The mean loss of the training examples drawn in the last tenth of a run, each before the update that it had a part in.
///
/// It comes from the lines written of the steps, so that a run that was stopped, went back or was made longer has the one that an
/// undisturbed run has.
enum LateLoss {
    /// - Returns: Nothing where no step lies in the last tenth.
    /// - Throws: ``TrainingError/unreadable(path:reason:)``.
    static func mean(in file: URL, of length: TrainingLength, examplesPerEpoch: Int) throws(TrainingError) -> Double? {
        var (sum, count) = (0.0, 0)
        let lines = StepLines(file)
        try lines.forEachBackwards { line throws(TrainingError) in
            guard let line, let step = line.step, let size = line.batchSize, let loss = line[.loss],
                let examples = line.examples, let seconds = line[.trainingSeconds]
            else { throw lines.damage }
            let progress = TrainingProgress(
                stepCount: step + 1, exampleCount: examples, seconds: seconds, examplesPerEpoch: examplesPerEpoch)
            guard length.fractionCompleted(progress) > 0.9 else { return false }
            sum += loss * Double(size)
            count += size
            return true
        }
        return count > 0 ? sum / Double(count) : nil
    }
}
