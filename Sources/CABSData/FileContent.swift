import Foundation

/// What a file seems to be by the way it begins, for messages about files that are not what their names promise.
package enum FileContent {
    /// How many bytes of a file's beginning are looked at.
    package static let prefixCount = 512

    /// What lies at a path, in words: a folder, an empty file, a web page; nothing where nothing is there or it is not known.
    package static func description(of url: URL) -> String? {
        guard FileManager.default.fileExists(atPath: url.path) else { return nil }
        if url.isFolder { return "a folder" }
        // Reading from a pipe would wait for somebody to write.
        guard url.isPlainFile else { return "a pipe or a device" }
        guard let handle = try? FileHandle(forReadingFrom: url) else { return nil }
        defer { try? handle.close() }
        return description(ofBytes: [UInt8]((try? handle.read(upToCount: prefixCount)) ?? Data()))
    }

    /// What a file is that begins with these bytes; nothing where it is not known.
    package static func description(ofBytes bytes: [UInt8]) -> String? {
        if bytes.isEmpty { return "an empty file" }
        if let kind = signatures.first(where: { bytes.starts(with: $0.bytes) }) { return kind.description }
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
        ([0x89] + Array("PNG".utf8), "a picture in PNG format"),
        ([0xff, 0xd8, 0xff], "a picture in JPEG format"),
    ]

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
