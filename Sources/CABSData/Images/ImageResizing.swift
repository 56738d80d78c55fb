import CABSExamples
import CImageResize

extension LabeledImages {
    /// The same images, resized so that they cover a size, and what goes beyond it at two sides cut off.
    ///
    /// - Throws: ``DatasetError/outOfMemory(_:)``.
    func resized(to size: ImageSize) throws(DatasetError) -> LabeledImages {
        try resized(height: size.height, width: size.width)
    }

    /// The same for a size of any sides.
    func resized(height newHeight: Int, width newWidth: Int) throws(DatasetError) -> LabeledImages {
        let size = (height: newHeight, width: newWidth)
        guard case .image(let height, let width, let channels) = shape, (height, width) != size else { return self }
        let target = ExampleShape.image(height: size.height, width: size.width, channels: channels)
        let planeCount = count * channels
        let part = CoveringPart(of: (height, width), for: size)
        var isWhole = true
        let resized = [UInt8](unsafeUninitializedCapacity: planeCount * size.height * size.width) { buffer, filled in
            pixels.withUnsafeBufferPointer { pixels in
                for plane in 0..<planeCount where isWhole {
                    isWhole = cir_resize(
                        pixels.baseAddress! + plane * height * width, Int32(width), Int32(height),
                        buffer.baseAddress! + plane * size.height * size.width, Int32(size.width), Int32(size.height),
                        part.left, part.top, 1 - part.left, 1 - part.top)
                }
            }
            filled = isWhole ? buffer.count : 0
        }
        guard isWhole else { throw .outOfMemory("resizing images to \(size.height)x\(size.width)") }
        return try LabeledImages(
            shape: target, classCount: classCount, pixels: resized, labels: labels, source: "resized images")
    }
}

/// The part in the middle of an image that has another size's proportions.
private struct CoveringPart {
    /// What is cut off at the left, in units of the width, and as much at the right.
    let left: Float
    /// What is cut off at the top, in units of the height, and as much at the bottom.
    let top: Float

    init(of image: (height: Int, width: Int), for size: (height: Int, width: Int)) {
        // Of the two scales the greater one covers the size.
        let (vertical, horizontal) = (
            Double(size.height) / Double(image.height), Double(size.width) / Double(image.width)
        )
        let scale = max(vertical, horizontal)
        left = Float((1 - horizontal / scale) / 2)
        top = Float((1 - vertical / scale) / 2)
    }
}
