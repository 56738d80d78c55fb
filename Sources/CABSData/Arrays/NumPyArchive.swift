import CZip
import Foundation

/// The arrays of a `.npz` file, which is a zip archive of `.npy` files, by their names.
///
/// Nothing is unpacked to a disk, whatever names the archive has.
final class NumPyArchive {
    private let file: URL
    private let archive: OpaquePointer

    /// Opens the file.
    ///
    /// - Throws: ``DatasetError`` where it is no archive.
    init(_ file: URL) throws(DatasetError) {
        guard file.isPlainFile else {
            let found = FileContent.description(of: file)
            throw .unreadable(file: file.path, reason: found.map { "it is \($0)" } ?? "there is no such file")
        }
        var code: Int32 = 0
        guard let archive = zip_open(file.path, ZIP_RDONLY | ZIP_CHECKCONS, &code) else {
            let kind = FileContent.description(of: file)
            let isArchive = code != ZIP_ER_NOZIP || kind?.contains("zip archive") == true
            throw .wrongFormat(
                file: file.path, expected: "an archive of arrays (.npz)",
                found: isArchive
                    ? "it is damaged or cut short (\(Self.text(code))); get it again"
                    : "it is \(kind ?? "no zip archive")")
        }
        self.file = file
        self.archive = archive
    }

    deinit { zip_discard(archive) }

    private static func text(_ code: Int32) -> String {
        var error = zip_error_t()
        zip_error_init_with_code(&error, code)
        defer { zip_error_fini(&error) }
        return String(cString: zip_error_strerror(&error))
    }

    /// The names of the arrays that are there.
    var names: [String] {
        (0..<max(zip_get_num_entries(archive, 0), 0)).compactMap { index in
            guard let name = zip_get_name(archive, zip_uint64_t(index), 0).map({ String(cString: $0) }),
                name.hasSuffix(".npy")
            else { return nil }
            return String(name.dropLast(4))
        }
    }

    /// Reads an array.
    ///
    /// - Throws: ``DatasetError`` where it is not there, damaged, or of values that are no numbers.
    func array(_ name: String) throws(DatasetError) -> NumPyArray {
        let entry = try open(name)
        defer { zip_fclose(entry) }
        let source = "\(name) of \(file.path)"
        let array = try NumPyArray(source: source) { count throws(DatasetError) in
            try Self.read(count, from: entry, source)
        }
        // The checksum is compared where the entry ends, which must be here.
        guard try Self.read(1, from: entry, source).isEmpty else {
            throw .trailingBytes(file: source, expectedBytes: array.header.byteCount)
        }
        return array
    }

    /// Reads an array's header alone.
    ///
    /// - Throws: As ``array(_:)``.
    func header(_ name: String) throws(DatasetError) -> NumPyHeader {
        let entry = try open(name)
        defer { zip_fclose(entry) }
        let source = "\(name) of \(file.path)"
        return try NumPyHeader(source: source) { count throws(DatasetError) in
            try Self.read(count, from: entry, source)
        }
    }

    private func open(_ name: String) throws(DatasetError) -> OpaquePointer {
        if let entry = zip_fopen(archive, "\(name).npy", 0) { return entry }
        let names = names
        let found = names.prefix(6).joined(separator: ", ")
        throw .wrongFormat(
            file: file.path, expected: "an archive with x_train, y_train, x_test and y_test",
            found: names.contains(name)
                ? "\(name) cannot be opened (\(String(cString: zip_strerror(archive))))"
                : "it has no \(name)" + (found.isEmpty ? "" : ", but \(found)"))
    }

    /// Reads so many bytes, or as many as there are, in pieces: memory grows with what is there, not with what a header promises.
    private static func read(
        _ count: Int, from entry: OpaquePointer, _ source: String
    ) throws(DatasetError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let wanted = min(count - bytes.count, 1 << 24)
            var got: zip_int64_t = 0
            bytes += [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
                got = zip_fread(entry, buffer.baseAddress, zip_uint64_t(wanted))
                filled = max(Int(got), 0)
            }
            if got < 0 { throw .damagedCompression(file: source) }
            if got == 0 { break }
        }
        return bytes
    }
}
