import CABSExamples
import Foundation
import Testing

@testable import CABSData

/// Pixels are those that a file stores, as Pillow and torchvision give them, whatever it says of gamma and colour.
@Suite(.timeLimit(.minutes(10))) struct StoredPixelTests {
    /// A chunk of a PNG file: its length, its name, its content and their CRC-32.
    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        func bytes(_ number: UInt) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }
        var checksum = CRC32()
        checksum.add(Array(name.utf8) + content)
        return bytes(UInt(content.count)) + Array(name.utf8) + content + bytes(checksum.value)
    }

    @Test(arguments: [100_000, 55_556, 45_455], [1, 3])
    func `gamma changes no pixel`(gamma: Int, channels: Int) throws {
        let pixels = (0..<4 * channels).map { UInt8($0 * 20 + 3) }
        let picture = try #require(Picture(shape: .image(height: 2, width: 2, channels: channels), pixels: pixels))
        var file = [UInt8](picture.png)
        // Behind the signature of 8 bytes and the header's chunk of 25, in front of a chunk that says sRGB, which must not follow gamma.
        let gamma = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: gamma >> $0) }
        file.insert(
            contentsOf: Self.chunk("gAMA", gamma) + Self.chunk("cHRM", [UInt8](repeating: 0, count: 32)), at: 33)
        let folder = try TemporaryFolder()
        #expect(try Picture(contentsOf: folder.write(file, as: "gamma.png")).pixels == pixels)
    }
}
