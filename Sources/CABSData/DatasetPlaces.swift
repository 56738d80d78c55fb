import Foundation

/// Where data sets are looked for, and by which files they are known.
extension DatasetName {
    /// Finds the folder that holds the data set's files.
    ///
    /// - Parameter folder: Where to look first: the folder itself, or one that holds it.
    /// - Throws: ``DatasetError/notFound(name:tried:advice:)`` with all places tried.
    public func locate(in folder: URL? = nil) throws(DatasetError) -> URL {
        try locate(in: folder, for: .training)
    }

    /// Finds the folder that holds the data set's files, or to evaluate those of one part.
    func locate(in folder: URL?, for use: DataUse) throws(DatasetError) -> URL {
        let (places, format) = (places(in: folder), descriptor.format)
        for place in places where format.isThere(DatasetFolder(url: place), for: use) { return place }
        let tried = places.map { place in
            place.path + (DatasetFolder(url: place).contents.map { " (\($0))" } ?? "")
        }
        throw .notFound(name: rawValue, names: descriptor.format.fileNames, tried: tried, advice: descriptor.advice)
    }

    /// Where files go that are fetched: the first place of ``locate(in:)`` that bears the data set's own name.
    ///
    /// - Parameter folder: The folder to make the data set's own in, instead of the usual place.
    public func fetchFolder(in folder: URL? = nil) -> URL {
        (folder ?? Self.environmentFolder ?? Self.cacheFolder).appending(path: descriptor.folderNames[0])
    }

    private static var environmentFolder: URL? {
        let path = ProcessInfo.processInfo.environment["CABS_DATA"] ?? ""
        return path.isEmpty ? nil : URL(userPath: path)
    }

    private static var cacheFolder: URL {
        URL.home.appending(path: ".cache/cabs")
    }

    /// The folders to look in, first to last.
    private func places(in folder: URL?) -> [URL] {
        func candidates(_ base: URL) -> [URL] {
            [base] + descriptor.folderNames.map { base.appending(path: $0) }
        }
        // A folder that the user names is the only one meant.
        if let folder { return candidates(folder) }
        var places: [URL] = []
        if let environment = Self.environmentFolder { places += candidates(environment).dropFirst() }
        places += candidates(Self.cacheFolder).dropFirst()
        if let folder = descriptor.systemFolder { places.append(URL(filePath: folder)) }
        return places
    }
}
