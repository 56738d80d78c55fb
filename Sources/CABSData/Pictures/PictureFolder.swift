import Foundation

/// A folder of pictures, a folder for each class: `train/CLASS/…` beside `test/CLASS/…` or `val/CLASS/…`, or `CLASS/…` alone, of which a part
/// is then taken for testing.
///
/// What lies there is listed in the order of the names' bytes, so that the examples have the same numbers on every machine.
struct PictureFolder {
    /// A picture, and the number of its class.
    struct Entry: Sendable {
        let file: URL
        let label: Int
    }

    let classNames: [String]
    let training: [Entry]
    let test: [Entry]
    /// What there is to say of what lies there, for people to read.
    let notices: [String]

    /// The folders that hold test pictures, the first that is there.
    private static let testNames = ["test", "val"]
    private static let endings: Set = ["png", "jpg", "jpeg"]
    private static let classCounts = 2...65_536

    /// - Parameters:
    ///   - testFraction: The part of each class that is for testing, where no folder says which: of which pictures follows from their
    ///     names alone.
    ///   - known: The classes of a network that is there already, which then number those that are here.
    /// - Throws: ``DatasetError`` where there are not two classes, each with pictures, or one that the network does not know.
    init(_ folder: URL, testFraction: Double, known: [String]? = nil) throws(DatasetError) {
        var other = OtherFiles()
        var parts = try Self.dividedByFolders(folder, &other)
        if parts == nil { parts = try Self.dividedByNames(folder, testFraction, &other) }
        let found = parts!.training.map(\.name)
        if let known {
            if let unknown = found.first(where: { !known.contains($0) }) {
                throw .notTheNetworksClass(unknown, folder: folder.path, known: known)
            }
        } else if !Self.classCounts.contains(found.count) {
            throw .classCount(found.count, folder: folder.path)
        }
        classNames = known ?? found
        training = Self.entries(parts!.training, classNames)
        test = Self.entries(parts!.test, classNames)
        notices = [try Self.leftOut(of: folder), other.notice].compactMap(\.self)
    }

    private typealias Parts = (training: [ClassFolder], test: [ClassFolder])

    /// What of a folder is left out, in words.
    private static func leftOut(of folder: URL) throws(DatasetError) -> String? {
        let listing = try FolderListing(folder)
        guard listing.folder("train") != nil else { return nil }
        let names = listing.folders.map(\.name).filter { !["train", "test"].contains($0.lowercased()) }
        let isNeeded = listing.folder("test") == nil
        let others = names.filter { !(isNeeded && $0.lowercased() == "val") }
        return others.isEmpty ? nil : "of \(folder.path) \(others.joined(separator: ", ")) is left out"
    }

    /// Nothing where there is no folder `train`.
    private static func dividedByFolders(_ folder: URL, _ other: inout OtherFiles) throws(DatasetError) -> Parts? {
        let parts = try FolderListing(folder)
        guard let training = parts.folder("train") else { return nil }
        guard let test = testNames.lazy.compactMap({ parts.folder($0) }).first else {
            throw .missingPictureFolder(folder: folder.path, names: testNames)
        }
        let (trainingClasses, testClasses) = (try classes(in: training, &other), try classes(in: test, &other))
        if testClasses.isEmpty { throw .folderWithoutPictures(test.path) }
        try check(trainingClasses, in: training)
        let known = Set(trainingClasses.map(\.name))
        if let unknown = testClasses.first(where: { !known.contains($0.name) }) {
            throw .unknownClass(unknown.name, folder: test.path, known: training.path)
        }
        return (trainingClasses, testClasses)
    }

    private static func dividedByNames(
        _ folder: URL, _ testFraction: Double, _ other: inout OtherFiles
    ) throws(DatasetError) -> Parts {
        let classes = try classes(in: folder, &other)
        try check(classes, in: folder)
        if classes.isEmpty { throw .classCount(0, folder: folder.path) }
        func part(isTest: Bool) -> [ClassFolder] {
            classes.map { folder in
                ClassFolder(
                    name: folder.name,
                    files: folder.files.filter { (NameHash($0.name).fraction < testFraction) == isTest })
            }
        }
        let training = part(isTest: false)
        if let empty = training.first(where: { $0.files.isEmpty }) {
            throw .noTrainingPictures(class: empty.name, folder: folder.path, testFraction: testFraction)
        }
        let test = part(isTest: true)
        guard test.contains(where: { !$0.files.isEmpty }) else {
            throw .noTestPictures(folder: folder.path, testFraction: testFraction)
        }
        return (training, test)
    }

    private static func check(_ classes: [ClassFolder], in folder: URL) throws(DatasetError) {
        // The same letters may be written in different bytes, which to Swift are the same text.
        var known: Set<String> = []
        for name in classes.map(\.name) where !known.insert(name).inserted {
            throw .sameName(name, folder: folder.path)
        }
    }

    private static func entries(_ classes: [ClassFolder], _ names: [String]) -> [Entry] {
        let labels = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        return classes.flatMap { folder in folder.files.map { Entry(file: $0.url, label: labels[folder.name]!) } }
    }

    private struct ClassFolder {
        let name: String
        let files: [File]

        struct File {
            let url: URL
            /// `CLASS/NAME`, with folders between them where there are some.
            let name: String
        }
    }

    private static func classes(in folder: URL, _ other: inout OtherFiles) throws(DatasetError) -> [ClassFolder] {
        let listing = try FolderListing(folder)
        listing.files.forEach { other.add($0) }
        var classes: [ClassFolder] = []
        for (name, url) in listing.folders {
            var files: [ClassFolder.File] = []
            // A link that leads back to what holds the classes is not followed either.
            let outer = [folder, folder.deletingLastPathComponent()].map { $0.resolvingSymlinksInPath().path }
            try collect(url, within: outer, &other) { file in
                files.append(ClassFolder.File(url: file, name: "\(name)\(file.path.dropFirst(url.path.count))"))
            }
            guard !files.isEmpty else { throw .noPictures(folder: url.path) }
            classes.append(ClassFolder(name: name, files: files))
        }
        return classes
    }

    /// Finds the pictures in a folder and those within it.
    ///
    /// - Parameter outer: The folders that it is in, as links lead to them: one that leads back is not followed.
    fileprivate static func collect(
        _ folder: URL, within outer: [String] = [], _ other: inout OtherFiles, _ add: (URL) -> Void
    ) throws(DatasetError) {
        let place = folder.resolvingSymlinksInPath().path
        guard !outer.contains(place) else { return }
        let listing = try FolderListing(folder)
        for file in listing.files {
            if endings.contains(file.pathExtension.lowercased()) { add(file) } else { other.add(file) }
        }
        for (_, url) in listing.folders { try collect(url, within: outer + [place], &other, add) }
    }
}

/// Files in a folder of pictures that are none.
struct OtherFiles {
    private(set) var count = 0
    private var first: URL?

    fileprivate mutating func add(_ file: URL) {
        count += 1
        first = first ?? file
    }

    /// That they are there, in words; nothing where none are.
    var notice: String? {
        guard let first else { return nil }
        return count == 1
            ? "\(first.path) is no picture (PNG or JPEG) and is left out"
            : "\(count) files are no pictures (PNG or JPEG) and are left out, such as \(first.path)"
    }
}

/// What lies in a folder, in the order of the names' bytes; what begins with a dot is hidden.
private struct FolderListing {
    let files: [URL]
    let folders: [(name: String, url: URL)]

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
            if bytes.first == UInt8(ascii: ".") { continue }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw .nameNotUTF8(String(decoding: bytes, as: UTF8.self), folder: folder.path)
            }
            names.append(name)
        }
        let urls = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            .map { (name: $0, url: folder.appending(path: $0)) }
        folders = urls.filter(\.url.isFolder)
        files = urls.filter { !$0.url.isFolder }.map(\.url)
    }

    /// The folder of a name, in whichever case its letters are.
    func folder(_ name: String) -> URL? { folders.first { $0.name.lowercased() == name }?.url }
}

/// A number that follows from a name alone, the same on every machine (FNV-1a with 64 bits, its bits mixed as SplitMix64 does).
private struct NameHash {
    private let value: UInt64

    init(_ name: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        value = hash ^ (hash >> 31)
    }

    /// From 0 up to 1.
    var fraction: Double { Double(value >> 11) * 0x1p-53 }
}

/// The pictures below a folder, whatever their classes.
public enum PictureFiles {
    /// All of them, in the order of their names' bytes.
    ///
    /// - Throws: ``DatasetError/folderWithoutPictures(_:)`` where there are none.
    public static func all(in folder: URL) throws(DatasetError) -> [URL] {
        var (files, other): ([URL], OtherFiles) = ([], OtherFiles())
        try PictureFolder.collect(folder, &other) { files.append($0) }
        guard !files.isEmpty else { throw .folderWithoutPictures(folder.path) }
        return files
    }
}
