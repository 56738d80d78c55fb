import Foundation

/// The members of one run that is made by several processes, perhaps on several machines: the ranks, as MPI calls them.
///
/// Its functions are collective: every rank calls the same ones in the same order, and each returns when this rank has what it was to
/// get. They move bytes and compute nothing, so that all sums are this package's own, in an order of its own.
public protocol RankGroup: Sendable {
    /// Which one this is, from 0.
    var rank: Int { get }
    /// How many there are.
    var count: Int { get }

    /// Gives every rank the bytes of all.
    ///
    /// - Parameters:
    ///   - own: This rank's bytes.
    ///   - all: Receives those of all ranks, one after the other.
    ///   - counts: The numbers of bytes, by rank.
    func gather(
        _ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
    ) throws(RankError)

    /// Gives every rank a part of this one's bytes.
    ///
    /// - Parameters:
    ///   - parts: What each rank is to have, one after the other.
    ///   - counts: The numbers of bytes, by the rank that gets them.
    ///   - received: Receives this rank's part from each, one after the other.
    ///   - receivedCounts: The numbers of bytes, by the rank that they come from.
    func exchange(
        _ parts: UnsafeRawBufferPointer, counts: [Int], into received: UnsafeMutableRawBufferPointer,
        receivedCounts: [Int]
    ) throws(RankError)

    /// Gives every rank the bytes of one.
    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(RankError)

    /// Takes leave at the end, when nothing more is to be said.
    func leave()

    /// Ends the work of all ranks, where this one cannot go on.
    ///
    /// - Parameter code: The exit code that the job is to have.
    func abort(code: Int32)

    /// The same, while a call of another thread may be standing still.
    func abandon(code: Int32)
}

/// What keeps ranks from working together.
public enum RankError: Error, Hashable, CustomStringConvertible {
    /// A launcher started several processes, and there is no library to join them with.
    case noLibrary(launcher: String?, tried: [String])
    /// The library is none whose constants are known.
    case unknownLibrary(version: String)
    /// The library lacks a function.
    case incompleteLibrary(version: String)
    /// The launcher started another number of processes than the library knows of.
    case wrongLauncher(launcher: String, count: Int, library: String, found: Int)
    /// A call of the library failed.
    case callFailed(call: String, code: Int32)
    /// Nothing came for so many seconds.
    case stoodStill(seconds: Double)
    /// Another rank has left, or ended the work of all.
    case rankLeft(rank: Int)
    /// A message of more bytes than the library can count.
    case messageTooLarge(byteCount: Int)
    /// What `--mpi` says is neither a way nor a file.
    case libraryUnreadable(path: String, reason: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .noLibrary(let launcher, let tried):
            (launcher.map { "\($0) started this as one of several processes, but no MPI library" } ?? "no MPI library")
                + " was found (tried \(tried.joined(separator: ", "))); name its file with --mpi FILE, or run alone with --mpi off"
        case .unknownLibrary(let version):
            "the MPI library calls itself \"\(version)\", which is neither Open MPI nor of the MPICH family nor of MPI 5's standard "
                + "binary interface (libmpi_abi); name another with --mpi FILE"
        case .incompleteLibrary(let version):
            "the MPI library \"\(version)\" lacks a function that is needed; name another with --mpi FILE"
        case .wrongLauncher(let launcher, let count, let library, let found):
            "\(launcher) started \(count == 0 ? "several" : "\(count)") processes, but \(library) knows of \(found): they are of different MPIs. Start with the "
                + "launcher that belongs to the library, or name the launcher's library with --mpi FILE"
        case .callFailed(let call, let code):
            "\(call) failed with code \(code); the launcher's messages may say why"
        case .stoodStill(let seconds):
            "nothing came from the other ranks for \(seconds.formatted()) s; one of them stands still, or the network between them does. "
                + "--mpi-timeout sets how long to wait"
        case .rankLeft(let rank):
            "rank \(rank) has ended; see its own message"
        case .messageTooLarge(let byteCount):
            "a message of \(byteCount) bytes is more than MPI counts (2 GB); the network has too many parameters to be trained on several ranks"
        case .libraryUnreadable(let path, let reason):
            "the MPI library \(path) cannot be loaded: \(reason)"
        }
    }
}
