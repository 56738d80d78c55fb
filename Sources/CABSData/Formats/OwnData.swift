import Foundation

/// A folder of own pictures, one for each class.
struct PictureFolders: DatasetFormat {
    let ownPlace: String? = "a folder that has one for each class"
    let fileNames: [String] = []

    func isThere(_ folder: DatasetFolder, for use: DataUse) -> Bool { (try? PictureFiles(in: folder.url)) != nil }

    func read(
        _ place: URL, for use: DataUse, _ options: ImageOptions, onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData {
        let folder = try PictureFolder(
            place, for: use, testFraction: options.testFraction, known: options.known?.classNames ?? [])
        let reading = PictureReading(
            size: options.size, channelCount: options.channelCount, memoryLimit: options.memoryLimit,
            onProgress: onProgress)
        let (training, test) = try reading.read(folder, from: place)
        return ImageSet(
            training: training, test: test, usualNormalization: .channel, source: place.path,
            classNames: folder.classNames, unreadCount: folder.unreadCount, notices: folder.notices)
    }
}

/// A `.npz` file of own arrays.
struct NumPyArrays: DatasetFormat {
    let ownPlace: String? = "the .npz file"
    let fileNames: [String] = []

    func isThere(_ folder: DatasetFolder, for use: DataUse) -> Bool { (try? NumPyArchive(folder.url)) != nil }

    func read(
        _ place: URL, for use: DataUse, _ options: ImageOptions, onProgress: (@Sendable (Int, Int) -> Void)?
    ) throws(DatasetError) -> any ReadData {
        try ArrayFile(place, for: use)
    }

    func outline(of place: URL) -> DataOutline? {
        guard let outline = ArrayFile.outline(of: place) else { return nil }
        let isVector = if case .vector = outline.shape { true } else { false }
        return DataOutline(isVector: isVector, predictsValues: outline.predictsValues)
    }
}
