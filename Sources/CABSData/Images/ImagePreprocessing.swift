import CABSExamples

/// The preprocessing of whole images: normalised, and in training changed at random.
public struct ImagePreprocessing: Preprocessing, Hashable {
    /// How bytes become values.
    public let normalization: Normalization
    /// The random changes, in the order in which they draw.
    public let changes: [ImageChange]

    /// Creates the preprocessing.
    public init(normalization: Normalization = .unit(), changes: [ImageChange] = []) {
        self.normalization = normalization
        self.changes = changes
    }

    /// The image's shape.
    public func outputShape(for image: ExampleShape) -> ExampleShape { image }

    /// Normalises and changes.
    public func apply(
        to pixels: ArraySlice<UInt8>, shape: ExampleShape, into values: inout MutableSpan<Float>,
        using random: inout RandomStream
    ) {
        if changes.isEmpty, case .unit(let maximum) = normalization {
            let scale = 1 / Float(maximum)
            let first = pixels.startIndex
            for index in values.indices { values[index] = Float(pixels[first + index]) * scale }
            return
        }
        guard case .image(let height, let width, let channels) = shape else {
            preconditionFailure("the preprocessing of a \(shape)")
        }
        let drawn = DrawnChanges(changes, height: height, width: width, using: &random)
        let count = height * width
        let planes = (0..<channels).map { (pixels.startIndex + $0 * count)..<(pixels.startIndex + ($0 + 1) * count) }
        let moments = planes.map { plane in
            var (sum, squares) = (0, 0)
            for index in plane {
                let value = Int(pixels[index])
                sum &+= value
                squares &+= value &* value
            }
            return ChannelMoments(sum: sum, squares: squares, count: count)
        }
        for (channel, plane) in planes.enumerated() {
            let (mean, scale) = centerAndScale(of: channel, moments, drawn, valueCount: values.count)
            let offset = moments[channel].mean * (1 - drawn.contrast) - mean
            let (factor, shift) = (drawn.contrast * scale, offset * scale)
            for row in 0..<height {
                let target = (channel * height + row) * width
                for column in 0..<width {
                    values[target + column] =
                        drawn.source(row, column).map { row, column in
                            Float(Double(pixels[plane.lowerBound + row * width + column]) * factor + shift)
                        } ?? 0
                }
            }
        }
    }

    /// What is subtracted of each value of a channel, and what the rest is multiplied by.
    private func centerAndScale(
        of channel: Int, _ moments: [ChannelMoments], _ drawn: DrawnChanges, valueCount: Int
    ) -> (mean: Double, scale: Double) {
        switch normalization {
        case .unit(let unit): (-drawn.brightness * 255, 1 / unit)
        case .image:
            ChannelMoments.standardization(moments, contrast: drawn.contrast, valueCount: valueCount)
        case .channel(let means, let deviations):
            (means[channel] - drawn.brightness * 255, 1 / deviations[channel])
        }
    }
}

/// The changes to one image.
private struct DrawnChanges {
    private let height: Int
    private let width: Int
    private var (top, left) = (0, 0)
    private var flips = false
    /// The shift of all values, in units of the largest byte, 255.
    private(set) var brightness = 0.0
    /// The factor of the distance from a channel's mean.
    private(set) var contrast = 1.0
    private var emptyRows = 0..<0
    private var emptyColumns = 0..<0

    init(_ changes: [ImageChange], height: Int, width: Int, using random: inout RandomStream) {
        (self.height, self.width) = (height, width)
        for change in changes {
            switch change {
            case .crop(let padding):
                top = random.nextInteger(below: 2 * padding + 1) - padding
                left = random.nextInteger(below: 2 * padding + 1) - padding
            case .flip: flips = random.nextUniform() < 0.5
            case .brightness(let part): brightness = part * (2 * random.nextUniform() - 1)
            case .contrast(let part): contrast = 1 + part * (2 * random.nextUniform() - 1)
            case .cutout(let size):
                let row = random.nextInteger(below: height) - size / 2
                let column = random.nextInteger(below: width) - size / 2
                (emptyRows, emptyColumns) = (row..<row + size, column..<column + size)
            }
        }
    }

    /// Where in the image the value comes from that goes to a row and column; nothing where it is empty.
    func source(_ row: Int, _ column: Int) -> (row: Int, column: Int)? {
        if emptyRows.contains(row), emptyColumns.contains(column) { return nil }
        let (sourceRow, sourceColumn) = (top + row, left + (flips ? width - 1 - column : column))
        guard sourceRow >= 0, sourceRow < height, sourceColumn >= 0, sourceColumn < width else { return nil }
        return (sourceRow, sourceColumn)
    }
}
