import Foundation

/// What a file seems to be by the way it begins, for messages about files that are not what their names promise.
package enum FileContent {
    /// How many bytes of a file's beginning are looked at.
    package static let prefixCount = 512

    /// What lies at a path, in words: a folder, an empty file, a web page; nothing where nothing is there or it is not known.
    package static func description(of url: URL) -> String? {
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        if url.isFolder { return "a folder" }
        guard url.isPlainFile else { return "a pipe or a device" }
        return beginning(of: url).flatMap(description(ofBytes:))
    }

    /// What a file is that begins with these bytes; nothing where it is not known.
    package static func description(ofBytes bytes: [UInt8]) -> String? {
        if bytes.isEmpty { return "an empty file" }
        if let kind = (signatures + pictures).first(where: { bytes.starts(with: $0.bytes) }) { return kind.description }
        if let kind = foreignPicture(bytes) { return kind }
        if bytes.count > 1, bytes[0] == 0x80, (2...5).contains(bytes[1]) { return "a pickle, which Python writes" }
        if let kind = IDXFile.description(ofHeader: bytes) { return kind }
        guard let text = String(bytes: bytes, encoding: .ascii), text.allSatisfy({ !$0.isControl || $0.isWhitespace })
        else { return nil }
        let beginning = text.trimmingPrefix(while: \.isWhitespace).lowercased()
        return texts.first { beginning.hasPrefix($0.beginning) }?.description ?? "a text file"
    }

    /// The same, or how it begins.
    package static func descriptionOrBytes(_ bytes: [UInt8]) -> String {
        description(ofBytes: bytes).map { "it is \($0)" }
            ?? "it begins with \(bytes.prefix(4).map { String($0, radix: 16) }.joined(separator: " "))"
    }

    private static let signatures: [(bytes: [UInt8], description: String)] = [
        ([0x1f, 0x8b], "a file compressed by gzip"),
        (Array("PK\u{3}\u{4}".utf8), "a zip archive, such as PyTorch writes"),
        (Array("\u{93}NUMPY".unicodeScalars.map { UInt8($0.value) }), "an array of NumPy's"),
        ([0x89] + Array("HDF\r\n".utf8), "a file of HDF5"),
        (Array("MATLAB 7.3".utf8), "a file of MATLAB's format 7.3, which is HDF5"),
        (Array("MATLAB 5.0".utf8), "a file of MATLAB's format 5"),
    ]

    /// Pictures that can be read.
    private static let pictures: [(bytes: [UInt8], description: String)] = [
        ([0x89] + Array("PNG".utf8), "an image in PNG format"), ([0xff, 0xd8, 0xff], "an image in JPEG format"),
    ]

    /// Pictures of other kinds.
    private static let foreignPictures: [(bytes: [UInt8], description: String)] = [
        (Array("GIF8".utf8), "an image in GIF format"), (Array("BM".utf8), "an image in BMP format"),
        (Array("II*\0".utf8), "an image in TIFF format"), (Array("MM\0*".utf8), "an image in TIFF format"),
        ([0x00, 0x00, 0x00, 0x0c] + Array("JXL ".utf8), "an image in JPEG XL format"),
        ([0x00, 0x00, 0x00, 0x0c] + Array("jP".utf8), "an image in JPEG 2000 format"),
    ]

    /// A picture of another kind, in words; nothing where the bytes begin none.
    private static func foreignPicture(_ bytes: [UInt8]) -> String? {
        if bytes.starts(with: Array("RIFF".utf8)), bytes.dropFirst(8).starts(with: Array("WEBP".utf8)) {
            return "an image in WebP format"
        }
        // ISO's base media format names its kind behind the length and `ftyp`.
        if bytes.dropFirst(4).starts(with: Array("ftyp".utf8)) {
            let brand = String(decoding: bytes.dropFirst(8).prefix(4), as: UTF8.self)
            if ["heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"].contains(brand) {
                return "an image in HEIC format"
            }
            if ["avif", "avis"].contains(brand) { return "an image in AVIF format" }
        }
        return foreignPictures.first { bytes.starts(with: $0.bytes) }?.description
    }

    private static let foreignEndings: Set = [
        "webp", "heic", "heif", "avif", "gif", "bmp", "tif", "tiff", "jxl", "jp2", "svg", "ico", "ppm", "pgm", "raw",
        "dng", "cr2", "nef",
    ]

    /// Whether a file begins as pictures do that can be read.
    static func isPicture(_ file: URL) -> Bool {
        guard let bytes = beginning(of: file) else { return false }
        return pictures.contains { bytes.starts(with: $0.bytes) }
    }

    /// Whether a file is a picture of a kind that is not read, by its name or the way it begins.
    static func isForeignPicture(_ file: URL) -> Bool {
        if foreignEndings.contains(file.pathExtension.lowercased()) { return true }
        return beginning(of: file).flatMap(foreignPicture) != nil
    }

    /// The first bytes of a plain file; nothing where it cannot be read.
    private static func beginning(of file: URL) -> [UInt8]? {
        // Reading from a pipe would wait for somebody to write.
        guard file.isPlainFile, let handle = try? FileHandle(forReadingFrom: file) else { return nil }
        defer { try? handle.close() }
        return [UInt8]((try? handle.read(upToCount: prefixCount)) ?? Data())
    }

    private static let texts: [(beginning: String, description: String)] = [
        ("<!doctype html", "a web page"), ("<html", "a web page"),
        ("<?xml", "an XML document, such as a server's message of an error"),
        ("version https://git-lfs", "a pointer of Git LFS in place of the file, which git lfs pull gets"),
        ("{", "a JSON document"),
    ]
}

extension URL {
    /// Whether a folder lies here, or one at the end of links.
    package var isFolder: Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// Whether a file lies here, or one at the end of links.
    var isPlainFile: Bool {
        let values = try? resolvingSymlinksInPath().resourceValues(forKeys: [.isRegularFileKey])
        return values?.isRegularFile == true
    }
}

extension Character {
    fileprivate var isControl: Bool { unicodeScalars.allSatisfy { $0.properties.generalCategory == .control } }
}
