import Foundation

/// The lines of a run's steps, read one after the other: a run may have more of them than memory has room for.
package struct StepLines {
    private let pieces: LinePieces

    /// Names a file such as `metrics.jsonl`.
    package init(_ file: URL) { pieces = LinePieces(file: file) }

    init(_ file: URL, pieceSize: Int) { pieces = LinePieces(file: file, pieceSize: pieceSize) }

    /// Calls `body` with each line until it returns false, with nothing for a damaged one.
    ///
    /// - Throws: ``TrainingError/unreadable(path:reason:)`` where the file cannot be read, and what `body` throws.
    package func forEach(_ body: (StepLine?) throws(TrainingError) -> Bool) throws(TrainingError) {
        try pieces.forEach { line throws(TrainingError) in try body(StepLine(line)) }
    }

    /// The same with the last line first.
    package func forEachBackwards(_ body: (StepLine?) throws(TrainingError) -> Bool) throws(TrainingError) {
        try pieces.forEachBackwards { line throws(TrainingError) in try body(StepLine(line)) }
    }

    /// The first line as it is written; nothing where there is none, or the file cannot be read.
    package var firstText: Data? {
        var text: Data?
        _ = try? pieces.forEach { line throws(TrainingError) in
            text = Data(line)
            return false
        }
        return text
    }

    /// What is said of a file with a damaged line.
    var damage: TrainingError { .unreadable(path: pieces.file.path, reason: "a line in it is not a step's") }
}
