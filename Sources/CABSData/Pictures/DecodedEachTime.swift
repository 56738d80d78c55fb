import CABSExamples
import Foundation

/// Pictures that take more memory than they may: each is decoded anew when it is asked for, by the worker that asks.
///
/// All were decoded once, and their checksums noted: a file that changes while a run goes on, or vanishes, is an error that ends it.
struct DecodedEachTime: ImageSource {
    let shape: ExampleShape
    let classCount: Int
    let labels: [UInt16]
    private let files: [URL]
    /// Of each picture's bytes as they are handed out.
    private let checksums: [UInt]

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

    var checksum: UInt {
        var checksum = CRC32()
        // The same as of the pictures in memory: a run may go on where there is more of it, or less.
        for picture in checksums { checksum.add(picture, of: shape.count) }
        checksum.add(labels: labels, classCount: classCount)
        return checksum.value
    }

    func pixels(at index: Int) throws(DatasetError) -> ArraySlice<UInt8> {
        let pixels = try PictureReading.pixels(of: Picture(contentsOf: files[index]), as: shape)
        guard Self.checksum(pixels) == checksums[index] else {
            throw .unusablePicture(file: files[index].path, reason: "it is another one than when the run began")
        }
        return pixels[...]
    }

    private static func checksum(_ pixels: [UInt8]) -> UInt {
        var checksum = CRC32()
        checksum.add(pixels)
        return checksum.value
    }
}
