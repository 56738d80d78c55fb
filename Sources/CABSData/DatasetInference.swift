import Foundation

extension DatasetName {
    /// The data set that lies at a place, where nobody said which one: told by the files that are there.
    ///
    /// - Parameter place: A folder, or a `.npz` file.
    /// - Throws: ``DatasetError/kindNotKnown(place:found:)`` where it is none that is known, ``DatasetError/severalKinds(place:names:)`` where it
    ///   may be several.
    public static func inferred(from place: URL) throws(DatasetError) -> DatasetName {
        guard FileManager.default.fileExists(atPath: place.path) else {
            throw .unreadable(file: place.path, reason: "there is no such file or folder")
        }
        guard place.isFolder else {
            if (try? NumPyArchive(place)) != nil { return .npz }
            throw .kindNotKnown(
                place: place.path, found: "it is \(FileContent.description(of: place) ?? "of no known kind")")
        }
        let found = allCases.filter(\.descriptor.isInferred)
            .compactMap { name in (try? name.locate(in: place)).map { (name: name, folder: $0) } }
        // Sets in MNIST's format have the same files' names; their folder's name or their content tells which it is.
        let folders = Set(found.map(\.folder))
        if folders.count == 1, let folder = folders.first {
            if found.count == 1 { return found[0].name }
            return try IDXFiles.name(of: folder, among: found.map(\.name))
        }
        if found.contains(where: { $0.name == .fashionMNIST }) { return .fashionMNIST }
        if folders.count > 1 { throw .severalKinds(place: place.path, names: found.map(\.name.rawValue)) }
        if (try? PictureFiles(in: place)) != nil { return .folder }
        throw .kindNotKnown(
            place: place.path, found: DatasetFolder(url: place).contents ?? "it cannot be read")
    }
}
