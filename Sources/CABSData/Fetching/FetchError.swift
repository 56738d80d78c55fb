import Foundation

/// Why a data set cannot be fetched.
public enum FetchError: Error, Hashable, CustomStringConvertible {
    /// An address is not one of a web server.
    case invalidAddress(String)
    /// No server answers.
    case unreachable(address: String, reason: String)
    /// The server answers with something else than the file.
    case refused(address: String, status: Int)
    /// The connection ends before the file does.
    case cut(address: String, receivedBytes: Int, expectedBytes: Int?, reason: String)
    /// A file came whole, but is not the one that is meant.
    case wrongChecksum(address: String, expected: String, found: String)
    /// A file cannot be read.
    case unreadable(path: String, reason: String)
    /// A file or folder cannot be written.
    case unwritable(path: String, reason: String)
    /// An archive does not unpack.
    case notUnpacked(archive: String, reason: String)
    /// An archive lacks a file, or has it in another size.
    case memberMissing(archive: String, member: String, byteCount: Int)

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .invalidAddress(let address):
            "\"\(address)\" is not an address that begins with http:// or https://"
        case .unreachable(let address, let reason):
            "cannot reach \(address): \(reason); check the network, or name a mirror with --from"
        case .refused(let address, let status):
            "\(address) answers with the status \(status); name a mirror with --from"
        case .cut(let address, let received, let expected, let reason):
            "\(address) ended after \(received) \(expected.map { "of \($0) " } ?? "")bytes: \(reason); run this again, "
                + "and it goes on from there"
        case .wrongChecksum(let address, let expected, let found):
            "\(address) has the MD5 checksum \(found), but must have \(expected); what came was deleted: run this "
                + "again, or name a mirror with --from"
        case .unreadable(let path, let reason):
            "cannot read \(path): \(reason)"
        case .unwritable(let path, let reason):
            "cannot write \(path): \(reason)"
        case .notUnpacked(let archive, let reason):
            "cannot unpack \(archive): \(reason)"
        case .memberMissing(let archive, let member, let byteCount):
            "\(archive) has no file \(member) of \(byteCount) bytes"
        }
    }

    /// An error about a file that the system call before this one met.
    static func unwritable(_ file: URL) -> FetchError {
        .unwritable(path: file.path, reason: String(cString: strerror(errno)))
    }
}
