import CABSTerminal
import CABSTraining
import Foundation

/// Says in one line where more workers are asked for than this process may use processors.
enum WorkerNotice {
    static func print(workers: Int) {
        let available = AvailableProcessors.count
        guard workers > available else { return }
        let text =
            "Note: \(workers) workers share the \(available) processor\(available == 1 ? "" : "s") that this process may use; "
            + "fewer would be no slower\n"
        StandardStream.errors.write(text)
    }
}
