import Foundation

/// What lies in a folder, in the order of the names' bytes; what begins with a dot is hidden.
struct FolderListing {
    let files: [URL]
    let folders: [(name: String, url: URL)]
    /// Hidden folders, and hidden files that are called like pictures.
    let hidden: [URL]

    /// - Throws: ``DatasetError/unreadable(file:reason:)``, ``DatasetError/nameNotUTF8(_:folder:)``.
    init(_ folder: URL) throws(DatasetError) {
        guard let directory = opendir(folder.path) else {
            throw .unreadable(file: folder.path, reason: String(cString: strerror(errno)))
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let bytes = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: UInt8.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
                    [UInt8](
                        UnsafeBufferPointer(
                            start: $0, count: strlen(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))))
                }
            }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw .nameNotUTF8(String(decoding: bytes, as: UTF8.self), folder: folder.path)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        let urls = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            .map { (name: $0, url: folder.appending(path: $0)) }
        let shown = urls.filter { !$0.name.hasPrefix(".") }
        folders = shown.filter(\.url.isFolder)
        files = shown.filter { !$0.url.isFolder }.map(\.url)
        hidden = urls.filter { $0.name.hasPrefix(".") && ($0.url.isFolder || PictureName.isUsual($0.url)) }.map(\.url)
    }

    /// Whether a picture lies in the folder itself.
    var hasPictures: Bool { files.contains { PictureName.isPicture($0) } }
}

/// Which files are pictures that can be read.
enum PictureName {
    private static let endings: Set = ["png", "jpg", "jpeg", "jpe", "jfif"]

    /// Whether a file is called as pictures are that can be read.
    static func isUsual(_ file: URL) -> Bool { endings.contains(file.pathExtension.lowercased()) }

    /// Whether a file is a picture that can be read: by its name, or where that says nothing by the way it begins.
    static func isPicture(_ file: URL) -> Bool { isUsual(file) || FileContent.isPicture(file) }
}

/// Files in a folder of pictures that are not used.
struct OtherFiles {
    private var files: [URL] = []
    private var hidden: [URL] = []
    private var misplaced: [URL] = []

    /// Notes a file that is no picture that can be read.
    mutating func add(_ file: URL) { files.append(file) }

    /// Notes what is hidden in a folder.
    mutating func add(hiddenIn listing: FolderListing) { hidden += listing.hidden }

    /// Notes a picture that lies beside the folders of classes and so has none.
    mutating func add(misplaced file: URL) { misplaced.append(file) }

    /// Takes out the files that are pictures of kinds that are not read, such as WebP.
    mutating func takeForeignPictures() -> [URL] {
        let pictures = files.filter { FileContent.isForeignPicture($0) }
        files.removeAll(where: Set(pictures).contains)
        return pictures
    }

    /// That they are there, in words.
    var notices: [String] {
        [
            Self.notice(files, "is not a PNG or JPEG image", "are not PNG or JPEG images"),
            Self.notice(
                misplaced, "is an image outside of the classes' folders", "are images outside of the classes' folders"),
            Self.notice(hidden, "is hidden", "are hidden"),
        ].compactMap(\.self)
    }

    private static func notice(_ files: [URL], _ one: String, _ many: String) -> String? {
        guard let first = files.first else { return nil }
        return files.count == 1
            ? "\(first.path) \(one) and is left out"
            : "\(files.count) files \(many) and are left out, such as \(first.path)"
    }
}
