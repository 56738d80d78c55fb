import CDNN

/// Why the engine cannot be set up for a model.
public enum EngineError: Error, Hashable, CustomStringConvertible {
    /// oneDNN refused to set something up; the number is its `dnnl_status_t`.
    case primitiveUnavailable(what: String, status: UInt32)
    /// A number of workers below one, or beyond any use.
    case workerCountOutOfRange(Int)
    /// A batch without examples.
    case emptyBatch
    /// Targets of another number of classes or values than the network has outputs.
    case targetsDoNotFit(String, outputCount: Int)
    /// An example could not be read on another rank, which says why.
    case unreadableOnRank(Int)
    /// Another rank's processor lays parameters out otherwise than this one's.
    case layoutsDiffer(rank: Int)
    /// A constant of an update method out of its range.
    case constantOutOfRange(name: String, value: Double, allowed: String)

    /// The numbers of workers that a network can have.
    public static let workerCounts = 1...256

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .primitiveUnavailable(let what, let status):
            "oneDNN cannot set up \(what) (status \(status)); check that the installed version is 2.5 or later"
        case .workerCountOutOfRange(let count):
            "\(count) workers are not possible; use \(Self.workerCounts.lowerBound) to "
                + "\(Self.workerCounts.upperBound), best one for each core"
        case .emptyBatch:
            "a batch has no examples; give it at least one"
        case .targetsDoNotFit(let targets, let count):
            "the targets are \(targets), and the network has \(count) outputs; give it one for each"
        case .unreadableOnRank(let rank):
            "rank \(rank) could not read an example; its own message says which, and why"
        case .layoutsDiffer(let rank):
            "rank \(rank) lays the parameters out in memory otherwise than this one; give all ranks one version of oneDNN, and the instruction "
                + "set of the least processor by DNNL_MAX_CPU_ISA"
        case .constantOutOfRange(let name, let value, let allowed):
            "the \(name) is \(value); use \(allowed)"
        }
    }
}

/// Throws where oneDNN reports that `what` could not be set up.
package func check(_ status: dnnl_status_t, _ what: @autoclosure () -> String) throws(EngineError) {
    guard status == dnnl_success else { throw .primitiveUnavailable(what: what(), status: status.rawValue) }
}
