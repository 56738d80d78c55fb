import Foundation

/// What a folder of pictures means: its folders are parts of the data that hold a folder for each class, or they are the classes.
///
/// The parts are known by what they are called, in any case of letters: `train` beside `test` or `val`, also as `Training`, `seg_train` or
/// `valid`; and what holds them may lie in one more folder, as archives unpack. Where names do not tell, nothing is guessed.
enum FolderMeaning {
    /// Folders of classes, one for each part, and the names of folders that belong to neither.
    case parts(training: URL?, test: URL?, leftOut: [String])
    /// A folder of classes, which nothing divides.
    case classes(URL)

    /// - Parameter known: The classes of a network that is there already.
    /// - Throws: ``DatasetError`` where a folder cannot be read, a part is missing, or the folder may mean both.
    init(_ folder: URL, known: [String] = []) throws(DatasetError) {
        let folder = try Self.unwrapped(folder, known)
        let listing = try FolderListing(folder)
        var parts: [Part] = []
        for (name, url) in listing.folders {
            guard let words = PartName(name), let url = try Self.classFolder(of: url, words) else { continue }
            parts.append(Part(name: name, words: words, url: url))
        }
        if let found = Self.divided(parts, listing.folders.map(\.name)) {
            self = found
            return
        }
        let isPlain = { (part: Part) in part.words.rest.isEmpty && !known.contains(part.name) }
        if let training = parts.first(where: { isPlain($0) && $0.words.role == .training }) {
            let tests = listing.folders.filter { PartName($0.name)?.role == .test }
            if let test = tests.first { throw .noClassFolders(test.url.path) }
            throw .missingPictureFolder(folder: folder.path, part: training.name, other: "test or val")
        }
        let tests = parts.filter(isPlain)
        if let test = tests.min(by: { $0.words.role < $1.words.role }), tests.count == listing.folders.count {
            self = .parts(training: nil, test: test.url, leftOut: tests.map(\.name).filter { $0 != test.name })
            return
        }
        try Self.checkClasses(listing, in: folder)
        self = .classes(folder)
    }

    private struct Part {
        let name: String
        let words: PartName
        let url: URL
    }

    /// Nothing where there is no training part beside another one whose name has the same other words.
    private static func divided(_ parts: [Part], _ names: [String]) -> FolderMeaning? {
        for training in parts where training.words.role == .training {
            let others = parts.filter { $0.words.role != .training && $0.words.rest == training.words.rest }
            guard let test = others.min(by: { $0.words.role < $1.words.role }) else { continue }
            return .parts(
                training: training.url, test: test.url,
                leftOut: names.filter { ![training.name, test.name].contains($0) })
        }
        return nil
    }

    /// The folder itself, or the one that it holds alone, as archives unpack.
    ///
    /// - Parameter depth: How deep to look, since links may lead back.
    private static func unwrapped(_ folder: URL, _ known: [String], depth: Int = 4) throws(DatasetError) -> URL {
        let listing = try FolderListing(folder)
        guard depth > 0, listing.folders.count == 1, !listing.hasPictures else { return folder }
        let (name, url) = listing.folders[0]
        guard PartName(name) == nil, !known.contains(name) else { return folder }
        let inner = try FolderListing(url)
        return inner.folders.isEmpty || inner.hasPictures ? folder : try unwrapped(url, known, depth: depth - 1)
    }

    /// Where the folders of classes lie in a part's folder: there, or one folder deeper where that is called alike; nothing where there are none.
    private static func classFolder(of url: URL, _ words: PartName, depth: Int = 4) throws(DatasetError) -> URL? {
        let listing = try FolderListing(url)
        guard !listing.folders.isEmpty else { return nil }
        if depth > 0, listing.folders.count == 1, PartName(listing.folders[0].name)?.role == words.role {
            return try classFolder(of: listing.folders[0].url, words, depth: depth - 1)
        }
        return url
    }

    /// Checks that folders are classes: where all hold the same folders, these may be the classes.
    ///
    /// - Throws: ``DatasetError/twoMeanings(folder:outer:inner:)``.
    private static func checkClasses(_ listing: FolderListing, in folder: URL) throws(DatasetError) {
        guard listing.folders.count > 1 else { return }
        var shared: [String]?
        for (_, url) in listing.folders {
            let inner = try FolderListing(url)
            guard !inner.hasPictures else { return }
            let names = inner.folders.map(\.name)
            shared = shared?.filter(names.contains) ?? names
        }
        guard let shared, shared.count > 1 else { return }
        throw .twoMeanings(folder: folder.path, outer: listing.folders.map(\.name), inner: shared)
    }
}

/// A folder's name that says which part of data it holds.
private struct PartName {
    /// In the order in which one is taken to evaluate on.
    enum Role: Int, Comparable {
        case test, validation, training
        static func < (left: Role, right: Role) -> Bool { left.rawValue < right.rawValue }
    }

    let role: Role
    /// The name's other words, which the parts of one set share: `seg` of `seg_train`.
    let rest: [String]

    private static let roles: [String: Role] = [
        "train": .training, "training": .training, "trainset": .training, "trainingset": .training,
        "test": .test, "testing": .test, "testset": .test,
        "val": .validation, "valid": .validation, "validation": .validation, "dev": .validation, "eval": .validation,
    ]

    /// Nothing where the name does not say it.
    init?(_ name: String) {
        let words = name.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
        let found = words.compactMap { Self.roles[$0] }
        guard found.count == 1 else { return nil }
        role = found[0]
        rest = words.filter { Self.roles[$0] == nil }
    }
}
