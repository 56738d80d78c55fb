import CABSExamples

extension LabeledImages {
    /// The same images, resized so that they cover a size, and what goes beyond it at two sides cut off.
    func resized(to size: ImageSize) throws(DatasetError) -> LabeledImages {
        try resized(height: size.height, width: size.width)
    }

    /// The same for a size of any sides.
    func resized(height newHeight: Int, width newWidth: Int) throws(DatasetError) -> LabeledImages {
        guard case .image(let height, let width, let channels) = shape, (height, width) != (newHeight, newWidth) else {
            return self
        }
        // Of the two scales the greater one covers the size.
        let scale = max(Double(newHeight) / Double(height), Double(newWidth) / Double(width))
        let rows = ResampledAxis(height, to: newHeight, scale: scale)
        let columns = ResampledAxis(width, to: newWidth, scale: scale)
        let planeCount = count * channels
        let resized = [UInt8](unsafeUninitializedCapacity: planeCount * newHeight * newWidth) { buffer, filled in
            pixels.withUnsafeBufferPointer { pixels in
                var narrowed = [Float](repeating: 0, count: height * newWidth)
                for plane in 0..<planeCount {
                    columns.resampleRows(
                        UnsafeBufferPointer(
                            rebasing: pixels[(plane * height * width)..<((plane + 1) * height * width)]),
                        into: &narrowed)
                    let target = (plane * newHeight * newWidth)..<((plane + 1) * newHeight * newWidth)
                    rows.resampleColumns(narrowed, into: UnsafeMutableBufferPointer(rebasing: buffer[target]))
                }
            }
            filled = buffer.count
        }
        return try LabeledImages(
            shape: .image(height: newHeight, width: newWidth, channels: channels), classCount: classCount,
            pixels: resized, labels: labels, source: "resized images")
    }
}

/// How the values along one side of an image become those of another number, from the part in its middle that covers them.
///
/// Each is a mean weighted by a triangle, over all that it covers, so that nothing is passed over where an image shrinks, and over the two nearest
/// values where it grows: what Pillow calls bilinear. Our own, as the library at hand, stb's first resizing, ends the process at some sizes,
/// such as 480 to 224, and writes wrong rows at others.
private struct ResampledAxis {
    /// The first value that has a part in each result, and the weights of it and those that follow.
    private let windows: [(first: Int, weights: [Float])]
    private let length: Int

    init(_ length: Int, to newLength: Int, scale: Double) {
        self.length = length
        // In values of the old side: what a result covers, and the triangle's half width.
        let step = 1 / scale
        let start = (Double(length) - Double(newLength) * step) / 2
        let radius = max(step, 1)
        windows = (0..<newLength).map { index in
            let center = start + (Double(index) + 0.5) * step
            let first = max(Int((center - radius + 0.5).rounded(.down)), 0)
            let last = min(Int((center + radius + 0.5).rounded(.down)), length)
            let weights = (first..<max(last, first + 1)).map { place -> Double in
                let distance = abs(Double(place) + 0.5 - center)
                return max(1 - distance / radius, 0)
            }
            let total = weights.reduce(0, +)
            // Where rounding leaves no weight at the border, the nearest value is the whole.
            return (min(first, length - 1), total > 0 ? weights.map { Float($0 / total) } : [1])
        }
    }

    /// Resamples each row of an image.
    func resampleRows(_ image: UnsafeBufferPointer<UInt8>, into result: inout [Float]) {
        let newLength = windows.count
        result.withUnsafeMutableBufferPointer { result in
            for row in 0..<image.count / length {
                for (column, window) in windows.enumerated() {
                    var sum: Float = 0
                    for (offset, weight) in window.weights.enumerated() {
                        sum += weight * Float(image[row * length + window.first + offset])
                    }
                    result[row * newLength + column] = sum
                }
            }
        }
    }

    /// Resamples each column of an image, and rounds.
    func resampleColumns(_ image: [Float], into result: UnsafeMutableBufferPointer<UInt8>) {
        let width = image.count / length
        image.withUnsafeBufferPointer { image in
            for (row, window) in windows.enumerated() {
                for column in 0..<width {
                    var sum: Float = 0
                    for (offset, weight) in window.weights.enumerated() {
                        sum += weight * image[(window.first + offset) * width + column]
                    }
                    result[row * width + column] = UInt8(min(max(sum.rounded(), 0), 255))
                }
            }
        }
    }
}
