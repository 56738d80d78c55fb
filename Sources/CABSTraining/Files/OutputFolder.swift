import CABSData
import Foundation

/// Folders that files are written into.
package enum OutputFolder {
    /// Makes a folder, and those that it is in, where they are not there.
    ///
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    package static func make(at url: URL) throws(TrainingError) {
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        } catch {
            throw .unwritable(path: url.path, reason: error.systemReason)
        }
    }
}
