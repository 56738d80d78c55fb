import CABSExamples
import Foundation
import Synchronization

/// Pictures that take more memory than they may: each is decoded anew when it is asked for, by the worker that asks.
///
/// All were decoded once, and their checksums noted: a file that changes while a run goes on, or vanishes, is a failure that stops it.
final class DecodedEachTime: ImageSource {
    let shape: ExampleShape
    let classCount: Int
    let labels: [UInt16]
    private let files: [URL]
    /// Of each picture's bytes as they are handed out.
    private let checksums: [UInt]
    private let firstFailure = Mutex<DatasetError?>(nil)

    private init(_ other: DecodedEachTime, labels: [UInt16], classCount: Int) {
        (shape, files, checksums) = (other.shape, other.files, other.checksums)
        (self.labels, self.classCount) = (labels, classCount)
    }

    func relabeled(_ labels: [UInt16], classCount: Int) -> DecodedEachTime {
        DecodedEachTime(self, labels: labels, classCount: classCount)
    }

    init(
        _ entries: [PictureFolder.Entry], _ shape: ExampleShape, classCount: Int, reading: PictureReading
    ) throws(DatasetError) {
        self.shape = shape
        self.classCount = classCount
        labels = entries.map { UInt16($0.label) }
        files = entries.map(\.file)
        checksums = try reading.forEach(entries) { entry throws(DatasetError) in
            try Self.checksum(PictureReading.pixels(of: Picture(contentsOf: entry.file), as: shape))
        }
    }

    var failure: DatasetError? { firstFailure.withLock { $0 } }

    var checksum: UInt {
        var checksum = CRC32()
        // The same as of the pictures in memory: a run may go on where there is more of it, or less.
        for picture in checksums { checksum.add(picture, of: shape.count) }
        checksum.add(labels: labels, classCount: classCount)
        return checksum.value
    }

    func pixels(at index: Int) -> ArraySlice<UInt8> {
        do throws(DatasetError) {
            let pixels = try PictureReading.pixels(of: Picture(contentsOf: files[index]), as: shape)
            guard Self.checksum(pixels) == checksums[index] else {
                throw .unusablePicture(file: files[index].path, reason: "it is another one than when the run began")
            }
            return pixels[...]
        } catch {
            firstFailure.withLock { $0 = $0 ?? error }
            return [UInt8](repeating: 0, count: shape.count)[...]
        }
    }

    private static func checksum(_ pixels: [UInt8]) -> UInt {
        var checksum = CRC32()
        checksum.add(pixels)
        return checksum.value
    }
}
