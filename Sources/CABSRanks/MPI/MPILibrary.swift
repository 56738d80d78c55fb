import CMPI
import Foundation

/// An MPI library, found when the program runs: nothing is linked, so that who has no MPI needs none.
struct MPILibrary {
    /// What libraries have in common with each other: their handles and constants.
    enum Family: Equatable {
        case openMPI
        /// MPICH and all with its binary interface.
        case mpich
        /// The standard's own, since MPI 5.0.
        case standard

        var inC: cmpi_family {
            switch self {
            case .openMPI: CMPI_OPEN_MPI
            case .mpich: CMPI_MPICH
            case .standard: CMPI_STANDARD
            }
        }
    }

    /// What the library calls itself, its first line.
    let version: String
    // Never changed, and used by the communication thread alone.
    nonisolated(unsafe) let handle: OpaquePointer

    /// The names under which libraries are looked for, of which the loader knows the places.
    private static let names: [(name: String, family: Family)] = [
        ("libmpi.so.40", .openMPI), ("libmpich.so.12", .mpich), ("libmpi.so.12", .mpich),
        ("libmpi_abi.so.0", .standard), ("libmpi_abi.so.1", .standard), ("libmpi.so", .openMPI),
    ]

    /// The names in the order in which they are tried: those of the launcher's family first.
    static func candidates(for family: Family?) -> [String] {
        (names.filter { $0.family == family } + names.filter { $0.family != family }).map(\.name)
    }

    /// Loads a library.
    ///
    /// - Parameters:
    ///   - path: Its file; the first of the usual names that there is where not given.
    ///   - launcher: What started this process, if anything did.
    /// - Throws: ``RankError``.
    init(path: String?, launcher: Launcher?) throws(RankError) {
        if let path {
            guard let opened = cmpi_open(path) else {
                throw .libraryUnreadable(path: path, reason: String(cString: cmpi_error()))
            }
            try self.init(opened, name: path)
            return
        }
        let names = Self.candidates(for: launcher?.family)
        for name in names {
            if let opened = cmpi_open(name) {
                try self.init(opened, name: name)
                return
            }
        }
        throw .noLibrary(launcher: launcher?.name, tried: names)
    }

    private init(_ opened: UnsafeMutableRawPointer, name: String) throws(RankError) {
        var text = [CChar](repeating: 0, count: 8192)
        guard cmpi_version(opened, &text) == 0 else { throw .unknownLibrary(version: "") }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let version = String(decoding: bytes, as: UTF8.self)
        self.version = version.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        guard let family = Self.family(version: version, fileName: name) else {
            throw .unknownLibrary(version: self.version)
        }
        guard let handle = cmpi_bind(opened, family.inC) else { throw .incompleteLibrary(version: self.version) }
        self.handle = handle
    }

    /// The family that a library belongs to. A library with the standard's binary interface calls itself as its other form does, and is told by
    /// its name.
    static func family(version: String, fileName: String) -> Family? {
        if fileName.split(separator: "/").last?.hasPrefix("libmpi_abi.") ?? false { return .standard }
        if version.contains("Open MPI") { return .openMPI }
        let relatives = ["MPICH", "Intel(R) MPI", "MVAPICH", "CRAY MPICH"]
        return relatives.contains { version.localizedCaseInsensitiveContains($0) } ? .mpich : nil
    }
}
