import CABSExamples
import CPicture
import Foundation

/// A picture of a PNG or JPEG file, as it is to be seen: turned as its file says, what is transparent put on white, values of 16 bits cut to 8.
public struct Picture: Sendable {
    /// The picture's shape; one channel or three.
    public let shape: ExampleShape
    /// The bytes, channels first.
    public let pixels: [UInt8]

    /// The sizes of a side that are decoded, and the largest number of pixels: so that no header can ask for more memory than a picture
    /// is worth.
    static let sides = 1...Int64(30_000)
    static let largestPixelCount: Int64 = 1 << 26

    /// Decodes a file.
    ///
    /// - Throws: ``DatasetError/unusablePicture(file:reason:)``.
    public init(contentsOf file: URL) throws(DatasetError) {
        try self.init(PictureFile(file))
    }

    /// A picture of bytes, channels first; nothing where they are none of one channel or three.
    public init?(shape: ExampleShape, pixels: [UInt8]) {
        guard case .image(_, _, let channels) = shape, channels == 1 || channels == 3, pixels.count == shape.count,
            !pixels.isEmpty
        else { return nil }
        self.shape = shape
        self.pixels = pixels
    }

    /// The picture as a PNG file.
    public var png: Data {
        guard case .image(let height, let width, let channels) = shape else { return Data() }
        let plane = height * width
        let interleaved = (0..<plane * channels).map { pixels[$0 % channels * plane + $0 / channels] }
        // Of a few pixels the file is larger than they are.
        var file = Data(count: 4096 + 2 * interleaved.count)
        let count = file.withUnsafeMutableBytes { bytes in
            cpc_encode_png(
                interleaved, UInt32(width), UInt32(height), Int32(channels),
                bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
        }
        return file.prefix(count)
    }

    init(_ file: PictureFile) throws(DatasetError) {
        let (width, height, channels) = (Int(file.header.width), Int(file.header.height), Int(file.header.channels))
        let interleaved = [UInt8](unsafeUninitializedCapacity: width * height * channels) { buffer, count in
            count = file.decode(into: buffer) ? buffer.count : 0
        }
        guard !interleaved.isEmpty else { throw file.error }
        let orientation = Orientation(Int(file.header.orientation))
        let size = orientation.swapsSides ? (height: width, width: height) : (height: height, width: width)
        pixels = [UInt8](unsafeUninitializedCapacity: interleaved.count) { buffer, count in
            for row in 0..<size.height {
                for column in 0..<size.width {
                    let source = orientation.source(row: row, column: column, height: height, width: width)
                    let (from, to) = ((source.row * width + source.column) * channels, row * size.width + column)
                    for channel in 0..<channels {
                        buffer[channel * size.height * size.width + to] = interleaved[from + channel]
                    }
                }
            }
            count = buffer.count
        }
        shape = .image(height: size.height, width: size.width, channels: channels)
    }

    /// The same with another number of channels: grey for all three, or of three the brightness that they have together (ITU-R 601).
    func withChannelCount(_ count: Int) -> Picture {
        guard case .image(let height, let width, let channels) = shape, channels != count else { return self }
        let plane = height * width
        let converted: [UInt8] =
            count == 1
            ? (0..<plane).map { index in
                let (red, green, blue) = (
                    Int(pixels[index]), Int(pixels[plane + index]), Int(pixels[2 * plane + index])
                )
                let weighted = 299 * red + 587 * green + 114 * blue
                return UInt8((weighted + 500) / 1000)
            } : pixels + pixels + pixels
        return Picture(shape: .image(height: height, width: width, channels: count), pixels: converted)!
    }
}

/// A picture's file in memory, with what its header says.
struct PictureFile {
    let file: URL
    let header: cpc_header
    private let data: Data
    private let message = MessageBuffer()

    /// Reads the header.
    ///
    /// - Throws: ``DatasetError/unusablePicture(file:reason:)`` where it is none of a picture, or one of a picture too large to be decoded.
    init(_ file: URL) throws(DatasetError) {
        let data: Data
        do {
            // A pipe in a picture's place would be waited for.
            guard file.isPlainFile else {
                let found = FileContent.description(of: file).map { "it is \($0)" }
                throw DatasetError.unusablePicture(file: file.path, reason: found ?? "there is no such file")
            }
            data = try Data(contentsOf: file)
        } catch let error as DatasetError {
            throw error
        } catch {
            throw .unusablePicture(file: file.path, reason: error.systemReason)
        }
        var header = cpc_header()
        let message = message
        let isRead = data.withUnsafeBytes { bytes in
            cpc_read_header(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &header, message.pointer)
        }
        guard isRead else {
            let found = FileContent.isForeignPicture(file) ? FileContent.description(of: file) : nil
            throw .unusablePicture(
                file: file.path,
                reason: data.isEmpty
                    ? "it is empty" : found.map { "it is \($0), and only PNG and JPEG are read" } ?? message.text)
        }
        guard Picture.sides.contains(header.width), Picture.sides.contains(header.height),
            header.width * header.height <= Picture.largestPixelCount
        else {
            throw .unusablePicture(
                file: file.path,
                reason:
                    "its header says \(header.width)x\(header.height) pixels, where up to \(Picture.sides.upperBound) a side and "
                    + "\(Picture.largestPixelCount) in all are read")
        }
        self.file = file
        self.data = data
        self.header = header
    }

    /// The picture's shape as it is to be seen.
    var shape: ExampleShape {
        let swaps = Orientation(Int(header.orientation)).swapsSides
        return .image(
            height: Int(swaps ? header.width : header.height), width: Int(swaps ? header.height : header.width),
            channels: Int(header.channels))
    }

    fileprivate func decode(into buffer: UnsafeMutableBufferPointer<UInt8>) -> Bool {
        var header = header
        return data.withUnsafeBytes { bytes in
            cpc_decode(
                bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count, &header, buffer.baseAddress, message.pointer)
        }
    }

    fileprivate var error: DatasetError { .unusablePicture(file: file.path, reason: message.text) }

    /// Where the libraries put their words.
    private final class MessageBuffer {
        let pointer: UnsafeMutablePointer<CChar>

        init() {
            pointer = .allocate(capacity: Int(cpc_message_size))
            pointer.initialize(repeating: 0, count: Int(cpc_message_size))
        }

        deinit { pointer.deallocate() }

        var text: String { String(cString: pointer) }
    }
}

/// How a stored picture is to be turned, by the numbers that EXIF has for it.
private struct Orientation {
    let swapsSides: Bool
    private let flipsRows: Bool
    private let flipsColumns: Bool

    init(_ number: Int) {
        swapsSides = number >= 5
        // In the stored picture, whose rows are the columns that are seen where sides are swapped.
        flipsRows = [3, 4, 6, 7].contains(number)
        flipsColumns = [2, 3, 7, 8].contains(number)
    }

    /// Where in the stored picture the pixel is that is seen in that row and column.
    func source(row: Int, column: Int, height: Int, width: Int) -> (row: Int, column: Int) {
        var (sourceRow, sourceColumn) = swapsSides ? (column, row) : (row, column)
        if flipsRows { sourceRow = height - 1 - sourceRow }
        if flipsColumns { sourceColumn = width - 1 - sourceColumn }
        return (sourceRow, sourceColumn)
    }
}
