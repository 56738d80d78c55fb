import Foundation

/// The mean loss of a run's first examples, each before the update that it had a part in.
enum EarlyLoss {
    /// - Returns: Nothing where a run's lines are not there, damaged, or of fewer examples.
    static func mean(in file: URL, exampleCount: Int) -> Double? {
        var (sum, mean) = (0.0, Double?.none)
        try? StepLines(file).forEach { line throws(TrainingError) in
            guard let line, let size = line.batchSize, let loss = line[.loss], let examples = line.examples else {
                return false
            }
            sum += loss * Double(size)
            if examples >= exampleCount { mean = sum / Double(examples) }
            return mean == nil
        }
        return mean
    }
}
