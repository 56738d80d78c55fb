import CMPI
import Foundation

/// Ranks that MPI joins: processes that a launcher started, on one machine or many.
///
/// All calls, and the creation, are for one thread: see ``Communicator``.
public final class MPIRanks: RankGroup {
    /// Which one this is, from 0.
    public let rank: Int
    /// How many there are.
    public let count: Int
    /// What the library calls itself.
    public let version: String
    private let library: MPILibrary

    /// When processes are joined.
    public enum Choice: Sendable, Hashable {
        /// Where a launcher started several.
        case automatic
        /// Never: each works alone.
        case off
        /// Always, by the library found.
        case on
        /// Always, by the library in this file.
        case library(path: String)

        /// Reads `auto`, `on`, `off`, or a library's file.
        public init(_ text: String) {
            switch text {
            case "auto": self = .automatic
            case "off": self = .off
            case "on": self = .on
            default: self = .library(path: text)
            }
        }

        /// Whether a process that was started so is to be joined with others.
        ///
        /// - Parameter environment: The variables of the process, among them those that launchers leave.
        public func joins(environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
            switch self {
            case .automatic: Launcher(environment: environment) != nil
            case .off: false
            case .on, .library: true
            }
        }
    }

    /// Loads the library and joins the others.
    ///
    /// - Throws: ``RankError``.
    public init(_ choice: Choice = .automatic) throws(RankError) {
        let launcher = Launcher(environment: ProcessInfo.processInfo.environment)
        var path: String?
        if case .library(let given) = choice { path = given }
        library = try MPILibrary(path: path, launcher: launcher)
        version = library.version
        var (rank, count): (Int32, Int32) = (0, 0)
        try Self.check(cmpi_initialize(library.handle, &rank, &count), "MPI_Init_thread")
        (self.rank, self.count) = (Int(rank), Int(count))
        try launcher?.check(rank: Int(rank), count: Int(count), library: version)
    }

    private static func check(_ code: Int32, _ call: String) throws(RankError) {
        guard code == 0 else { throw .callFailed(call: call, code: code) }
    }

    /// Numbers of bytes and where they begin, as MPI takes them.
    private struct Places {
        let counts: [Int32]
        let offsets: [Int32]

        init(_ counts: [Int]) throws(RankError) {
            let total = counts.reduce(0, +)
            guard total <= Int(Int32.max) else { throw .messageTooLarge(byteCount: total) }
            self.counts = counts.map { Int32($0) }
            var offset = 0
            offsets = counts.map { count in
                defer { offset += count }
                return Int32(offset)
            }
        }
    }

    /// Gives every rank the bytes of all.
    public func gather(
        _ own: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
    ) throws(RankError) {
        let places = try Places(counts)
        try Self.check(
            cmpi_gather(
                library.handle, own.baseAddress, Int32(own.count), all.baseAddress, places.counts, places.offsets),
            "MPI_Allgatherv")
    }

    /// Gives every rank a part of this one's bytes.
    public func exchange(
        _ parts: UnsafeRawBufferPointer, counts: [Int], into received: UnsafeMutableRawBufferPointer,
        receivedCounts: [Int]
    ) throws(RankError) {
        let (places, receivedPlaces) = (try Places(counts), try Places(receivedCounts))
        try Self.check(
            cmpi_exchange(
                library.handle, parts.baseAddress, places.counts, places.offsets, received.baseAddress,
                receivedPlaces.counts, receivedPlaces.offsets),
            "MPI_Alltoallv")
    }

    /// Gives every rank the bytes of one.
    public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(RankError) {
        guard bytes.count <= Int(Int32.max) else { throw .messageTooLarge(byteCount: bytes.count) }
        try Self.check(
            cmpi_broadcast(library.handle, bytes.baseAddress, Int32(bytes.count), Int32(root)), "MPI_Bcast")
    }

    /// Takes leave: `MPI_Finalize`, which waits for all.
    public func leave() { _ = cmpi_finalize(library.handle) }

    /// Ends all processes of the job: `MPI_Abort`.
    public func abort(code: Int32) {
        _ = cmpi_abort(library.handle, code)
        _exit(code)
    }

    /// Ends this process; the launcher then ends the others, as it sees that one left without a word.
    public func abandon(code: Int32) { _exit(code) }
}
