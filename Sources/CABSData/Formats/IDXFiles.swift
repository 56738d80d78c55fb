import Foundation

/// The data sets in MNIST's format, put together from the four files of a folder.
struct IDXFiles: DatasetFormat {
    let name: DatasetName

    /// What precedes the names of files in the archives of EMNIST and QMNIST, which may also be read as MNIST.
    private static let prefixesOfKin =
        ["qmnist-"] + ["mnist", "digits", "letters", "balanced", "bymerge", "byclass"].map { "emnist-\($0)-" }

    /// What may precede the names of the set's files, beside nothing.
    private var knownPrefixes: [String] {
        switch name {
        case .mnist: Self.prefixesOfKin
        case .emnistLetters, .emnistBalanced, .emnistDigits, .qmnist: ["\(name.rawValue)-"]
        default: []
        }
    }

    fileprivate enum Part: String {
        case trainingImages = "train-images"
        case trainingLabels = "train-labels"
        case testImages = "t10k-images"
        case testLabels = "t10k-labels"
    }

    /// The names that a part's file may have.
    private static func names(_ part: Part, prefix: String = "") -> [String] {
        let stems = [part.rawValue, part.rawValue.replacing("t10k", with: "test")]
        let isImages = part == .trainingImages || part == .testImages
        let endings = isImages ? ["idx3-ubyte"] : ["idx1-ubyte", "idx2-int"]
        return Set(stems).sorted().flatMap { stem in
            endings.flatMap { ["\(prefix)\(stem)-\($0)", "\(prefix)\(stem).\($0)"] }
        }
    }

    /// The prefixes of which there are images to train on, or to evaluate images of one part.
    private func prefixes(_ folder: DatasetFolder, for use: DataUse) -> [String] {
        let parts: [Part] = use == .training ? [.trainingImages] : [.trainingImages, .testImages]
        return ([""] + knownPrefixes).filter { prefix in
            parts.contains { folder.holds(Self.names($0, prefix: prefix)) }
        }
    }

    func isThere(_ folder: DatasetFolder, for use: DataUse) -> Bool { !prefixes(folder, for: use).isEmpty }

    /// Which of several sets lies in a folder: by the folder's name, or by what its training labels are known to be.
    ///
    /// - Throws: ``DatasetError/severalKinds(place:names:)`` where neither tells.
    static func name(of folder: URL, among names: [DatasetName]) throws(DatasetError) -> DatasetName {
        if let name = names.first(where: { $0.rawValue == folder.lastPathComponent }) { return name }
        let files = DatasetFolder(url: folder)
        let prefixed = names.filter { name in
            !files.holds(Self.names(.trainingImages))
                && files.holds(Self.names(.trainingImages, prefix: "\(name.rawValue)-"))
        }
        if prefixed.count == 1 { return prefixed[0] }
        let known = try? files.read(Self.names(.trainingLabels)) { file throws(DatasetError) in
            KnownContent(try IDXFile(labelsIn: file).values)
        }
        guard let known = known ?? nil else {
            throw .severalKinds(place: folder.path, names: names.map(\.rawValue))
        }
        return known.dataset
    }

    var fileNames: [String] { Self.allFileNames }

    /// The names of all sets' files.
    static let allFileNames = [
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
    ]

    func read(
        _ place: URL, for use: DataUse, _ options: ImageOptions, onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData {
        let folder = DatasetFolder(url: place)
        let prefixes = prefixes(folder, for: use)
        if prefixes.count > 1, prefixes[0] != "" {
            throw .severalSets(folder: folder.url.path, prefixes: prefixes)
        }
        let prefix = prefixes.first ?? ""
        let reads = use.parts(hasTest: folder.holds(Self.names(.testImages, prefix: prefix)))
        let training = reads.training ? try pair(folder, .trainingImages, .trainingLabels, prefix) : nil
        let test = reads.test ? try pair(folder, .testImages, .testLabels, prefix) : nil
        let read = [training, test].compactMap(\.self)
        let classes = Classes(training: training?.labels.values, test: test?.labels.values)
        let range = ValueRange(of: read.map { $0.images.values.max() ?? 0 })
        return ImageSet(
            training: try training?.labeled(classes, range), test: try test?.labeled(classes, range),
            usualNormalization: .unit, source: folder.url.path, classNames: classes.range.map(String.init),
            range: range, notices: [range.notice(folder.url.path)].compactMap(\.self))
    }

    private func pair(
        _ folder: DatasetFolder, _ images: Part, _ labels: Part, _ prefix: String
    ) throws(DatasetError) -> Pair {
        let (imageFile, images) = try read(folder, images, prefix) { file throws(DatasetError) in
            try IDXFile(contentsOf: file, rank: 3)
        }
        let (labelFile, labels) = try read(folder, labels, prefix) { file throws(DatasetError) in
            try IDXFile(labelsIn: file)
        }
        return Pair(images: images, labels: labels, imageSource: imageFile.path, labelSource: labelFile.path)
    }

    private func read(
        _ folder: DatasetFolder, _ part: Part, _ prefix: String, _ read: (URL) throws(DatasetError) -> IDXFile
    ) throws(DatasetError) -> (URL, IDXFile) {
        try folder.read(Self.names(part, prefix: prefix)) { url throws(DatasetError) in
            let file = try read(url)
            // QMNIST's training images are MNIST's.
            let asked = [KnownContent(name, part)] + (name == .qmnist ? [KnownContent(.mnist, part)] : [])
            if let known = KnownContent(file.values), !asked.contains(known) {
                throw .anotherFile(file: url.path, asked: "\(asked[0])", found: "\(known)")
            }
            return (url, file)
        }
    }

    /// The two files of one part.
    private struct Pair {
        let images: IDXFile
        let labels: IDXFile
        let imageSource: String
        let labelSource: String

        func labeled(_ classes: Classes, _ range: ValueRange) throws(DatasetError) -> LabeledImages {
            try LabeledImages(
                images: images, labels: labels, classes: classes.range, range: range, imageSource: imageSource,
                labelSource: labelSource)
        }
    }

    /// The labels that stand for classes.
    private struct Classes {
        let range: ClosedRange<Int>

        /// Ten classes as in MNIST, where all labels are digits. Sets of its kind have others: from 0, or from 1 (the letters of EMNIST).
        /// They are believed where no class is without a training example; else one wrong label would make classes.
        ///
        /// - Parameters: The labels of the parts that were read. Of a test part alone all labels are believed: a network tells which there are.
        init(training: [UInt8]?, test: [UInt8]?) {
            let test = test ?? []
            guard let training else {
                range = 0...Int(max(test.max() ?? 9, 9))
                return
            }
            let found = Set(training)
            guard let low = found.union(test).min(), let high = found.union(test).max(), high > 9,
                found.count == Int(high) - min(Int(low), 1) + 1
            else {
                range = 0...9
                return
            }
            range = min(Int(low), 1)...Int(high)
        }
    }
}

extension LabeledImages {
    /// Puts the two files of a part together.
    ///
    /// - Parameters:
    ///   - classes: The labels that stand for classes, the lowest for the first.
    ///   - range: The range of the images' numbers.
    init(
        images: IDXFile, labels: IDXFile, classes: ClosedRange<Int>, range: ValueRange = .bytes, imageSource: String,
        labelSource: String
    ) throws(DatasetError) {
        guard images.sizes[0] == labels.sizes[0] else {
            throw .countsDiffer(
                images: imageSource, imageCount: images.sizes[0], labels: labelSource, labelCount: labels.sizes[0])
        }
        guard images.sizes.allSatisfy({ $0 > 0 }) else { throw .noExamples(imageSource) }
        if let index = labels.values.firstIndex(where: { !classes.contains(Int($0)) }) {
            throw .labelOutsideClasses(
                Int(labels.values[index]), example: index, source: labelSource, classCount: classes.count)
        }
        try self.init(
            shape: .image(height: images.sizes[1], width: images.sizes[2], channels: 1), classCount: classes.count,
            pixels: range.scaledToBytes(images.values),
            labels: labels.values.map { UInt16(Int($0) - classes.lowerBound) },
            source: labelSource)
    }
}

/// A file of a data set that is known by its content, whatever its name and however it is compressed.
private struct KnownContent: Equatable, CustomStringConvertible {
    let dataset: DatasetName
    private let part: IDXFiles.Part

    init(_ dataset: DatasetName, _ part: IDXFiles.Part) {
        self.dataset = dataset
        self.part = part
    }

    /// The file that has these values; nothing where it is none that is known.
    init?(_ values: [UInt8]) {
        var checksum = CRC32()
        checksum.add(values)
        guard let known = Self.checksums[checksum.value] else { return nil }
        self = known
    }

    var description: String { "\(part.rawValue) of \(dataset.rawValue)" }

    /// By the CRC-32 of the values, a file's header left out.
    private static let checksums: [UInt: KnownContent] = [
        0xf363_9b56: .init(.mnist, .trainingImages), 0xba07_e8ef: .init(.mnist, .trainingLabels),
        0xe4ca_5f57: .init(.mnist, .testImages), 0xee86_04d9: .init(.mnist, .testLabels),
        0xae65_dccd: .init(.fashionMNIST, .trainingImages), 0x2ed6_e46a: .init(.fashionMNIST, .trainingLabels),
        0x1272_8439: .init(.fashionMNIST, .testImages), 0x242b_c73f: .init(.fashionMNIST, .testLabels),
    ]
}
