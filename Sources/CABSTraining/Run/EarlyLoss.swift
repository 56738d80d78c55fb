import Foundation

/// The mean loss of a run's first examples, each before the update that it had a part in.
enum EarlyLoss {
    private struct Line: Decodable {
        let batchSize: Int
        let loss: Double
        let examples: Int
    }

    /// - Returns: Nothing where a run's lines are not there, damaged, or of fewer examples.
    static func mean(in file: URL, exampleCount: Int) -> Double? {
        guard let data = try? Data(contentsOf: file, options: .mappedIfSafe) else { return nil }
        var sum = 0.0
        var rest = data[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard let line = try? JSONFile.decode(Line.self, from: rest[..<end]) else { return nil }
            sum += line.loss * Double(line.batchSize)
            if line.examples >= exampleCount { return sum / Double(line.examples) }
            rest = rest[(end + 1)...]
        }
        return nil
    }
}
