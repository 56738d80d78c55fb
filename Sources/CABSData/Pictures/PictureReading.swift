import CABSExamples
import Foundation
import Synchronization

/// How the pictures of a folder are read.
struct PictureReading {
    let size: ImageSize?
    let channelCount: Int?
    /// How many bytes of memory the pictures of both parts may take; where they take more they are decoded each time.
    let memoryLimit: Int
    /// Told how many pictures were read of how many, now and then, from the threads that read.
    let onProgress: (@Sendable (_ count: Int, _ all: Int) -> Void)?

    /// Decodes the pictures of the parts, on all processors that may be used: even where they do not stay in memory, to see that all can be.
    ///
    /// - Throws: ``DatasetError`` naming the first picture that cannot be used, and how many more there are.
    func read(
        _ folder: PictureFolder, from url: URL
    ) throws(DatasetError) -> (training: (any ImageSource)?, test: (any ImageSource)?) {
        let entries = (folder.training ?? []) + (folder.test ?? [])
        let shape = try shape(of: entries)
        let needed = entries.count.multipliedReportingOverflow(by: shape.count)
        let isInMemory = !needed.overflow && needed.partialValue <= memoryLimit
        let classCount = folder.classNames.count
        func part(_ entries: [PictureFolder.Entry]) throws(DatasetError) -> any ImageSource {
            guard isInMemory else {
                return try DecodedEachTime(entries, shape, classCount: classCount, reading: self)
            }
            return try LabeledImages(
                shape: shape, classCount: classCount, pixels: pixels(of: entries, shape),
                labels: entries.map { UInt16($0.label) }, source: url.path)
        }
        let training = try folder.training.map { entries throws(DatasetError) in try part(entries) }
        return (training, try folder.test.map { entries throws(DatasetError) in try part(entries) })
    }

    /// The shape that all pictures are brought to: as is asked, or the one that they share.
    private func shape(of entries: [PictureFolder.Entry]) throws(DatasetError) -> ExampleShape {
        let shapes = try forEach(entries) { entry throws(DatasetError) in try PictureFile(entry.file).shape }
        let channels = channelCount ?? shapes.map(\.channelCount).max()!
        if let size { return .image(height: size.height, width: size.width, channels: channels) }
        let first = shapes[0].withChannelCount(channels)
        if let index = shapes.firstIndex(where: { $0.withChannelCount(channels) != first }) {
            throw .sizesDiffer(
                first: entries[0].file.path, shapes[0], other: entries[index].file.path, shapes[index])
        }
        return first
    }

    /// The bytes of all pictures, one after the other. Each is written to its place, so that all are in memory once.
    private func pixels(
        of entries: [PictureFolder.Entry], _ shape: ExampleShape
    ) throws(DatasetError) -> [UInt8] {
        var failure: DatasetError?
        let size = shape.count
        let pixels = [UInt8](unsafeUninitializedCapacity: entries.count * size) { buffer, filled in
            let places = PicturePlaces(first: buffer.baseAddress!)
            do throws(DatasetError) {
                _ = try forEach(Array(entries.enumerated())) { entry throws(DatasetError) in
                    let pixels = try Self.pixels(of: Picture(contentsOf: entry.element.file), as: shape)
                    (places.first + entry.offset * size).initialize(from: pixels, count: size)
                }
                filled = buffer.count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return pixels
    }

    /// A picture's bytes, resized so that it covers the shape, then cut off around the middle.
    static func pixels(of picture: Picture, as shape: ExampleShape) throws(DatasetError) -> [UInt8] {
        let picture = picture.withChannelCount(shape.channelCount)
        guard picture.shape != shape, case .image(let height, let width, _) = shape else { return picture.pixels }
        return try LabeledImages(
            shape: picture.shape, classCount: 1, pixels: picture.pixels, labels: [0], source: "a picture"
        ).resized(height: height, width: width).pixels
    }

    /// What `read` gives for each entry, in their order.
    func forEach<Entry: Sendable, Value: Sendable>(
        _ entries: [Entry], _ read: @Sendable (Entry) throws(DatasetError) -> Value
    ) throws(DatasetError) -> [Value] {
        let done = Atomic(0)
        let outcomes = Mutex([Result<Value, DatasetError>?](repeating: nil, count: entries.count))
        DispatchQueue.concurrentPerform(iterations: entries.count) { index in
            if index % 100 == 0 { onProgress?(done.add(100, ordering: .relaxed).newValue, entries.count) }
            let outcome: Result<Value, DatasetError>
            do throws(DatasetError) {
                outcome = .success(try read(entries[index]))
            } catch {
                outcome = .failure(error)
            }
            outcomes.withLock { $0[index] = outcome }
        }
        let all = outcomes.withLock { $0.compactMap(\.self) }
        let errors = all.compactMap { if case .failure(let error) = $0 { error } else { nil } }
        if let first = errors.first {
            throw errors.count == 1 ? first : .andMore(first: "\(first)", count: errors.count - 1)
        }
        return all.compactMap { try? $0.get() }
    }
}

/// Where pictures are written, each to its own place by one thread: the proof of `@unchecked`.
private struct PicturePlaces: @unchecked Sendable {
    let first: UnsafeMutablePointer<UInt8>
}
