import CABSExamples

/// The preprocessing of the paper's CIFAR-10 experiments: a crop, random changes while training, and standardisation of
/// each image by itself.
///
/// In training, in this order: a crop at a random place, a flip from left to right every other time, brightness
/// shifted by up to 63 either way, and contrast (the distance of each channel's values from their mean) scaled by 0.2 to 1.8.
/// Otherwise the crop is the central one. At last the mean over the whole crop is subtracted, and the result divided by
/// the larger of its standard deviation and `1 / sqrt(number of values)`.
public struct CroppedAndStandardized: Preprocessing, Hashable {
    /// The rows, and columns, of the crop.
    public let cropSize: Int
    /// Whether crop, flip, brightness and contrast are random.
    public let augments: Bool

    /// Creates the preprocessing.
    public init(cropSize: Int = 24, augments: Bool) {
        self.cropSize = cropSize
        self.augments = augments
    }

    /// The crop's shape.
    ///
    /// - Throws: ``DatasetError/imageTooSmall(_:cropSize:)`` for images smaller than the crop.
    public func outputShape(for image: ExampleShape) throws(DatasetError) -> ExampleShape {
        guard case .image(let height, let width, let channels) = image, height >= cropSize, width >= cropSize
        else { throw .imageTooSmall(image, cropSize: cropSize) }
        return .image(height: cropSize, width: cropSize, channels: channels)
    }

    /// Crops, changes and standardises.
    public func apply(
        to pixels: ArraySlice<UInt8>, shape: ExampleShape, into values: inout MutableSpan<Float>,
        using random: inout RandomStream
    ) {
        guard case .image(let height, let width, let channels) = shape else {
            preconditionFailure("the preprocessing of a \(shape)")
        }
        let top = augments ? random.nextInteger(below: height - cropSize + 1) : (height - cropSize) / 2
        let left = augments ? random.nextInteger(below: width - cropSize + 1) : (width - cropSize) / 2
        let flips = augments && random.nextUniform() < 0.5
        // Brightness is a shift of all values, and standardisation undoes it: nothing is drawn for it.
        let contrast = augments ? 0.2 + 1.6 * random.nextUniform() : 1

        let planes = (0..<channels).map { channel in
            Crop(size: cropSize, width: width, first: pixels.startIndex + (channel * height + top) * width + left)
        }
        let moments = planes.map { $0.moments(of: pixels) }
        let (mean, scale) = ChannelMoments.standardization(moments, contrast: contrast, valueCount: values.count)
        for (channel, plane) in planes.enumerated() {
            let offset = moments[channel].mean * (1 - contrast) - mean
            plane.copy(
                pixels, to: &values, at: channel * cropSize * cropSize, flips: flips, scale: contrast * scale,
                offset: offset * scale)
        }
    }
}

/// A square part of one channel.
private struct Crop {
    let size: Int
    /// The width of the whole image.
    let width: Int
    /// Where the part's first byte stands.
    let first: Int

    /// The mean and the variance of the bytes.
    func moments(of pixels: ArraySlice<UInt8>) -> ChannelMoments {
        var (sum, squares) = (0, 0)
        for row in 0..<size {
            for index in (first + row * width)..<(first + row * width + size) {
                let value = Int(pixels[index])
                sum &+= value
                squares &+= value &* value
            }
        }
        return ChannelMoments(sum: sum, squares: squares, count: size * size)
    }

    /// Writes `byte * scale + offset` for each byte.
    func copy(
        _ pixels: ArraySlice<UInt8>, to values: inout MutableSpan<Float>, at target: Int, flips: Bool, scale: Double,
        offset: Double
    ) {
        for row in 0..<size {
            let (source, destination) = (first + row * width, target + row * size)
            for column in 0..<size {
                let byte = pixels[source + (flips ? size - 1 - column : column)]
                values[destination + column] = Float(Double(byte) * scale + offset)
            }
        }
    }
}
