import Foundation

/// A folder of pictures, a folder for each class: see ``FolderMeaning`` for what is called a part. Of `CLASS/…` alone a part is taken for
/// testing, where the pictures are for training.
///
/// What lies there is listed in the order of the names' bytes, so that the examples have the same numbers on every machine.
struct PictureFolder {
    /// A picture, and the number of its class.
    struct Entry: Sendable {
        let file: URL
        let label: Int
    }

    let classNames: [String]
    /// Nothing where the pictures are to be evaluated and some are for testing.
    let training: [Entry]?
    /// Nothing where the pictures are to be evaluated and none are for testing.
    let test: [Entry]?
    /// How many pictures there are for training that are left aside, where the others are to be evaluated.
    let unreadCount: Int?
    /// What there is to say of what lies there, for people to read.
    let notices: [String]

    private static let classCounts = 2...65_536

    /// - Parameters:
    ///   - use: What the pictures are for.
    ///   - testFraction: The part of each class that is for testing, where no folder says which: of which pictures follows from their
    ///     names alone.
    ///   - known: The classes of a network that is there already.
    /// - Throws: ``DatasetError`` where there are not two classes to train on, each with pictures, or none to evaluate.
    init(
        _ folder: URL, for use: DataUse = .training, testFraction: Double, known: [String] = []
    ) throws(DatasetError) {
        var other = OtherFiles()
        let parts: Parts
        var leftOut: [String] = []
        var unread: Int?
        switch try FolderMeaning(folder, known: known) {
        case .parts(let training, let test, let names):
            guard use == .evaluation || training != nil else {
                throw .missingPictureFolder(folder: folder.path, part: test?.lastPathComponent ?? "", other: "train")
            }
            guard use == .evaluation || testFraction == ImageOptions.usualTestFraction else {
                throw .testFractionWithoutEffect(testFraction, folder: folder.path)
            }
            parts = try Self.divided(use == .training ? training : nil, test, &other)
            if use == .evaluation, let training { unread = (try? PictureFiles(in: training))?.files.count }
            leftOut = names
        case .classes(let place):
            let classes = try Self.classes(in: place, &other)
            parts = use == .training ? try Self.dividedByNames(classes, place, testFraction) : (classes, nil)
        }
        let found = (parts.training ?? parts.test ?? []).map(\.name)
        if use == .training, known.isEmpty, !Self.classCounts.contains(found.count) {
            throw .classCount(found.count, folder: folder.path)
        }
        classNames = found
        unreadCount = unread
        training = parts.training.map { Self.entries($0, found) }
        test = parts.test.map { Self.entries($0, found) }
        notices =
            (leftOut.isEmpty ? [] : ["\(folder.path) also holds \(leftOut.joined(separator: ", ")), which is left out"])
            + other.notices
    }

    private typealias Parts = (training: [ClassFolder]?, test: [ClassFolder]?)

    private static func divided(
        _ training: URL?, _ test: URL?, _ other: inout OtherFiles
    ) throws(DatasetError) -> Parts {
        let trainingClasses = try training.map { folder throws(DatasetError) in try classes(in: folder, &other) }
        let testClasses = try test.map { folder throws(DatasetError) in try classes(in: folder, &other) }
        if let training, let test, let trainingClasses {
            let known = Set(trainingClasses.map(\.name))
            if let unknown = testClasses?.first(where: { !known.contains($0.name) }) {
                throw .unknownClass(unknown.name, folder: test.path, known: training.path)
            }
        }
        return (trainingClasses, testClasses)
    }

    private static func dividedByNames(
        _ classes: [ClassFolder], _ folder: URL, _ testFraction: Double
    ) throws(DatasetError) -> Parts {
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
        other.add(hiddenIn: listing)
        for file in listing.files {
            if PictureName.isPicture(file) { other.add(misplaced: file) } else { other.add(file) }
        }
        guard !listing.folders.isEmpty else {
            throw listing.hasPictures ? .noClassFolders(folder.path) : .folderWithoutPictures(folder.path)
        }
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
        try check(classes, in: folder)
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
        other.add(hiddenIn: listing)
        for file in listing.files {
            if PictureName.isPicture(file) { add(file) } else { other.add(file) }
        }
        for (_, url) in listing.folders { try collect(url, within: outer + [place], &other, add) }
    }
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
public struct PictureFiles {
    /// All of them, in the order of their names' bytes. Pictures of kinds that are not read, such as WebP, are among them: whoever reads them is
    /// told why not.
    public let files: [URL]
    /// What there is to say of files that are no pictures, for people to read.
    public let notices: [String]

    /// Finds them.
    ///
    /// - Throws: ``DatasetError/folderWithoutPictures(_:)`` where there are none.
    public init(in folder: URL) throws(DatasetError) {
        var (files, other): ([URL], OtherFiles) = ([], OtherFiles())
        try PictureFolder.collect(folder, &other) { files.append($0) }
        files += other.takeForeignPictures()
        guard !files.isEmpty else { throw .folderWithoutPictures(folder.path) }
        self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        notices = other.notices
    }
}
