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
        let places = places(in: folder)
        for place in places where hasFiles(in: place, for: use) { return place }
        let tried = places.map { place in
            place.path + (DatasetFolder(url: place).contents.map { " (\($0))" } ?? "")
        }
        let names = isIDX ? IDXDataset.namesLookedFor : trainingFiles + [testFile]
        throw .notFound(name: rawValue, names: names, tried: tried, advice: advice)
    }

    /// Where files go that are fetched: the first place of ``locate(in:)`` that bears the data set's own name.
    ///
    /// - Parameter folder: The folder to make the data set's own in, instead of the usual place.
    public func fetchFolder(in folder: URL? = nil) -> URL {
        (folder ?? Self.environmentFolder ?? Self.cacheFolder).appending(path: folderNames[0])
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
            [base] + folderNames.map { base.appending(path: $0) }
        }
        // A folder that the user names is the only one meant.
        if let folder { return candidates(folder) }
        var places: [URL] = []
        if let environment = Self.environmentFolder { places += candidates(environment).dropFirst() }
        places += candidates(Self.cacheFolder).dropFirst()
        if self == .fashionMNIST { places.append(URL(filePath: "/usr/share/datasets/fashion-mnist")) }
        return places
    }

    /// What the data set's folder may be called: as here, or as its archive unpacks.
    private var folderNames: [String] {
        switch self {
        case .emnistLetters, .emnistBalanced, .emnistDigits: [rawValue, "emnist"]
        case .mnist, .fashionMNIST, .svhn, .digits, .kmnist, .qmnist, .folder, .npz: [rawValue]
        case .cifar10: [rawValue, "cifar-10-batches-bin"]
        case .cifar100, .cifar100Coarse: ["cifar100", "cifar-100-binary"]
        }
    }

    private var advice: String {
        let fetching = "get it with cabs data fetch \(rawValue), or name its folder with --data"
        return switch self {
        case .fashionMNIST: "install Debian's package dataset-fashion-mnist, or \(fetching)"
        case .cifar10, .cifar100, .cifar100Coarse: "\(fetching) (the binary version)"
        case .mnist, .svhn: fetching
        case .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist:
            "get its files from its authors, and name their folder with --data"
        case .digits: "it comes with this package"
        case .folder, .npz: "name it with --data"
        }
    }

    private var isIDX: Bool {
        switch self {
        case .mnist, .fashionMNIST, .emnistLetters, .emnistBalanced, .emnistDigits, .kmnist, .qmnist: true
        case .cifar10, .cifar100, .cifar100Coarse, .svhn, .digits, .folder, .npz: false
        }
    }

    /// The files of training examples, of sets in other formats than IDX.
    var trainingFiles: [String] {
        switch self {
        case .cifar10: (1...5).map { "data_batch_\($0).bin" }
        case .cifar100, .cifar100Coarse: ["train.bin"]
        case .svhn: ["train_32x32.mat"]
        default: []
        }
    }

    /// The file of test examples.
    var testFile: String {
        switch self {
        case .cifar10: "test_batch.bin"
        case .cifar100, .cifar100Coarse: "test.bin"
        case .svhn: "test_32x32.mat"
        default: ""
        }
    }

    /// Whether a folder holds the files; whether they are right shows when they are read.
    private func hasFiles(in url: URL, for use: DataUse) -> Bool {
        let folder = DatasetFolder(url: url)
        if isIDX { return IDXDataset(name: self, folder: folder).isThere(for: use) }
        let names = trainingFiles.prefix(1) + (use == .evaluation ? [testFile] : [])
        return names.contains { !$0.isEmpty && folder.holds([$0]) }
    }
}
